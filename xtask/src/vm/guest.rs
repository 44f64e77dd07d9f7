//! One guest: its initramfs, its QEMU, its verdict.

use super::{Payload, Run, kernels};
use crate::{paths, shell, summary::Group, test};
use anyhow::{Context as _, Result};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Far above what a guest needs: one that hangs must not hold up everything.
const TIME_LIMIT: Duration = Duration::from_secs(300);
/// The last line that `init` prints, with the exit code of the tests.
const END: &str = "guest: tests ended with ";

/// Runs the tests in a guest.
pub(crate) fn run(run: &Run, payload: &Payload) -> Result<Group> {
    let name = run.name();
    let log = test::log_of(&name);
    let initramfs = paths::at("target/guest").join(format!("{}.cpio", name.replace([' ', '='], "-")));
    pack(run, payload, &initramfs)?;
    let mut qemu = qemu(run, &initramfs);
    let ended = boot(&mut qemu, &log)?;
    if payload.keep {
        println!("    {name}: {}", shell::line(&qemu));
    } else {
        fs::remove_file(&initramfs)?;
    }
    let text = fs::read(&log)?;
    let text = String::from_utf8_lossy(&text);
    let code = text.lines().find_map(|line| line.trim_end().strip_prefix(END));
    // Without a code the message below says what failed.
    let mut group = Group::from_log(&name, &log, code.is_none_or(|code| code == "0"));
    if code.is_none() {
        let what = if ended { "the guest stopped before the tests ended" } else { "the guest hung and was switched off" };
        group.skipped.clear();
        group.failed.push(format!("{what} (kernel {})", run.kernel.version()));
    }
    Ok(group)
}

/// Boots and waits until the guest switches itself off. False if it had to be stopped.
fn boot(qemu: &mut Command, log: &Path) -> Result<bool> {
    let file = shell::create(log)?;
    let mut child = qemu.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn().context("cannot start QEMU")?;
    let start = Instant::now();
    loop {
        if child.try_wait()?.is_some() {
            return Ok(true);
        }
        if start.elapsed() > TIME_LIMIT {
            child.kill()?;
            child.wait()?;
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn qemu(run: &Run, initramfs: &Path) -> Command {
    let mut qemu = Command::new(shell::find("qemu-system-x86_64").unwrap_or_else(|| "qemu-system-x86_64".into()));
    // Emulation works everywhere and the same everywhere; /dev/kvm inside a virtual machine often does not.
    qemu.args(["-accel", "tcg,thread=multi"]);
    qemu.args(["-cpu", "max", "-smp", "2", "-m", "1G", "-nic", "none", "-nographic", "-no-reboot"]);
    let words = format!("console=ttyS0 quiet panic=-1 {} {}", run.kernel.append, run.append);
    qemu.arg("-kernel").arg(run.kernel.image()).arg("-initrd").arg(initramfs).args(["-append", words.trim()]);
    qemu
}

/// `/init`, busybox, the test program, the sensor, its rules, modules, and the few files of `/etc` that tests look at.
fn pack(run: &Run, payload: &Payload, initramfs: &Path) -> Result<()> {
    let root = initramfs.with_extension("root");
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    for folder in ["bin", "dev", "etc/cron.d", "home/user", "modules", "proc", "root", "run", "sensor", "sys", "tmp", "var/tmp"] {
        fs::create_dir_all(root.join(folder))?;
    }
    for program in kernels::programs() {
        let name = program.file_name().context("a program")?.to_string_lossy().replace("-static", "");
        executable(&program, &root.join("bin").join(name))?;
    }
    executable(&payload.test, &root.join("sensor/test"))?;
    executable(&payload.sensor, &root.join("sensor/sensor"))?;
    executable(&paths::at("tests/vm/init"), &root.join("init"))?;
    // In the order of loading: the shell expands names alphabetically.
    for (n, module) in run.kernel.modules().iter().enumerate() {
        fs::copy(module, root.join(format!("modules/{n:02}.ko")))?;
    }
    for file in ["passwd", "shadow", "group"] {
        fs::copy(paths::at("tests/vm/etc").join(file), root.join("etc").join(file))?;
    }
    fs::set_permissions(root.join("etc/shadow"), fs::Permissions::from_mode(0o640))?;
    copy_tree(&paths::at("rules"), &root.join("sensor/rules"))?;
    fs::write(root.join("sensor/arguments"), payload.arguments.join("\n"))?;

    let mut find = Command::new("sh");
    find.args(["-c", "find . | cpio --quiet --owner=0:0 -o -H newc > \"$0\""]).arg(initramfs);
    shell::output(find.current_dir(&root))?;
    fs::remove_dir_all(&root)?;
    Ok(())
}

fn executable(from: &Path, to: &PathBuf) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {}", paths::show(from)))?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() { copy_tree(&entry.path(), &target)? } else { fs::copy(entry.path(), target).map(drop)? }
    }
    Ok(())
}
