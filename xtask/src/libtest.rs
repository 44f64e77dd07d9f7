//! Reads what Rust's test programs print.

use crate::summary::Group;

/// Adds the tests of all test programs whose output is in `text`.
///
/// The name and its result may stand on different lines if the test printed something in between, so failures are counted by the
/// `test result:` lines and named by the list above them.
pub(crate) fn parse(text: &str, group: &mut Group) {
    let mut names = Vec::new();
    for line in text.lines().map(|l| l.trim_end_matches('\r')) {
        if let Some((name, reason)) = ignored(line) {
            group.skipped.push((name.to_owned(), reason.to_owned()));
        } else if let Some(result) = line.strip_prefix("test result: ") {
            group.passed += number_before(result, "passed");
            let failed = number_before(result, "failed");
            names.resize(failed, "a test that printed no name".to_owned());
            group.failed.append(&mut names);
        } else if let Some(name) = line.strip_prefix("    ").filter(|l| !l.starts_with(' ') && !l.is_empty()) {
            // The list under `failures:`; stderr of a failed test is not indented.
            names.push(name.to_owned());
        } else if line == "failures:" {
            names.clear();
        }
    }
}

/// `test a::b ... ignored, reason`
fn ignored(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix("test ")?.split_once(" ... ignored")?;
    let reason = rest.trim_start_matches(", ");
    Some((name, if reason.is_empty() { "marked as ignored" } else { reason }))
}

/// The number in `5 passed; 0 failed; ...` before a word.
fn number_before(result: &str, word: &str) -> usize {
    let part = result.split([';', '.']).map(str::trim).find_map(|part| part.strip_suffix(word));
    part.and_then(|n| n.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "
running 4 tests
test a::one ... ok
test a::two ... ignored, needs fentry
test b ... some output
FAILED
test c ... FAILED

failures:

---- b stdout ----
thread 'b' panicked at x.rs:1:
    an indented line

---- c stdout ----
boom

failures:
    b
    c

test result: FAILED. 1 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    #[test]
    fn results_are_counted_and_named() {
        let mut group = Group::new("x");
        parse(&format!("{OUTPUT}\ntest result: ok. 7 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out"), &mut group);
        assert_eq!((group.passed, &group.failed), (8, &vec!["b".to_owned(), "c".to_owned()]));
        assert_eq!(group.skipped, [("a::two".to_owned(), "needs fentry".to_owned())]);
    }

    #[test]
    fn a_failure_without_a_name_still_counts() {
        let mut group = Group::new("x");
        parse("test result: FAILED. 0 passed; 1 failed; 0 ignored", &mut group);
        assert_eq!(group.failed.len(), 1);
    }
}
