//! The recorded Atomic Red Team tests through the bundled SigmaHQ rules: exactly the rules that an independent evaluator found.

mod recorded;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Where this sensor is right to differ: test, rule, found by us, and why.
const DIFFERENCES: &[(&str, &str, bool, &str)] = &[(
    "T1489#7",
    "proc_creation_lnx_susp_running_process_discovery",
    true,
    "pkill is a symbolic link to pgrep: the resolved path is that of pgrep, which the rule names; the other evaluator looked at pkill only",
)];

#[test]
fn the_recorded_attacks_are_found_by_the_rules_that_should() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("rules/sigma");
    let mut loaded = sensor::score::load(&[rules]);
    let expected: BTreeMap<String, BTreeSet<String>> =
        serde_json::from_str(&std::fs::read_to_string(recorded::data().join("atomics.expected.json")).expect("expected")).expect("JSON");
    let mut wrong = Vec::new();
    let recorded = recorded::all();
    assert_eq!(recorded.len(), expected.len());
    for test in &recorded {
        let mut found = BTreeSet::new();
        for (_, event) in &test.events {
            for rule in loaded.engine.matching_rules(event) {
                let name = rule.source.rsplit('/').next().expect("a name").trim_end_matches(".yml").to_owned();
                found.insert(name);
            }
        }
        let wanted = &expected[&test.test];
        for rule in found.symmetric_difference(wanted) {
            let ours = found.contains(rule);
            if !DIFFERENCES.iter().any(|(t, r, o, _)| *t == test.test && r == rule && *o == ours) {
                wrong.push(format!("{} {rule} {}", test.test, if ours { "found, not expected" } else { "expected, not found" }));
            }
        }
        for (_, rule, ours, why) in DIFFERENCES.iter().filter(|(t, ..)| *t == test.test) {
            assert_eq!((found.contains(*rule), wanted.contains(*rule)), (*ours, !ours), "no difference any more: {rule}: {why}");
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "{} differences", wrong.len());
}
