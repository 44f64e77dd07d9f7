//! Which strings a regular expression cannot match without. They gate it: only strings that contain one of them are tried.

use regex_syntax::hir::{Class, Hir, HirKind};

/// A literal shorter than this is in too many strings to be worth a look-up.
const SHORTEST: usize = 3;
/// More alternatives than this are not worth it either.
const MOST: usize = 64;

/// Strings in lower case, at least one of which is in every match if case is ignored. `None` if there are none worth having.
pub(crate) fn required(pattern: &str, unicode: bool) -> Option<Vec<Vec<u8>>> {
    let hir = regex_syntax::ParserBuilder::new().utf8(false).unicode(unicode).nest_limit(100).build().parse(pattern).ok()?;
    let set = of(&hir)?;
    (set.len() <= MOST && set.iter().all(|l| l.len() >= SHORTEST)).then_some(set)
}

fn of(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Literal(_) | HirKind::Class(_) => of_run(std::slice::from_ref(hir)),
        HirKind::Capture(capture) => of(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => of(&repetition.sub),
        HirKind::Concat(list) => of_run(list),
        HirKind::Alternation(list) => {
            let mut all = Vec::new();
            for item in list {
                all.extend(of(item)?);
                if all.len() > MOST {
                    return None;
                }
            }
            Some(all)
        }
        _ => None,
    }
}

/// The best of a sequence: its longest stretch of fixed bytes, or what one element requires.
fn of_run(list: &[Hir]) -> Option<Vec<Vec<u8>>> {
    let mut best: Option<Vec<Vec<u8>>> = None;
    let mut offer = |set: Vec<Vec<u8>>| {
        let shortest = |s: &Vec<Vec<u8>>| s.iter().map(Vec::len).min().unwrap_or(0);
        if shortest(&set) > best.as_ref().map_or(0, &shortest) {
            best = Some(set);
        }
    };
    let mut run = Vec::new();
    for item in list {
        match item.kind() {
            HirKind::Literal(literal) if literal.0.is_ascii() => run.extend(literal.0.to_ascii_lowercase()),
            HirKind::Class(class) if folded(class).is_some() => run.extend(folded(class)),
            // Looks at a place (`^`, `\b`) without taking bytes: the run goes on.
            HirKind::Look(_) => {}
            _ => {
                offer(vec![std::mem::take(&mut run)]);
                if !matches!(item.kind(), HirKind::Literal(_) | HirKind::Class(_))
                    && let Some(set) = of(item)
                {
                    offer(set);
                }
            }
        }
    }
    offer(vec![run]);
    best
}

/// The one ASCII letter (in lower case) that all members of a class are.
fn folded(class: &Class) -> Option<u8> {
    let mut members: Vec<u8> = Vec::new();
    match class {
        Class::Unicode(class) => {
            for range in class.ranges() {
                // K and the Kelvin sign, s and the long s fold together; bytes other than ASCII are not in the strings that matter.
                for c in (range.start()..=range.end()).take(4) {
                    if let Ok(b) = u8::try_from(u32::from(c)) {
                        members.push(b);
                    } else {
                        return None;
                    }
                }
            }
        }
        Class::Bytes(class) => {
            for range in class.ranges() {
                members.extend((range.start()..=range.end()).take(4));
            }
        }
    }
    let first = members.first()?.to_ascii_lowercase();
    (members.len() <= 2 && members.iter().all(|b| b.is_ascii() && b.to_ascii_lowercase() == first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_fixed_part_gates_a_pattern() {
        for (pattern, wanted) in [
            (r"(?i)/lib/python3\.([5-9]|[0-9]{2})/site-packages/", Some(vec!["/site-packages/"])),
            (r"(?u)(?i)K[ab]suite", Some(vec!["uite"])),
            (r"[^/]{100,}$", None),
            (r"-D", None),
            (r"(curl|wget)\s+http", Some(vec!["curl", "wget"])),
            (r"(curl|w)\s+http", Some(vec!["http"])),
            (r"^abc$", Some(vec!["abc"])),
            (r"(abc)?x", None),
            (r"(abc)+", Some(vec!["abc"])),
            (r"[", None),
        ] {
            let got = required(pattern, false);
            let wanted: Option<Vec<Vec<u8>>> = wanted.map(|l| l.iter().map(|s| s.as_bytes().to_vec()).collect());
            assert_eq!(got, wanted, "{pattern}");
        }
    }
}
