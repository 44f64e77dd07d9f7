//! docs/configuration.md, made from the declaration of the settings.

use super::{DEFAULT_FILE, schema::Config};
use std::fmt::Write;

/// The whole page. A test compares it with the committed file; `SENSOR_WRITE_DOCS=1 cargo test -p sensor config` writes that anew.
pub fn reference_markdown() -> String {
    let mut out = String::from("# Configuration\n\n");
    // Writing into a string cannot fail.
    let _ = writeln!(
        out,
        "Made from `sensor/src/config/schema.rs`; do not edit.\n\n\
         A TOML file, `{DEFAULT_FILE}` unless `--config FILE` names another. All settings have defaults, so that the file may be missing.\n\
         Flags of the command line win. Problems are all reported at once, and the sensor does not start with a file that has any."
    );
    let mut section = "";
    for entry in Config::entries() {
        if entry.section != section {
            section = entry.section;
            let _ =
                writeln!(out, "\n## `[{section}]`\n\n{}\n\n| key | default | accepts | meaning |\n|---|---|---|---|", entry.section_doc);
        }
        let _ = writeln!(out, "| `{}` | `{}` | {} | {} |", entry.key, entry.default, entry.accepts, entry.doc);
    }
    out.push_str("\n## All defaults as a file\n\n```toml\n");
    section = "";
    for entry in Config::entries() {
        if entry.section != section {
            section = entry.section;
            let _ = writeln!(out, "[{section}]");
        }
        let _ = writeln!(out, "{} = {}", entry.key, entry.default);
    }
    out.push_str("```\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_page_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
        if std::env::var_os("SENSOR_WRITE_DOCS").is_some() {
            std::fs::write(path, reference_markdown()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == reference_markdown(), "{path} is not current: run SENSOR_WRITE_DOCS=1 cargo test -p sensor --lib config");
    }

    #[test]
    fn the_defaults_as_a_file_are_the_defaults() {
        let page = reference_markdown();
        let file = page.split("```toml\n").nth(1).unwrap().trim_end_matches("```\n");
        assert_eq!(Config::parse(file), Ok(Config::default()));
    }
}
