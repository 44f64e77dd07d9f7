//! `cargo xtask setup`: what the machine needs, why, how to see that it is there, and how it gets there.
//!
//! On Debian and its relatives missing packages are installed with apt; elsewhere the message names what to install. Nothing is
//! installed that is there already, whoever put it there.

use crate::{paths, shell};
use anyhow::{Context as _, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// LLVM's major version must be that of the pinned rustc: bpf-linker reads rustc's bitcode.
const LLVM: &str = "22";
const BPF_LINKER: &str = "0.13.0";

/// What to prepare for.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// What the machine is to be ready for; testing includes building.
    #[arg(long = "for", value_enum, default_value = "build", value_name = "PURPOSE")]
    purpose: Purpose,
}

/// See [`Options`].
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Purpose {
    /// `cargo xtask build` and `run`.
    Build,
    /// `cargo xtask test`: QEMU and what makes guests, as well.
    Test,
}

/// One thing that must be on the machine.
struct Need {
    /// Debian's packages.
    packages: &'static [&'static str],
    /// What it is, for those who do not have Debian.
    what: &'static str,
    /// What breaks without it.
    why: &'static str,
    /// Whether it is there, by looking at the thing itself and not at a package manager.
    present: fn() -> bool,
}

const COMPILER: Need = Need {
    packages: &["build-essential"],
    what: "a C and C++ compiler with the C library's headers and static archive",
    why: "cargo links with it; the fuzzer's engine is C++; guests run static binaries",
    present: || ["cc", "c++"].iter().all(|p| shell::find(p).is_some()) && compiler_has("libc.a") && compiler_has("crt1.o"),
};

/// Needed to build bpf-linker, and the LLVM library to run it.
const LLVM_DEV: Need = Need {
    packages: &["llvm-22-dev", "zlib1g-dev", "libzstd-dev"],
    what: "LLVM 22 with headers (llvm-config), zlib and zstd headers",
    why: "bpf-linker, which turns rustc's output into kernel programs, is built with LLVM of rustc's own major version",
    present: || llvm_prefix().join("bin/llvm-config").is_file() && compiler_has("libz.so") && compiler_has("libzstd.so"),
};

const FOR_TESTS: &[Need] = &[
    Need {
        packages: &["qemu-system-x86"],
        what: "qemu-system-x86_64",
        why: "the kernel tests run on five kernels in emulated guests",
        present: || shell::find("qemu-system-x86_64").is_some(),
    },
    Need { packages: &["cpio"], what: "cpio", why: "packs the guests' root file system", present: || shell::find("cpio").is_some() },
    Need { packages: &["xz-utils"], what: "xz", why: "unpacks kernel modules for the guests", present: || shell::find("xz").is_some() },
    Need {
        packages: &["python3-venv"],
        what: "Python 3 with venv",
        why: "a gRPC client that is not ours reads the sensor's stream",
        present: || {
            Command::new("python3").args(["-c", "import venv, ensurepip"]).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
        },
    },
];

/// The subcommand.
pub(crate) fn run(options: &Options) -> Result<()> {
    ensure(options.purpose)?;
    let for_what = if options.purpose == Purpose::Test { "build and test" } else { "build" };
    println!("==> This machine is ready to {for_what}.");
    Ok(())
}

/// Makes the machine ready; quick and silent if it is.
pub(crate) fn ensure(purpose: Purpose) -> Result<()> {
    let mut missing = Vec::new();
    let linker = linker_is_current();
    let build = [Some(&COMPILER), (!linker).then_some(&LLVM_DEV)];
    let tests = if purpose == Purpose::Test { FOR_TESTS } else { &[] };
    missing.extend(build.into_iter().flatten().chain(tests).filter(|need| !(need.present)()));
    install(&missing)?;
    components(purpose)?;
    if !linker {
        bpf_linker()?;
    }
    if purpose == Purpose::Test {
        crate::vm::kernels::ensure_all()?;
    }
    Ok(())
}

/// Whether the machine can run guests at all; `setup --for test` may have been skipped or refused.
pub(crate) fn can_emulate() -> bool {
    FOR_TESTS.iter().take(3).all(|need| (need.present)())
}

/// Whether a Python with venv is here.
pub(crate) fn has_python() -> bool {
    FOR_TESTS.last().is_some_and(|need| (need.present)())
}

