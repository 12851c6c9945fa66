//! Names typed by people: globs, and the nearest known name to a misspelt one.
//!
//! Works on any list of names (kernels, configuration keys, regions, sensors); how a message is worded belongs to its
//! room. What surprises people: it would rather stay silent than guess, so a name further away than a third of what was
//! typed is not offered; and two swapped neighbours count as one slip.

use std::cmp::Reverse;

/// Most names that a [`hint`] offers.
const MOST_OFFERED: usize = 3;
/// Fewest characters of a beginning that stand for the whole name; fewer begin almost anything.
const SHORTEST_BEGINNING: usize = 3;

/// True if a glob (`*` any run of characters, `?` any one) covers the whole text. Capitals matter.
pub fn matches(glob: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    // reached[i]: the glob so far covers the first i characters.
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for symbol in glob.chars() {
        let mut next = vec![false; text.len() + 1];
        next[0] = symbol == '*' && reached[0];
        for i in 0..text.len() {
            next[i + 1] = match symbol {
                '*' => next[i] || reached[i + 1],
                '?' => reached[i],
                _ => reached[i] && text[i] == symbol,
            };
        }
        reached = next;
    }
    reached[text.len()]
}

/// The candidate nearest to `word`, ignoring capitals; `None` when none is near. The rule is that of [`hint`].
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    near(word, candidates).first().copied()
}

/// `: did you mean A or B?` for the end of a message, or nothing.
///
/// Offers at most three candidates, nearest first: those that begin with the word, and those within a third of its
/// length in edits. Among equally near ones, the longer common beginning comes first, then the alphabet.
pub fn hint<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    match near(word, candidates)[..] {
        [] => String::new(),
        [one] => format!(": did you mean {one}?"),
        [one, two] => format!(": did you mean {one} or {two}?"),
        ref all => format!(": did you mean {}?", all.join(", ")),
    }
}

fn near<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let word = word.to_lowercase();
    let length = word.chars().count();
    let mut ranked: Vec<(usize, Reverse<usize>, &str)> = candidates
        .into_iter()
        .map(|candidate| {
            let lower = candidate.to_lowercase();
            let begun = length >= SHORTEST_BEGINNING && lower.starts_with(&word);
            let common = word.chars().zip(lower.chars()).take_while(|(a, b)| a == b).count();
            (if begun { 0 } else { distance(&word, &lower) }, Reverse(common), candidate)
        })
        .filter(|(edits, _, _)| *edits <= length.div_ceil(3))
        .collect();
    ranked.sort_unstable();
    ranked.dedup();
    ranked.into_iter().take(MOST_OFFERED).map(|(_, _, candidate)| candidate).collect()
}

/// Fewest insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b` (optimal string
/// alignment: no part is edited twice).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let above = &rows[i - 1];
            let substitution = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substitution.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_glob_covers_the_whole_name() {
        for (glob, text) in [
            ("*", ""),
            ("*", "gemm/a"),
            ("gemm/*", "gemm/a"),
            ("*-f16", "gemv/a-f16"),
            ("g?mv/*", "gemv/x"),
            ("a*c*e", "abcde"),
            ("青*", "青海"),
        ] {
            assert!(matches(glob, text), "{glob} {text}");
        }
        for (glob, text) in [
            ("gemm", "gemm/a"),
            ("gemm/*", "gemv/a"),
            ("*-f16", "gemm/a-f32"),
            ("a*c*e", "abde"),
            ("a*b", "abc"),
            ("?", ""),
            ("", "a"),
            ("GEMM/*", "gemm/a"),
        ] {
            assert!(!matches(glob, text), "{glob} {text}");
        }
    }

    #[test]
    fn known_pairs_have_their_known_distance() {
        for (a, b, edits) in
            [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("gird", "grid", 1), ("青海", "青海省", 1)]
        {
            assert_eq!(distance(a, b), edits, "{a} {b}");
        }
    }

    #[test]
    fn a_slip_of_the_finger_is_recognised_and_another_word_is_not() {
        let words = ["preset", "kernel", "grid", "pue", "results"];
        assert_eq!(closest("kernl", words), Some("kernel"));
        assert_eq!(closest("Gird", words), Some("grid"));
        assert_eq!(closest("result", words), Some("results"));
        assert_eq!(closest("res", words), Some("results"), "a beginning stands for the whole");
        assert_eq!(closest("colour", words), None);
        assert_eq!(closest("attention", ["gemm", "softmax"]), None);
        assert_eq!(closest("grid", []), None);
        assert_eq!(closest("", words), None);
    }

    #[test]
    fn a_hint_offers_each_near_name_once_nearest_first_and_at_most_three() {
        assert_eq!(hint("qinhai", ["Gansu", "Qinghai", "Shanghai", "Qinghai"]), ": did you mean Qinghai?");
        assert_eq!(hint("gem", ["gemv", "softmax", "gemm"]), ": did you mean gemm or gemv?");
        assert_eq!(hint("abcx", ["abcd", "abcc", "abcb", "abca"]), ": did you mean abca, abcb, abcc?");
        assert_eq!(hint("zzzzzz", ["Gansu", "Qinghai"]), "");
    }

    proptest! {
        #[test]
        fn the_distance_is_symmetric_and_zero_only_between_equals(a in "[a-d]{0,8}", b in "[a-d]{0,8}") {
            prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            prop_assert_eq!(distance(&a, &b) == 0, a == b);
        }

        #[test]
        fn a_text_matches_itself_and_any_part_of_it_between_stars(a in "[a-c]{0,4}", b in "[a-c]{0,4}", c in "[a-c]{0,4}") {
            let text = format!("{a}{b}{c}");
            prop_assert!(matches(&text, &text));
            let (part, gap, longer) = (format!("*{b}*"), format!("{a}{}{c}", "?".repeat(b.len())), format!("{text}?"));
            prop_assert!(matches(&part, &text) && matches(&gap, &text));
            prop_assert!(!matches(&longer, &text));
        }
    }
}
