//! Names on the command line: globs, and the nearest name to a misspelt one.

/// True if a glob (`*` any run of characters, `?` any one) covers the whole text.
pub fn matches(glob: &str, text: &str) -> bool {
    let (glob, text): (Vec<char>, Vec<char>) = (glob.chars().collect(), text.chars().collect());
    // reached[i]: the glob so far covers the first i characters.
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for symbol in glob {
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

/// The name with the fewest edits from `word`, if that is at most a third of its length (and at least one edit is allowed).
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(1);
    let closest = names.into_iter().map(|name| (edits(word, name), name)).min_by_key(|(distance, _)| *distance)?;
    (closest.0 <= allowed).then_some(closest.1)
}

/// Insertions, deletions and substitutions between two words (Levenshtein distance).
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let substitution = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substitution.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_covers_the_whole_name() {
        for (glob, text) in
            [("*", ""), ("gemm/*", "gemm/a"), ("*f16", "gemv/f16"), ("g?mv/*", "gemv/x"), ("a*b*c", "abbc")]
        {
            assert!(matches(glob, text), "{glob} {text}");
        }
        for (glob, text) in [("gemm", "gemm/a"), ("gemm/*", "gemv/a"), ("?", ""), ("a*b", "abc")] {
            assert!(!matches(glob, text), "{glob} {text}");
        }
    }

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(nearest("gem", ["gemm", "softmax"]), Some("gemm"));
        assert_eq!(nearest("attention", ["gemm", "softmax"]), None);
        assert_eq!(nearest("x", []), None);
    }
}