fn install(missing: &[&Need]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().flat_map(|need| need.packages).copied().collect();
    let command = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    shell::step(&format!("Install {}", packages.join(", ")), "missing here:");
    for need in missing {
        println!("    - {}: {}", need.what, need.why);
    }
    if shell::find("apt-get").is_none() {
        bail!("this is not a Debian-like system: please install the things listed above with your package manager, and start again");
    }
    let Some(mut update) = shell::as_root("apt-get") else {
        bail!("this needs root, and sudo is missing or would ask for a password; please run this as root and start again:\n  {command}");
    };
    // An old package list names versions that the mirror no longer has.
    shell::run(update.arg("update").arg("-qq").stdin(Stdio::null()))?;
    let mut apt = shell::as_root("env").context("root was lost")?;
    apt.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq", "--no-install-recommends"]);
    shell::run(apt.args(&packages).stdin(Stdio::null()))
        .with_context(|| format!("please see to it that this works, and start again:\n  {command}"))?;
    if let Some(need) = missing.iter().find(|need| !(need.present)()) {
        bail!("{} is still missing after installing {}", need.what, need.packages.join(", "));
    }
    Ok(())
}

/// Parts of the pinned toolchain, named by a file that each brings. rustup's minimal profile has none of them.
const COMPONENTS: &[(&str, &str, &str, Purpose)] = &[
    (
        "rust-src",
        "lib/rustlib/src/rust/library/core/Cargo.toml",
        "`core` is compiled for the kernel's BPF machine: there is no ready-made one",
        Purpose::Build,
    ),
    ("clippy", "bin/cargo-clippy", "the tests check lints", Purpose::Test),
    ("rustfmt", "bin/cargo-fmt", "the tests check the format", Purpose::Test),
];

fn components(purpose: Purpose) -> Result<()> {
    let sysroot = shell::output(Command::new("rustc").args(["--print", "sysroot"]).current_dir(paths::root()))?;
    for (name, file, why, needed_for) in COMPONENTS {
        if (*needed_for == Purpose::Test && purpose == Purpose::Build) || Path::new(sysroot.trim()).join(file).is_file() {
            continue;
        }
        shell::step(&format!("Add {name} to the pinned toolchain"), why);
        shell::run(Command::new("rustup").args(["component", "add", name]).current_dir(paths::root()))
            .with_context(|| format!("without rustup: install {name} of this very rustc under its sysroot, {}", sysroot.trim()))?;
    }
    Ok(())
}

/// Built once; a stamp says with which versions.
fn bpf_linker() -> Result<()> {
    shell::step(
        &format!("Build bpf-linker {BPF_LINKER} into target/tools (about a minute)"),
        "rustc hands it bitcode, it makes the object that the kernel loads; it is built here so that its LLVM is rustc's",
    );
    let mut cargo = shell::cargo();
    cargo.args(["install", "bpf-linker", "--version", BPF_LINKER, "--locked", "--force", "--quiet"]);
    cargo.args(["--no-default-features", "--features", &format!("llvm-{LLVM}"), "--root"]).arg(paths::at("target/tools"));
    // A target folder set for the project would mix the tool's dependencies with ours.
    shell::run(cargo.env("LLVM_PREFIX", llvm_prefix()).env_remove("CARGO_TARGET_DIR").env_remove("RUSTFLAGS"))?;
    fs::write(stamp(), wanted()).context("cannot write the stamp beside bpf-linker")?;
    Ok(())
}

/// The right version, and its LLVM library is still there.
fn linker_is_current() -> bool {
    let runs = || {
        Command::new(paths::tool("bpf-linker"))
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    };
    fs::read_to_string(stamp()).is_ok_and(|s| s == wanted()) && runs()
}

fn stamp() -> PathBuf {
    paths::at("target/tools/bpf-linker.stamp")
}

fn wanted() -> String {
    format!("bpf-linker {BPF_LINKER} llvm-{LLVM}\n")
}

/// `LLVM_PREFIX` for those who have it elsewhere.
fn llvm_prefix() -> PathBuf {
    std::env::var_os("LLVM_PREFIX").map_or_else(|| PathBuf::from(format!("/usr/lib/llvm-{LLVM}")), PathBuf::from)
}

/// The compiler answers with a full path if its library folders have the file, with the bare name if not.
fn compiler_has(file: &str) -> bool {
    let out = Command::new("cc").arg(format!("-print-file-name={file}")).output();
    out.is_ok_and(|out| Path::new(String::from_utf8_lossy(&out.stdout).trim()).is_absolute())
}
