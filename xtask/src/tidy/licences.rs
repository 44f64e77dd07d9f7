//! Licences of everything that is linked in: each must be on the list in `deny.toml`, and nothing on the list may be unused.
//!
//! `cargo deny`, which reads the same file, also checks advisories and sources; it needs the network and runs in the public CI.

use super::workspaces;
use crate::{paths, shell};
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Fails with every package whose licence is not allowed, and every allowed licence that no package has.
pub(crate) fn check() -> Result<()> {
    let allowed = allowed()?;
    let mut used = BTreeSet::new();
    let mut problems = Vec::new();
    for (package, licence) in packages()? {
        let Some(expression) = licence.as_deref().and_then(|l| spdx::Expression::parse_mode(l, spdx::ParseMode::LAX).ok()) else {
            problems.push(format!("{package}: its licence cannot be read: {}", licence.as_deref().unwrap_or("none given")));
            continue;
        };
        used.extend(expression.requirements().map(|r| r.req.to_string()));
        if !expression.evaluate(|requirement| allowed.contains(&requirement.to_string())) {
            problems.push(format!("{package}: {expression} is not allowed by deny.toml"));
        }
    }
    problems.extend(allowed.difference(&used).map(|licence| format!("deny.toml allows {licence}, which no dependency has")));
    if problems.is_empty() { Ok(()) } else { bail!("{}", problems.join("\n")) }
}

/// A line per package with its licence, for those who get the binary.
pub(crate) fn list() -> Result<String> {
    let line = |(package, licence): (String, Option<String>)| format!("{package}: {}\n", licence.unwrap_or_default());
    Ok(packages()?.into_iter().map(line).collect())
}

fn allowed() -> Result<BTreeSet<String>> {
    let text = std::fs::read_to_string(paths::at("deny.toml")).context("cannot read deny.toml")?;
    let deny: toml::Table = text.parse().context("deny.toml")?;
    let list = deny.get("licenses").and_then(|l| l.get("allow")).and_then(|a| a.as_array()).context("deny.toml has no licenses.allow")?;
    Ok(list.iter().filter_map(|l| l.as_str().map(str::to_owned)).collect())
}

/// Name and version with licence, of all packages that are not ours.
fn packages() -> Result<BTreeMap<String, Option<String>>> {
    let mut packages = BTreeMap::new();
    for folder in workspaces() {
        let mut cargo = shell::cargo();
        cargo.current_dir(&folder).args(["metadata", "--format-version=1", "--filter-platform=x86_64-unknown-linux-gnu"]);
        let metadata: Value = serde_json::from_str(&shell::output(&mut cargo)?).context("cargo metadata")?;
        // Without `resolve`, packages for other platforms would be among them.
        let nodes = metadata["resolve"]["nodes"].as_array().into_iter().flatten();
        let linked: BTreeSet<&str> = nodes.filter_map(|n| n["id"].as_str()).collect();
        for package in metadata["packages"].as_array().into_iter().flatten() {
            let ours = package["source"].is_null();
            if !ours && package["id"].as_str().is_some_and(|id| linked.contains(id)) {
                let word = |key: &str| package[key].as_str().unwrap_or_default();
                packages.insert(format!("{} {}", word("name"), word("version")), package["license"].as_str().map(str::to_owned));
            }
        }
    }
    Ok(packages)
}
