//! Kernels for the guests: Debian's cloud kernels, fetched with apt into `target/kernels`, never installed.
//!
//! Each suite gets an apt configuration of its own below that folder, so the machine's package lists stay as they are. Only the kernel
//! image, a few modules and the version are kept.

use crate::{paths, shell};
use anyhow::{Context as _, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A kernel series and where Debian has it.
pub(crate) struct Kernel {
    /// `5.10`
    pub(crate) series: &'static str,
    suite: &'static str,
    /// In the security archive, not the main one.
    security: bool,
    /// Words that its command line needs for all hook tiers to work.
    pub(crate) append: &'static str,
}

/// The matrix. 5.10 does not list bpf among its security modules by default: LSM programs would attach and never run.
pub(crate) const ALL: &[Kernel] = &[
    Kernel { series: "5.10", suite: "bullseye-security", security: true, append: "lsm=lockdown,capability,landlock,yama,bpf" },
    Kernel { series: "6.1", suite: "bookworm-security", security: true, append: "" },
    Kernel { series: "6.12", suite: "bookworm-security", security: true, append: "" },
    Kernel { series: "7.2", suite: "sid", security: false, append: "" },
];

/// Modules that guests load: overlay file systems, as containers have them.
const MODULES: &[&str] = &["overlay"];

impl Kernel {
    fn folder(&self) -> PathBuf {
        paths::at("target/kernels").join(self.series)
    }

    /// The kernel image.
    pub(crate) fn image(&self) -> PathBuf {
        self.folder().join("vmlinuz")
    }

    /// Uncompressed modules in the order of loading.
    pub(crate) fn modules(&self) -> Vec<PathBuf> {
        MODULES.iter().map(|m| self.folder().join(format!("{m}.ko"))).filter(|m| m.is_file()).collect()
    }

    /// Full version, or an empty string if it is not here.
    pub(crate) fn version(&self) -> String {
        fs::read_to_string(self.folder().join("version")).unwrap_or_default().trim().to_owned()
    }
}

/// Programs of the guests: package, and file in it. From their packages, which are not installed: they would replace the machine's own.
const PROGRAMS: &[(&str, &str)] = &[
    ("busybox-static", "busybox"),  // the user space
    ("bash-static", "bash-static"), // attacks want its /dev/tcp
];

/// The static programs of the guests.
pub(crate) fn programs() -> impl Iterator<Item = PathBuf> {
    PROGRAMS.iter().map(|(_, file)| paths::at("target/kernels").join(file))
}

/// Fetches what is missing.
pub(crate) fn ensure_all() -> Result<()> {
    if ALL.iter().all(|k| !k.version().is_empty()) && programs().all(|p| p.is_file()) {
        return Ok(());
    }
    if shell::find("apt-get").is_none() || shell::find("dpkg-deb").is_none() {
        bail!("the guests' kernels are fetched with apt-get and dpkg-deb, which this system lacks: use a Debian-like one");
    }
    for kernel in ALL.iter().filter(|k| k.version().is_empty()) {
        shell::step(
            &format!("Fetch Debian's cloud kernel {} from {}", kernel.series, kernel.suite),
            "for the guest in which the kernel tests run; it stays under target/kernels and is not installed",
        );
        fetch(kernel).with_context(|| format!("no kernel {}", kernel.series))?;
    }
    for ((package, file), target) in PROGRAMS.iter().zip(programs()).filter(|(_, target)| !target.is_file()) {
        shell::step(&format!("Fetch {package}"), "for the guests' user space; it stays under target/kernels and is not installed");
        let work = fresh(&paths::at("target/kernels/work").join(package))?;
        download(None, &work, &[(*package).to_owned()])?;
        let found =
            find_file(&work, &|p| p.ends_with(Path::new("bin").join(file))).with_context(|| format!("{package} has no bin/{file}"))?;
        fs::copy(found, target)?;
        fs::remove_dir_all(work)?;
    }
    Ok(())
}

/// Fetches the newest of all.
pub(crate) fn refresh_all() -> Result<()> {
    for kernel in ALL {
        fetch(kernel)?;
    }
    Ok(())
}

fn fetch(kernel: &Kernel) -> Result<()> {
    let apt = Apt::new(kernel)?;
    let (version, packages) = apt.newest(kernel.series)?;
    println!("    newest is {version}");
    let work = fresh(&kernel.folder().with_extension("work"))?;
    download(Some(&apt.config), &work, &packages)?;

    let image = find_file(&work, &|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("vmlinuz")))
        .context("the packages hold no vmlinuz")?;
    let folder = fresh(&kernel.folder())?;
    fs::copy(image, kernel.image())?;
    for module in MODULES {
        let names = [format!("{module}.ko"), format!("{module}.ko.xz")];
        let Some(file) = find_file(&work, &|p| p.file_name().is_some_and(|n| names.iter().any(|m| n == m.as_str()))) else { continue };
        fs::copy(&file, folder.join(file.file_name().unwrap_or_default()))?;
        if file.extension().is_some_and(|e| e == "xz") {
            shell::output(Command::new("xz").arg("-d").arg(folder.join(format!("{module}.ko.xz"))))?;
        }
    }
    fs::remove_dir_all(work)?;
    // Last: its presence says that the rest is complete.
    fs::write(folder.join("version"), version)?;
    Ok(())
}

