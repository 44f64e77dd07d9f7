//! Rules of this repository that no compiler knows.

use crate::{paths, shell};
use anyhow::{Result, bail};
use std::{fs, path::Path, process::Command};

/// Where an event has a file of its stem, and which events need none there.
const PLACES: &[(&str, &[&str])] = &[
    ("sensor-common/src/events", &[]),
    // `loss` is made by the collector from the kernel's counters.
    ("sensor-ebpf/src/probes", &["loss"]),
    ("sensor/src/events", &[]),
    ("tests/kernel", &[]),
];

/// Folders whose texts are not ours, or are recorded from real machines.
const FOREIGN: &[&str] = &["rules/", "tests/replay/", "tests/fuzz/corpus/"];

/// Every Rust file opens with `//!`.
pub(crate) fn headers() -> Result<()> {
    let bad = files()?.into_iter().filter(|f| f.ends_with(".rs")).filter(|f| {
        let text = fs::read_to_string(paths::at(f)).unwrap_or_default();
        // Generated code carries its generator's first line instead.
        !text.starts_with("//!") && !text.starts_with("// Generated from ")
    });
    report(bad.collect(), "does not open with `//!`: its purpose and what it does not do")
}

/// Every event of the registry has its file in each place.
pub(crate) fn registry() -> Result<()> {
    let registry = fs::read_to_string(paths::at("sensor-common/src/events/mod.rs"))?;
    let stems: Vec<&str> = registry.lines().filter_map(stem).collect();
    if stems.is_empty() {
        bail!("no event found in sensor-common/src/events/mod.rs: did the registry change its form?");
    }
    let missing = PLACES.iter().flat_map(|(folder, without)| {
        stems.iter().filter(|s| !without.contains(s)).map(move |stem| format!("{folder}/{stem}.rs")).filter(|f| !paths::at(f).is_file())
    });
    report(missing.collect(), "is missing: an event has a file of its name in each place")
}

/// `16 connect Connect Network, "...";`
fn stem(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    words.next()?.parse::<u16>().ok()?;
    let stem = words.next()?;
    (words.next()?.starts_with(char::is_uppercase) && words.next()?.ends_with(',')).then_some(stem)
}

/// Where somebody built it is nobody's business, and breaks for everybody else.
pub(crate) fn machine_paths() -> Result<()> {
    let root = paths::root();
    let mut words: Vec<String> = ["/.cargo/", "/.rustup/"].iter().map(|d| format!("/root{d}")).collect();
    let own = std::env::var("HOME").ok().filter(|home| home.len() > 1 && home != "/root").map(|home| format!("{home}/"));
    words.extend(own);
    // The folder above as well, where it is somebody's own and not a common one such as /home or /tmp.
    let common = ["", "home", "tmp", "root", "src", "opt", "mnt", "build", "var"];
    for folder in [Some(root.as_path()), root.parent()].into_iter().flatten() {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        if !common.contains(&&*name) {
            words.push(format!("{}/", folder.display()));
        }
    }
    let mut bad = Vec::new();
    for file in files()?.into_iter().filter(|f| !FOREIGN.iter().any(|folder| f.starts_with(folder))) {
        let Ok(text) = fs::read_to_string(paths::at(&file)) else { continue };
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(*word)) {
                bad.push(format!("{file}:{}: {word}", number + 1));
            }
        }
    }
    report(bad, "a path of one machine")
}

/// There is one, and it knows this version or what is to come.
pub(crate) fn change_log() -> Result<()> {
    let text = fs::read_to_string(paths::at("CHANGELOG.md")).unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    if text.contains("## Unreleased") || text.contains(&format!("## {version}")) {
        return Ok(());
    }
    bail!("CHANGELOG.md has neither `## Unreleased` nor `## {version}`")
}

/// What git knows or would add, relative to the top folder.
fn files() -> Result<Vec<String>> {
    let out =
        shell::output(Command::new("git").args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(paths::root()))?;
    Ok(out.lines().filter(|f| Path::new(&paths::at(f)).is_file()).map(str::to_owned).collect())
}

fn report(bad: Vec<String>, what: &str) -> Result<()> {
    if bad.is_empty() {
        return Ok(());
    }
    for file in &bad {
        println!("            {file}: {what}");
    }
    bail!("{} found, printed above", bad.len())
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn only_registry_lines_name_an_event() {
        assert_eq!(stem(r#"            16 connect Connect Network, "A socket was connected.";"#), Some("connect"));
        for line in ["", "pub mod connect;", "//! 16 events in one list", "            1 exec Exec"] {
            assert_eq!(stem(line), None, "{line}");
        }
    }
}
