//! What this kernel offers to a sensor, found by looking, not by version numbers.

use serde::Serialize;
use std::{fs, path::Path};

/// Kernel features that decide which hooks are used.
#[derive(Clone, Debug, Serialize)]
pub struct Features {
    /// `uname -r`
    pub release: String,
    /// `uname -m`
    pub machine: String,
    /// The kernel describes its types (`/sys/kernel/btf/vmlinux`).
    pub btf: bool,
    /// Kprobes can be attached through perf.
    pub kprobes: bool,
    /// System call tracepoints exist; `None` if tracefs cannot be seen.
    pub syscall_tracepoints: Option<bool>,
    /// Active security modules; empty if securityfs cannot be seen.
    pub security_modules: Vec<String>,
    /// `bpf` is among them: LSM programs would run.
    pub bpf_lsm: bool,
    /// Where the cgroup v2 hierarchy is mounted.
    pub cgroup2: Option<String>,
    /// Preemption: `none`, `voluntary`, `full`, `lazy`, or empty if the kernel does not say. With `full` and `lazy` tracepoint
    /// programs can be skipped under load.
    pub preemption: String,
    /// Kernel lockdown: `none`, `integrity` or `confidentiality` (which forbids reading kernel memory), empty if there is none.
    pub lockdown: String,
    /// The login user is known (CONFIG_AUDIT).
    pub login_uid: bool,
}

impl Features {
    /// Looks at the running kernel. Reads files only; attaches nothing.
    pub fn detect() -> Self {
        let uname = rustix::system::uname();
        let modules = read("/sys/kernel/security/lsm");
        let security_modules: Vec<String> = modules.split(',').filter(|s| !s.is_empty()).map(str::to_owned).collect();
        Self {
            release: uname.release().to_string_lossy().into_owned(),
            machine: uname.machine().to_string_lossy().into_owned(),
            btf: Path::new("/sys/kernel/btf/vmlinux").exists(),
            kprobes: Path::new("/sys/bus/event_source/devices/kprobe/type").exists(),
            syscall_tracepoints: ["/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events"]
                .iter()
                .find(|d| Path::new(d).is_dir())
                .map(|d| Path::new(d).join("syscalls/sys_exit_openat").is_dir()),
            bpf_lsm: security_modules.iter().any(|m| m == "bpf"),
            security_modules,
            cgroup2: super::environment::cgroup2_root().map(|p| p.display().to_string()),
            preemption: preemption(&uname.version().to_string_lossy()),
            lockdown: chosen(&read("/sys/kernel/security/lockdown")),
            login_uid: Path::new("/proc/self/loginuid").exists(),
        }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// The word in brackets of `none [integrity] confidentiality`.
fn chosen(text: &str) -> String {
    text.split(['[', ']']).nth(1).unwrap_or_default().to_owned()
}

/// From debugfs where it is mounted, otherwise from `uname -v` and the command line, which name it when it differs from the default.
fn preemption(version: &str) -> String {
    let text = read("/sys/kernel/debug/sched/preempt");
    let now = text.split(['(', ')']).nth(1).unwrap_or_default();
    if !now.is_empty() {
        return now.to_owned();
    }
    if let Some(mode) = read("/proc/cmdline").split(' ').rev().find_map(|a| a.strip_prefix("preempt=")) {
        return mode.to_owned();
    }
    match version {
        v if v.contains("PREEMPT_RT") => "full",
        v if v.contains("PREEMPT_LAZY") => "lazy",
        v if v.contains("PREEMPT_DYNAMIC") => "", // the default of the build: not to be seen from here
        v if v.contains("PREEMPT") => "full",
        _ => "none or voluntary",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_in_brackets_is_chosen() {
        assert_eq!(chosen("none [integrity] confidentiality"), "integrity");
        assert_eq!(chosen(""), "");
    }
}
