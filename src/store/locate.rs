//! Finds which field of a JSON text a byte belongs to, so that an error can name the field and not only a line.
//!
//! Not a parser: the text is known to be valid JSON. What surprises people: the parser reports a missing field just
//! after the object that lacks it; a position right after a closing bracket means the value that was just closed.

/// One step into the structure.
#[derive(Debug)]
enum Step {
    Key(String),
    Index(usize),
}

/// Offset in bytes of a line and column (both from 1, the column in bytes) as serde_json counts them.
pub(super) fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (start + column).min(text.len())
}

/// Path of the field at an offset, for example `measurements[3].case.work`; empty for the whole record.
pub(super) fn field_at(text: &str, offset: usize) -> String {
    let bytes = &text.as_bytes()[..offset.min(text.len())];
    let mut path: Vec<Step> = Vec::new();
    let mut objects: Vec<bool> = Vec::new();
    let mut expect_key = false;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let end = string_end(bytes, at);
                if std::mem::take(&mut expect_key) {
                    let key = String::from_utf8_lossy(&bytes[at + 1..end.saturating_sub(1).max(at + 1)]).into_owned();
                    if let Some(step) = path.last_mut() {
                        *step = Step::Key(key);
                    }
                }
                at = end;
                continue;
            }
            b'{' => {
                objects.push(true);
                path.push(Step::Key(String::new()));
                expect_key = true;
            }
            b'[' => {
                objects.push(false);
                path.push(Step::Index(0));
            }
            b'}' | b']' => {
                objects.pop();
                path.pop();
                expect_key = false;
            }
            b',' => match path.last_mut() {
                Some(Step::Index(index)) => *index += 1,
                Some(Step::Key(_)) => expect_key = objects.last().copied().unwrap_or(false),
                None => {}
            },
            _ => {}
        }
        at += 1;
    }
    render(&path)
}

/// Offset just after a string's closing quote, or the end of the text.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn render(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if key.is_empty() => {}
            Step::Key(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(key);
            }
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"a": {"b": [1, {"c": "x,\"}{"}, 3]}, "d": [[], [7]]}"#;

    #[test]
    fn every_byte_knows_its_field() {
        let after = |needle: &str| TEXT.find(needle).unwrap() + needle.len();
        let inside = [("[1", "a.b[0]"), ("x,", "a.b[1].c"), (", 3", "a.b[2]"), ("[7", "d[1][0]"), ("[7]", "d[1]")];
        for (needle, field) in inside {
            assert_eq!(field_at(TEXT, after(needle)), field, "{needle}");
        }
    }

    #[test]
    fn a_position_after_a_closing_brace_means_the_object_that_was_closed() {
        let end = TEXT.find("]}").unwrap() + 2;
        assert_eq!(field_at(TEXT, end), "a");
        assert_eq!(field_at(TEXT, TEXT.len()), "");
    }

    #[test]
    fn lines_and_columns_become_offsets() {
        assert_eq!(offset_of("ab\ncd\nef", 2, 1), 4);
        assert_eq!(offset_of("ab", 9, 9), 2);
    }
}
