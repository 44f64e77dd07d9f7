//! The sensor itself in a process of its own: started, waited for, looked at from outside, stopped.

use anyhow::{Context as _, Result, bail};
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
    time::{Duration, Instant},
};

/// How to start it.
#[derive(Clone, Debug)]
pub(crate) struct Sensor {
    pub(crate) binary: PathBuf,
    pub(crate) rules: Vec<PathBuf>,
}

/// A running one. Ends it when dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    stderr: BufReader<ChildStderr>,
    /// From the start of the process to its report that it is ready.
    pub(crate) ready: Duration,
    pub(crate) started: Instant,
}

impl Sensor {
    /// Starts it and waits until it says that it is ready.
    pub(crate) fn start(&self, more: &[&str], stdout: Stdio) -> Result<Running> {
        let mut command = Command::new(&self.binary);
        command.arg("run").args(more).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
        for rules in &self.rules {
            command.arg("--rules").arg(rules);
        }
        let started = Instant::now();
        let mut child = command.spawn().with_context(|| format!("cannot start {}", self.binary.display()))?;
        let mut stderr = BufReader::new(child.stderr.take().context("no standard error")?);
        let mut said = String::new();
        while !said.contains(" is ready ") {
            if stderr.read_line(&mut said)? == 0 {
                bail!("the sensor has ended: {said}");
            }
        }
        Ok(Running { child, stderr, ready: started.elapsed(), started })
    }
}

/// Sizes in KiB, from /proc.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) resident: u64,
    /// Of these: pages of the kernel's ring buffers and other maps, which are mapped here.
    pub(crate) rings: u64,
    /// Of these: heap and stacks.
    pub(crate) anonymous: u64,
    /// Most that was resident at once.
    pub(crate) peak: u64,
}

impl Running {
    /// What it takes now.
    pub(crate) fn memory(&self) -> Result<Memory> {
        let proc = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = fs::read_to_string(proc.join("status"))?;
        let of = |key: &str| status.lines().find_map(|l| kib(l.strip_prefix(key)?)).unwrap_or(0);
        let mut rings = 0;
        let mut in_ring = false;
        for line in fs::read_to_string(proc.join("smaps"))?.lines() {
            if let Some(size) = line.strip_prefix("Rss:") {
                rings += if in_ring { kib(size).unwrap_or(0) } else { 0 };
            } else if line.split(' ').next().is_some_and(|first| first.contains('-')) {
                in_ring = line.contains("bpf-map");
            }
        }
        Ok(Memory { resident: of("VmRSS:"), rings, anonymous: of("RssAnon:"), peak: of("VmHWM:") })
    }

    /// CPU time of all its threads that still run.
    pub(crate) fn spent(&self) -> Result<Duration> {
        let mut sum = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            sum += text.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(sum))
    }

    /// Asks it to stop; its last report.
    pub(crate) fn stop(mut self) -> Result<String> {
        let pid = i32::try_from(self.child.id()).context("pids are positive")?;
        // SAFETY: our own child, which has not been waited for.
        unsafe { libc::kill(pid, libc::SIGTERM) };
        let mut report = String::new();
        self.stderr.read_to_string(&mut report)?;
        self.child.wait()?;
        Ok(report)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, unless something went wrong here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn kib(text: &str) -> Option<u64> {
    text.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// A folder for the load, gone when the value goes.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("sensor-bench-{}", std::process::id()));
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
