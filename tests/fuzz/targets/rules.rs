//! Any text as a rule file: it is loaded, refused or reported as not applicable, and never ends the sensor.
//!
//! What a rule then finds is not looked at here.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sensor::score::{Options, load_texts};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let loaded = load_texts(&[("rule.yml", &text)], Options::default());
    // What a user would be told about it.
    for rule in &loaded.report.rules {
        std::hint::black_box(rule.to_string());
    }
});
