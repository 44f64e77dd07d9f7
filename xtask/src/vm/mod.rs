//! `cargo xtask vm`: the kernel tests in small guests, each with another kernel of Debian's.
//!
//! A guest is a kernel and an initramfs that holds a static busybox, the static test program, the sensor and its rules. It has no disk
//! and no network, runs the tests, prints their results on its serial console and switches itself off.

mod guest;
pub(crate) mod kernels;

use crate::{
    build, paths, setup, shell,
    summary::{self, Group, timed},
    test,
};
use anyhow::Result;
use kernels::Kernel;
use std::{path::PathBuf, sync::Mutex};

/// The test target of `sensor-tests` that needs a kernel.
pub(crate) const TEST_TARGET: &str = "kernel";
const HOST: &str = "x86_64-unknown-linux-gnu";
/// Guests that run at the same time; each has two virtual CPUs and 1 GB.
const AT_ONCE: usize = 2;

/// Which guests, and how.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only the guests whose kernel series this is, such as 5.10; may be given several times.
    #[arg(long, value_name = "SERIES")]
    kernel: Vec<String>,
    /// Words for the kernel's command line, such as preempt=full; then each kernel runs once, with them.
    #[arg(long, value_name = "WORDS")]
    append: Option<String>,
    /// Keep the initramfs and print the command that starts the guest.
    #[arg(long)]
    keep: bool,
    /// Fetch the newest kernels even if some are here.
    #[arg(long)]
    refresh: bool,
    /// Arguments of the test program: a filter, --nocapture, ...
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// One run of the matrix.
struct Run {
    kernel: &'static Kernel,
    append: String,
}

impl Run {
    fn name(&self) -> String {
        format!("vm {} {}", self.kernel.series, self.append).trim().to_owned()
    }
}

/// Everything that goes into a guest, whatever its kernel.
struct Payload {
    test: PathBuf,
    sensor: PathBuf,
    arguments: Vec<String>,
    keep: bool,
}

/// The subcommand.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::ensure(setup::Purpose::Test)?;
    if options.refresh {
        kernels::refresh_all()?;
    }
    build::kernel_programs()?;
    let runs: Vec<Run> = match &options.append {
        Some(append) => kernels::ALL.iter().map(|kernel| Run { kernel, append: append.clone() }).collect(),
        None => runs(),
    };
    let runs = runs.into_iter().filter(|r| options.kernel.is_empty() || options.kernel.iter().any(|k| k == r.kernel.series)).collect();
    let payload = payload(&options.arguments, options.keep)?;
    summary::print(&start(runs, &payload))
}

/// All guests, for `cargo xtask test`.
pub(crate) fn matrix(arguments: &[String]) -> Vec<Group> {
    if !setup::can_emulate() {
        return vec![Group::skip("vm", "QEMU and what makes a guest are missing: cargo xtask setup --for test")];
    }
    match payload(arguments, false) {
        Ok(payload) => start(runs(), &payload),
        Err(error) => vec![test::failed("vm", &error)],
    }
}

/// Every kernel as Debian configures it, and 6.12 fully preemptible: that changes which programs the kernel silently skips.
fn runs() -> Vec<Run> {
    let plain = kernels::ALL.iter().map(|kernel| Run { kernel, append: String::new() });
    let preemptible = kernels::ALL.iter().filter(|k| k.series == "6.12").map(|kernel| Run { kernel, append: "preempt=full".to_owned() });
    plain.chain(preemptible).collect()
}

/// Static programs: the guest has no C library. Their own target folder, so that they do not drive out the host's.
fn payload(arguments: &[String], keep: bool) -> Result<Payload> {
    shell::step("Build the tests and the sensor as static programs", "guests have no C library");
    let cargo = |words: &[&str]| {
        let mut cargo = shell::cargo();
        cargo.args(words).args(["--target", HOST, "--target-dir"]).arg(paths::at("target/guest"));
        // Emulated CPUs are slow: a little optimisation pays, debug information only fills the guest's memory.
        cargo.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1").env("CARGO_PROFILE_DEV_DEBUG", "none").env("CARGO_PROFILE_DEV_STRIP", "debuginfo");
        cargo.env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static").env_remove("RUSTFLAGS");
        cargo
    };
    let test = build::executable(&mut cargo(&["test", "--no-run", "--package", "sensor-tests", "--test", TEST_TARGET]), TEST_TARGET)?;
    let sensor = build::executable(&mut cargo(&["build", "--package", "sensor", "--bin", "sensor"]), "sensor")?;
    Ok(Payload { test, sensor, arguments: arguments.to_vec(), keep })
}

fn start(runs: Vec<Run>, payload: &Payload) -> Vec<Group> {
    let order: Vec<String> = runs.iter().map(Run::name).collect();
    let (todo, done) = (Mutex::new(runs.into_iter()), Mutex::new(Vec::new()));
    // Neither lock is held while a guest runs, so no panic can poison them.
    let next = || todo.lock().ok().and_then(|mut runs| runs.next());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(run) = next() {
                    let name = run.name();
                    println!("    {name}: starting");
                    let group = timed(|| guest::run(&run, payload).unwrap_or_else(|error| test::failed(&name, &error)));
                    println!("    {}", group.line());
                    if let Ok(mut done) = done.lock() {
                        done.push(group);
                    }
                }
            });
        }
    });
    let mut groups = done.into_inner().unwrap_or_default();
    groups.sort_by_key(|g: &Group| order.iter().position(|name| *name == g.name));
    groups
}
