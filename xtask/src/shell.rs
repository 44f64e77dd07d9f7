//! Runs other programs and tells the user about it. Does not interpret what they print.

use anyhow::{Context as _, Result, bail};
use std::{
    ffi::OsStr,
    fs::{self, File},
    io::IsTerminal as _,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

/// Announces a step: what, and why.
pub(crate) fn step(what: &str, why: &str) {
    if why.is_empty() { println!("==> {what}") } else { println!("==> {what}\n    {why}") }
}

/// The cargo that runs us: the pinned toolchain's.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(crate::paths::root());
    command
}

/// The command as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let word = |s: &OsStr| {
        let s = s.to_string_lossy();
        if !s.is_empty() && s.chars().all(|c| c.is_ascii_alphanumeric() || "-_=./:+,@%".contains(c)) {
            s.into_owned()
        } else {
            format!("'{}'", s.replace('\'', r"'\''"))
        }
    };
    let program = Path::new(command.get_program());
    // The toolchain's cargo has a long path that says nothing.
    let program = if program.is_absolute() { program.file_name().unwrap_or(command.get_program()) } else { command.get_program() };
    std::iter::once(program).chain(command.get_args()).map(word).collect::<Vec<_>>().join(" ")
}

/// Runs in the foreground; an exit code other than 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("    $ {}", line(command));
    let status = status(command)?;
    check(command, status)
}

/// Runs silently and returns what it prints; an exit code other than 0 is an error that carries what it said.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let out = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{}`", line(command)))?;
    if !out.status.success() {
        bail!("`{}` failed ({}): {}", line(command), out.status, String::from_utf8_lossy(&out.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// Runs with everything it prints going to a file; whether it went well is for the caller to say.
pub(crate) fn logged(command: &mut Command, log: &Path) -> Result<ExitStatus> {
    let file = create(log)?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    status(command)
}

/// Creates a file and the folders above it.
pub(crate) fn create(path: &Path) -> Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    }
    File::create(path).with_context(|| format!("cannot write {}", path.display()))
}

/// Finds a program on `PATH`, or in the folders of administration programs, which are not on everybody's.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Whether we are root.
pub(crate) fn is_root() -> bool {
    // The owner of our own entry in /proc is the effective user.
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0)
}

/// The program to be run as root: through sudo if we are not. `None` if there is no way.
///
/// Without a terminal sudo must not ask: `sudo -n` then fails at once.
pub(crate) fn as_root(program: impl AsRef<OsStr>) -> Option<Command> {
    if is_root() {
        return Some(Command::new(program));
    }
    let mut sudo = Command::new(find("sudo")?);
    if !std::io::stdin().is_terminal() {
        if !Command::new("sudo").args(["-n", "true"]).stderr(Stdio::null()).status().is_ok_and(|s| s.success()) {
            return None;
        }
        sudo.arg("-n");
    }
    sudo.arg("-E").arg("--").arg(program);
    Some(sudo)
}

fn status(command: &mut Command) -> Result<ExitStatus> {
    command.status().with_context(|| format!("cannot start `{}`", line(command)))
}

fn check(command: &Command, status: ExitStatus) -> Result<()> {
    if status.success() { Ok(()) } else { bail!("`{}` failed ({status})", line(command)) }
}
