//! Closest spellings, for messages about names that do not exist.

/// Levenshtein distance between two texts, in characters.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// The candidates closest to `given` (at most three), ignoring case; only those within a third of its length, or that
/// begin with it. Among equally close ones, the longer common beginning comes first.
pub fn closest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let given = given.to_lowercase();
    let limit = given.chars().count().div_ceil(3);
    let mut ranked: Vec<(usize, std::cmp::Reverse<usize>, &str)> = candidates
        .into_iter()
        .map(|candidate| {
            let lower = candidate.to_lowercase();
            let begins = given.chars().count() >= 3 && lower.starts_with(&given);
            let common = given.chars().zip(lower.chars()).take_while(|(a, b)| a == b).count();
            (if begins { 0 } else { distance(&given, &lower) }, std::cmp::Reverse(common), candidate)
        })
        .filter(|(away, _, _)| *away <= limit)
        .collect();
    ranked.sort();
    ranked.dedup_by_key(|(_, _, candidate)| *candidate);
    ranked.truncate(3);
    ranked.into_iter().map(|(_, _, candidate)| candidate).collect()
}

/// `: did you mean A or B?` for a message, or nothing.
pub fn hint<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    match closest(given, candidates)[..] {
        [] => String::new(),
        [one] => format!(": did you mean {one}?"),
        [one, two] => format!(": did you mean {one} or {two}?"),
        ref all => format!(": did you mean {}?", all.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_distance_of_kitten_to_sitting_is_three() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!((distance("", "abc"), distance("青海", "青海省")), (3, 1));
    }

    #[test]
    fn a_slip_finds_its_word_and_nonsense_finds_nothing() {
        let names = ["Qinghai", "Gansu", "Shanghai"];
        assert_eq!(closest("qinhai", names), ["Qinghai"]);
        assert!(closest("zzzzzz", names).is_empty());
        assert_eq!(hint("qinhai", names), ": did you mean Qinghai?");
    }

    proptest! {
        #[test]
        fn the_distance_is_symmetric_and_zero_only_for_equal_texts(a in "[a-d]{0,8}", b in "[a-d]{0,8}") {
            prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            prop_assert_eq!(distance(&a, &b) == 0, a == b);
        }
    }
}
