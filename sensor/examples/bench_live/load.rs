//! A small deterministic load: one kind of operation, so many times, in this process and in a folder of its own. Says what CPU time an
//! operation took, its children's included. Knows nothing of the sensor.

use rustix::time::{ClockId, clock_gettime};
use std::{
    fs,
    io::{Error, Result},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
};

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// Opens a file for reading whose name no rule asks for: suppressed in the kernel.
    OpenMuted,
    /// Opens a file for writing: reported.
    OpenReported,
    /// Renames a file.
    Rename,
    /// Makes a file and removes it.
    Unlink,
    /// Starts `/bin/true` and waits for it: fork, exec and exit.
    Exec,
    /// Connects to a listener of its own on 127.0.0.1 and accepts there.
    Connect,
    /// A system call that the sensor does not look at.
    Getppid,
}

impl Load {
    pub(crate) const ALL: &'static [(Self, &'static str, u32)] = &[
        (Self::OpenMuted, "open-muted", 100_000),
        (Self::OpenReported, "open-reported", 100_000),
        (Self::Rename, "rename", 20_000),
        (Self::Unlink, "unlink", 20_000),
        (Self::Exec, "exec", 300),
        (Self::Connect, "tcp-connect", 5_000),
        (Self::Getppid, "getppid", 2_000_000),
    ];

    /// Carries it out in this process. The CPU time of one, in nanoseconds.
    pub(crate) fn run(self, count: u32, folder: &Path) -> Result<f64> {
        let file = folder.join("plain-file");
        let other = folder.join("other-file");
        fs::write(&file, "x")?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let start = spent_ns()?;
        for _ in 0..count {
            match self {
                Self::OpenMuted => drop(fs::File::open(&file)?),
                Self::OpenReported => drop(fs::OpenOptions::new().write(true).open(&file)?),
                Self::Rename => {
                    fs::rename(&file, &other)?;
                    fs::rename(&other, &file)?;
                }
                Self::Unlink => {
                    drop(fs::File::create(&other)?);
                    fs::remove_file(&other)?;
                }
                Self::Exec => drop(Command::new("/bin/true").stdin(Stdio::null()).status()?),
                Self::Connect => {
                    let stream = TcpStream::connect(address)?;
                    drop((listener.accept()?, stream));
                }
                // A raw system call: the C library's getppid is one, too, and nobody keeps its result.
                // SAFETY: it takes no arguments and cannot fail.
                Self::Getppid => drop(std::hint::black_box(unsafe { libc::syscall(libc::SYS_getppid) })),
            }
        }
        Ok((spent_ns()? - start) / f64::from(count))
    }
}

/// The same in a process of its own, so that the load and the one that measures do not share anything.
pub(crate) fn in_child(name: &str, count: u32, folder: &Path) -> Result<f64> {
    let output =
        Command::new(std::env::current_exe()?).args(["--load", name, &count.to_string()]).arg(folder).stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| Error::other(format!("the load {name} did not say what it took: {text:?}, {}", output.status)))
}

/// CPU time of this process and of its children that have ended.
fn spent_ns() -> Result<f64> {
    let own = clock_gettime(ClockId::ProcessCPUTime);
    // SAFETY: all zero is a valid rusage.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is valid for the call.
    if unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) } != 0 {
        return Err(Error::last_os_error());
    }
    let children = [usage.ru_utime, usage.ru_stime].map(|t| t.tv_sec as f64 * 1e9 + t.tv_usec as f64 * 1e3);
    Ok(own.tv_sec as f64 * 1e9 + own.tv_nsec as f64 + children.iter().sum::<f64>())
}
