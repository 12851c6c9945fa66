//! The text of a record: JSON laid out so that people can read and diff it and 100 000 samples do not become 100 000 lines.
//!
//! Down to [`OPEN_LEVELS`] every field has its own line; deeper objects and all arrays of plain values stay on one line.
//! What surprises people: the layout of an array is decided only when its first element is seen, so separators are
//! written late, just before the value they precede.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};

use crate::model::RunRecord;

/// Levels of nesting whose fields have a line each: the record, its rooms, their entries, and the entries' parts.
const OPEN_LEVELS: usize = 4;

/// Writes a record as text, streaming, with a final newline.
pub fn write_text(record: &RunRecord, out: &mut dyn Write) -> io::Result<()> {
    write_json(record, out)
}

/// Writes anything in the layout of records.
pub(super) fn write_json<T: Serialize>(value: &T, out: &mut dyn Write) -> io::Result<()> {
    let mut serializer = Serializer::with_formatter(&mut *out, Layout::default());
    value.serialize(&mut serializer).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

/// A record's text in memory; for small records and tests.
pub fn to_text(record: &RunRecord) -> io::Result<String> {
    let mut bytes = Vec::new();
    write_text(record, &mut bytes)?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

/// An open object or array.
#[derive(Debug)]
struct Container {
    /// Whether its members have a line each.
    tall: bool,
    /// Whether it has a member yet.
    filled: bool,
}

/// The layout described at the head of the file.
#[derive(Debug, Default)]
struct Layout {
    open: Vec<Container>,
    /// True between the announcement of an array element and its first byte.
    element_due: bool,
}

impl Layout {
    fn newline<W: ?Sized + Write>(&self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b"\n")?;
        (0..self.open.len()).try_for_each(|_| writer.write_all(b" "))
    }

    /// Writes what stands before an array element, now that its kind is known.
    fn separate<W: ?Sized + Write>(&mut self, writer: &mut W, compound: bool) -> io::Result<()> {
        if !std::mem::take(&mut self.element_due) {
            return Ok(());
        }
        let depth = self.open.len();
        let Some(array) = self.open.last_mut() else { return Ok(()) };
        let first = !std::mem::replace(&mut array.filled, true);
        if first {
            array.tall = compound && depth <= OPEN_LEVELS;
        } else {
            writer.write_all(b",")?;
        }
        if array.tall { self.newline(writer) } else { Ok(()) }
    }

    fn begin<W: ?Sized + Write>(&mut self, writer: &mut W, bracket: &[u8], tall: bool) -> io::Result<()> {
        self.separate(writer, true)?;
        self.open.push(Container { tall, filled: false });
        writer.write_all(bracket)
    }

    fn end<W: ?Sized + Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        if self.open.pop().is_some_and(|closed| closed.tall && closed.filled) {
            self.newline(writer)?;
        }
        writer.write_all(bracket)
    }
}

/// Numbers: the separator, then serde_json's own digits.
macro_rules! scalars {
    ($($method:ident: $type:ty),*) => {$(
        fn $method<W: ?Sized + Write>(&mut self, writer: &mut W, value: $type) -> io::Result<()> {
            self.separate(writer, false)?;
            serde_json::ser::CompactFormatter.$method(writer, value)
        }
    )*};
}

impl Formatter for Layout {
    scalars!(write_bool: bool, write_i8: i8, write_i16: i16, write_i32: i32, write_i64: i64, write_i128: i128,
             write_u8: u8, write_u16: u16, write_u32: u32, write_u64: u64, write_u128: u128, write_f32: f32,
             write_f64: f64, write_number_str: &str, write_raw_fragment: &str);

    fn write_null<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.separate(writer, false)?;
        writer.write_all(b"null")
    }
    fn begin_string<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.separate(writer, false)?;
        writer.write_all(b"\"")
    }
    fn write_char_escape<W: ?Sized + Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        serde_json::ser::CompactFormatter.write_char_escape(writer, escape)
    }
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"[", false)
    }
    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"]")
    }
    fn begin_array_value<W: ?Sized + Write>(&mut self, _writer: &mut W, _first: bool) -> io::Result<()> {
        self.element_due = true;
        Ok(())
    }
    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        let tall = self.open.len() < OPEN_LEVELS;
        self.begin(writer, b"{", tall)
    }
    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"}")
    }
    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        let Some(object) = self.open.last_mut() else { return Ok(()) };
        object.filled = true;
        match (object.tall, first) {
            (true, _) => self.newline(writer),
            (false, true) => Ok(()),
            (false, false) => writer.write_all(b" "),
        }
    }
    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid_out(value: &serde_json::Value) -> String {
        let mut bytes = Vec::new();
        value.serialize(&mut Serializer::with_formatter(&mut bytes, Layout::default())).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn fields_have_a_line_each_and_arrays_of_numbers_share_one() {
        let value = serde_json::json!({
            "a": 1, "empty": [], "none": {}, "t": [1, null, 2.5], "names": ["x", "y"],
            "list": [{"k": {"deep": {"deeper": [ {"u": 1, "v": 2}, {"u": 3, "v": 4} ]}}}],
        });
        let expected = r#"{
 "a": 1,
 "empty": [],
 "list": [
  {
   "k": {
    "deep": {"deeper": [{"u": 1, "v": 2},{"u": 3, "v": 4}]}
   }
  }
 ],
 "names": ["x","y"],
 "none": {},
 "t": [1,null,2.5]
}"#;
        assert_eq!(laid_out(&value), expected);
    }

    #[test]
    fn the_layout_changes_only_white_space() {
        let value = serde_json::json!({"a": [[1, [2]], {"b": [true, "s", -3]}, "t\n\"", 1e300], "c": {"d": null}});
        assert_eq!(serde_json::from_str::<serde_json::Value>(&laid_out(&value)).unwrap(), value);
    }
}
