//! docs/configuration.md, made from the declaration of the settings.

use super::{DEFAULT_FILE, schema::Config};
use std::fmt::Write;

/// The whole page: `cargo xtask codegen` writes it.
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
    fn the_defaults_as_a_file_are_the_defaults() {
        let page = reference_markdown();
        let file = page.split("```toml\n").nth(1).unwrap().trim_end_matches("```\n");
        assert_eq!(Config::parse(file), Ok(Config::default()));
    }
}