/// apt with lists and sources of its own.
struct Apt {
    config: PathBuf,
}

impl Apt {
    fn new(kernel: &Kernel) -> Result<Self> {
        let folder = paths::at("target/kernels/apt").join(kernel.suite);
        for part in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(part))?;
        }
        let mirror = mirror(kernel.security);
        let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
        fs::write(folder.join("sources.list"), format!("deb [signed-by={keyring}] {mirror} {} main\n", kernel.suite))?;
        fs::write(folder.join("status"), "")?;
        let config = folder.join("apt.conf");
        let at = folder.display();
        fs::write(
            &config,
            format!(
                "Dir::Etc::sourcelist \"{at}/sources.list\";\nDir::Etc::sourceparts \"/dev/null\";\nDir::Etc::preferencesparts \"/dev/null\";\n\
                 Dir::State::lists \"{at}/lists\";\nDir::State::status \"{at}/status\";\nDir::Cache \"{at}/cache\";\n\
                 APT::Architecture \"amd64\";\nAPT::Architectures {{ \"amd64\"; }};\nAPT::Sandbox::User \"root\";\nAcquire::Languages \"none\";\n"
            ),
        )?;
        let apt = Self { config };
        shell::run(apt.command("apt-get").args(["update", "-qq"]))?;
        Ok(apt)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("-c").arg(&self.config);
        command
    }

    /// Version and packages of the newest cloud kernel of a series; if the suite has moved on, of what there is.
    fn newest(&self, series: &str) -> Result<(String, Vec<String>)> {
        let names = shell::output(self.command("apt-cache").args(["pkgnames", "linux-image-"]))?;
        let mut versions: Vec<&str> = names
            .lines()
            .filter_map(|n| n.strip_prefix("linux-image-")?.strip_suffix("-cloud-amd64"))
            // `6.12.113+deb12`, `6.1.0-56`; not the meta packages `6.12` and ``.
            .filter(|v| v.split('.').count() > 2)
            .collect();
        versions.sort_by_key(|v| numbers(v));
        let of_series = |v: &&&str| v.strip_prefix(series).is_some_and(|rest| rest.starts_with('.'));
        let version = match versions.iter().rev().find(of_series) {
            Some(version) => version,
            None => {
                let newest = versions.last().context("the suite has no cloud kernel")?;
                println!("    the suite has no {series} any more: taking {newest}");
                newest
            }
        };
        // Debian splits the kernels of sid into several packages; before, the image holds all.
        let all = shell::output(self.command("apt-cache").args(["pkgnames", "linux-"]))?;
        let split: Vec<String> = ["binary", "base", "modules"].iter().map(|part| format!("linux-{part}-{version}-cloud-amd64")).collect();
        let is_split = split.iter().all(|package| all.lines().any(|name| name == package));
        let packages = if is_split { split } else { vec![format!("linux-image-{version}-cloud-amd64")] };
        Ok(((*version).to_owned(), packages))
    }
}

/// Downloads packages and unpacks them in `work`.
fn download(config: Option<&Path>, work: &Path, packages: &[String]) -> Result<()> {
    let mut apt = Command::new("apt-get");
    if let Some(config) = config {
        apt.arg("-c").arg(config);
    }
    shell::run(apt.args(["-qq", "-o", "APT::Sandbox::User=root", "download"]).args(packages).current_dir(work))?;
    for entry in fs::read_dir(work)? {
        let file = entry?.path();
        if file.extension().is_some_and(|e| e == "deb") {
            shell::output(Command::new("dpkg-deb").arg("-x").arg(&file).arg(work))?;
        }
    }
    Ok(())
}

/// The archive that the machine's own apt uses; Debian's own if it uses none that is Debian's.
fn mirror(security: bool) -> String {
    let name = if security { "debian-security" } else { "debian" };
    let used = shell::output(Command::new("apt-get").args(["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]));
    let used = used.unwrap_or_default();
    let same = used.lines().map(|uri| uri.trim_end_matches('/')).find(|uri| uri.rsplit('/').next() == Some(name));
    same.map_or_else(|| format!("http://deb.debian.org/{name}"), str::to_owned)
}

/// For sorting versions: their numbers in order.
fn numbers(version: &str) -> Vec<u64> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect()
}

fn fresh(folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    Ok(folder.to_path_buf())
}

fn find_file(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    entries.flatten().map(|e| e.path()).find_map(|path| {
        let folder = path.is_dir() && !path.is_symlink();
        if folder { find_file(&path, wanted) } else { (path.is_file() && wanted(&path)).then_some(path) }
    })
}
