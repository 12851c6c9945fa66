//! A small reader of the SVG that figures are written as: enough to check what stands where.

use wattmark::figure::text;

/// One element: its name, attributes, and text.
#[derive(Debug, Clone, Default)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub text: String,
}

impl Element {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
    pub fn number(&self, name: &str) -> f64 {
        self.get(name).and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} of {self:?}"))
    }
}

fn unescape(text: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// Reads a document; fails on unbalanced tags, unquoted attributes, stray angle brackets and unknown entities.
pub fn parse(svg: &str) -> Vec<Element> {
    let mut elements: Vec<Element> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut rest = svg;
    while let Some(start) = rest.find('<') {
        let between = &rest[..start];
        assert!(!between.contains('>'), "a stray > in {between:?}");
        if let Some(index) = open.last() {
            elements[*index].text.push_str(&unescape(between));
        } else {
            assert!(between.trim().is_empty(), "text outside the root: {between:?}");
        }
        let end = start + rest[start..].find('>').expect("an unclosed tag");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let index = open.pop().expect("an end tag without a start");
            assert_eq!(elements[index].name, name, "tags are not balanced");
            continue;
        }
        let (tag, closed) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        elements.push(element(tag));
        if !closed {
            open.push(elements.len() - 1);
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "the document does not end where its root does");
    elements
}

fn element(tag: &str) -> Element {
    let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    let mut attributes = Vec::new();
    while !rest.trim().is_empty() {
        let (key, after) = rest.trim_start().split_once("=\"").expect("an attribute in quotes");
        let (value, after) = after.split_once('"').expect("a closing quote");
        attributes.push((key.to_owned(), unescape(value)));
        rest = after;
    }
    Element { name: name.to_owned(), attributes, text: String::new() }
}

/// A text's box: left, top, right, bottom, in canvas units, wide enough for any font that may stand in.
#[derive(Debug, Clone)]
pub struct TextBox {
    pub text: String,
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl TextBox {
    pub fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }
}

/// Boxes of all texts on a page.
pub fn text_boxes(elements: &[Element]) -> Vec<TextBox> {
    elements.iter().filter(|element| element.name == "text").map(text_box).collect()
}

fn text_box(element: &Element) -> TextBox {
    let (x, y, size) = (element.number("x"), element.number("y"), element.number("font-size"));
    let room = text::room(&element.text, size);
    let start = match element.get("text-anchor") {
        Some("middle") => -room / 2.0,
        Some("end") => -room,
        _ => 0.0,
    };
    let (above, below) = (size * text::CAP_HEIGHT, size * text::DESCENT);
    let (left, top, right, bottom) = match element.get("transform") {
        // Turned by 270 degrees around (x, y): reads upward.
        Some(_) => (x - above, y - start - room, x + below, y - start),
        None => (x + start, y - above, x + start + room, y + below),
    };
    TextBox { text: element.text.clone(), left, top, right, bottom }
}
