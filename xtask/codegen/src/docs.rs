//! Reference pages under `docs/` that say the same as a declaration in the code. Pages that explain are written by hand.

use anyhow::{Context as _, Result, bail};
use sensor::{events::field::Field, score};
use sensor_common::EventKind;
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// Writes the pages; with `check` compares them with what is committed and changes nothing.
pub(crate) fn run(check: bool) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).context("not in xtask/codegen")?;
    page(&root.join("docs/fields.md"), &fields()?, check)?;
    page(&root.join("docs/configuration.md"), &sensor::config::reference_markdown(), check)?;
    page(&root.join("docs/rules.md"), &rules(root.join("rules"))?, check)?;
    page(&root.join("docs/replay.svg"), &crate::picture::draw(root)?, check)
}

fn page(path: &Path, new: &str, check: bool) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == new) {
        return Ok(());
    }
    if check {
        bail!("{} is not what the code says: run `cargo xtask codegen` and commit the result", path.display());
    }
    fs::create_dir_all(path.parent().context("a page without a folder")?)?;
    fs::write(path, new).with_context(|| format!("cannot write {}", path.display()))
}

fn fields() -> Result<String> {
    let mut out = String::from(
        "# Events and fields\n\n\
         Generated from the registry of events and the list of fields by `cargo xtask codegen`; do not edit.\n\n\
         ## Events\n\n\
         The number is that on the wire and in recordings; it is never used again for something else. The ring is the class of events that an \
         event may compete with for space, and that it cannot push out of another ring.\n\n\
         | Event | Number | Ring | Meaning |\n|---|---|---|---|\n",
    );
    for kind in EventKind::ALL {
        writeln!(out, "| `{}` | {} | {} | {} |", kind.as_str(), *kind as u16, kind.class().as_str(), cell(kind.doc()))?;
    }
    out.push_str(
        "\n## Fields\n\nNames follow the Elastic Common Schema. Rules may use them beside Sigma's own names; JSON output nests them at the dots.\n\n\
         | Field | Meaning |\n|---|---|\n",
    );
    for field in Field::ALL {
        writeln!(out, "| `{}` | {} |", field.name(), cell(field.doc()))?;
    }
    Ok(out)
}

/// What became of each bundled rule. A broken one is a mistake in this repository.
fn rules(folder: PathBuf) -> Result<String> {
    let report = score::load(&[folder]).report;
    if let Some((rule, _)) = report.broken().next() {
        bail!("a bundled rule is broken: {rule}");
    }
    Ok(score::report_markdown(&report))
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
