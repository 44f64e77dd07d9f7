//! The nearest of some names, for "did you mean".

/// The name that takes the fewest changes to get to, if it is near at all. Case does not count.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).clamp(1, 4);
    known.map(|k| (distance(name, k), k)).filter(|(d, _)| *d <= limit).min_by_key(|(d, _)| *d).map(|(_, k)| k)
}

/// Insertions, deletions, replacements and swaps of neighbours. Long names are as far as can be.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    if a.len() > 64 || b.len() > 64 {
        return usize::MAX;
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for (i, ca) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, cb) in b.iter().enumerate() {
            let at = |r: usize, c: usize| rows.get(r).and_then(|row: &Vec<usize>| row.get(c)).copied().unwrap_or(usize::MAX / 2);
            let mut best = (at(i, j) + usize::from(ca != cb)).min(at(i, j + 1) + 1).min(row.last().copied().unwrap_or(0) + 1);
            if i > 0 && j > 0 && Some(ca) == b.get(j - 1) && a.get(i - 1) == Some(cb) {
                best = best.min(at(i - 1, j - 1) + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows.last().and_then(|r| r.last()).copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_name() {
        let known = ["Image", "ParentImage", "CommandLine", "TargetFilename"];
        for (name, wanted) in [
            ("Imgae", Some("Image")),
            ("image", Some("Image")),
            ("Commandline", Some("CommandLine")),
            ("TargetFileName", Some("TargetFilename")),
            ("EventID", None),
        ] {
            assert_eq!(nearest(name, known.into_iter()), wanted, "{name}");
        }
    }
}
