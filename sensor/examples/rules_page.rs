//! Prints docs/rules.md for the rules of a folder: `cargo run -p sensor --example rules_page -- rules > docs/rules.md`.
#![allow(clippy::print_stdout, reason = "it is a program for the terminal")]

fn main() {
    let dirs: Vec<std::path::PathBuf> = std::env::args_os().skip(1).map(Into::into).collect();
    print!("{}", sensor::score::report_markdown(&sensor::score::load(&dirs).report));
}
