//! Writes a figure as SVG through plotters' backend: the only file that knows plotters.
//!
//! plotters' coordinates are whole numbers, so the canvas counts hundredths of a millimetre and its root is rewritten to
//! the physical size. What surprises people: plotters divides font sizes by 1.24 and shifts text by its own guess of
//! the font's height; both are undone here, so that sizes and baselines are exact.

use plotters::backend::SVGBackend;
use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontDesc, FontFamily, FontStyle, FontTransform, RGBAColor, ShapeStyle, TextStyle};

use super::layout;
use super::palette::Ink;
use super::scene::{Anchor, Item, MM, Scene, Spot};
use super::text::FONT_STACK;
use super::{Figure, FigureError};

/// plotters writes `font-size` as the size over this number (plotters-svg 0.3.7, `draw_text`).
const PLOTTERS_FONT_DIVISOR: f64 = 1.24;

/// The shift that plotters writes for text anchored at its bottom (plotters-svg 0.3.7, `draw_text`).
const PLOTTERS_BASELINE_SHIFT: &str = " dy=\"-0.5ex\"";

/// The figure as a complete SVG document. The same figure always gives the same bytes.
pub fn render(figure: &Figure) -> Result<String, FigureError> {
    let scene = layout::lay_out(figure)?;
    let mut drawn = String::new();
    let size = (whole(scene.width) as u32, whole(scene.height) as u32);
    {
        let mut backend = SVGBackend::with_string(&mut drawn, size);
        for item in &scene.items {
            draw(&mut backend, item).map_err(|error| FigureError::drawing(figure, &error))?;
        }
        backend.present().map_err(|error| FigureError::drawing(figure, &error.to_string()))?;
    }
    Ok(finish(figure, &scene, &drawn))
}

fn whole(length: f64) -> i32 {
    length.round() as i32
}

fn spot(at: Spot) -> (i32, i32) {
    (whole(at.0), whole(at.1))
}

fn colour(ink: Ink) -> RGBAColor {
    let channel = |from: usize| u8::from_str_radix(&ink.hex()[from..from + 2], 16).unwrap_or(0);
    RGBAColor(channel(1), channel(3), channel(5), 1.0)
}

fn draw<B: DrawingBackend>(backend: &mut B, item: &Item) -> Result<(), String> {
    let drawn = match item {
        Item::Line { points, ink, width } => {
            let style = ShapeStyle { color: colour(*ink), filled: false, stroke_width: whole(*width).max(1) as u32 };
            match points[..] {
                [from, to] => backend.draw_line(spot(from), spot(to), &style),
                _ => backend.draw_path(points.iter().map(|point| spot(*point)), &style),
            }
        }
        Item::Area { points, ink } => {
            let style = ShapeStyle { color: colour(*ink), filled: true, stroke_width: 0 };
            backend.fill_polygon(points.iter().map(|point| spot(*point)), &style)
        }
        Item::Text { at, text, size, anchor, ink, upward } => {
            let font = FontDesc::new(
                FontFamily::Name(FONT_STACK),
                f64::from(whole(*size)) * PLOTTERS_FONT_DIVISOR,
                FontStyle::Normal,
            );
            let font = if *upward { font.transform(FontTransform::Rotate270) } else { font };
            let horizontal = match anchor {
                Anchor::Start => HPos::Left,
                Anchor::Middle => HPos::Center,
                Anchor::End => HPos::Right,
            };
            let ink = colour(*ink);
            let style = TextStyle::from(font).color(&ink).pos(Pos::new(horizontal, VPos::Bottom));
            let clean: String = text.chars().filter(|c| !c.is_control()).collect();
            backend.draw_text(&clean, &style, spot(*at))
        }
    };
    drawn.map_err(|error| error.to_string())
}

/// Gives the document its physical size, title, description, run ids and inherited styles, and tidies plotters' text.
fn finish(figure: &Figure, scene: &Scene, drawn: &str) -> String {
    let (width, height) = (whole(scene.width), whole(scene.height));
    let mut out = String::with_capacity(drawn.len() + 4096);
    out.push_str(&format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}mm\" height=\"{}mm\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" aria-labelledby=\"title desc\" font-family=\"{FONT_STACK}\" stroke-linejoin=\"round\">\n",
        f64::from(width) / MM,
        f64::from(height) / MM,
    ));
    out.push_str(&format!("<title id=\"title\">{}</title>\n", escape(&figure.title)));
    out.push_str(&format!("<desc id=\"desc\">{}</desc>\n", escape(&figure.alt)));
    out.push_str("<metadata>\n");
    for run in &figure.run_ids {
        out.push_str(&format!("<wattmark:run xmlns:wattmark=\"urn:wattmark\">{}</wattmark:run>\n", escape(run)));
    }
    out.push_str("</metadata>\n");
    out.push_str(&format!(
        "<rect x=\"0\" y=\"0\" width=\"{width}\" height=\"{height}\" fill=\"{}\"/>\n",
        Ink::Paper.hex()
    ));
    let family = format!(" font-family=\"{FONT_STACK}\"");
    let mut lines = drawn.lines().skip(1).peekable();
    while let Some(line) = lines.next() {
        let line = line.replace(" opacity=\"1\"", "");
        if line.starts_with("<text") {
            out.push_str(&whole_size(&line.replace(PLOTTERS_BASELINE_SHIFT, "").replace(&family, "")));
            // plotters puts the text and its end tag on lines of their own; the line break would count as a space.
            out.push_str(lines.next().unwrap_or_default());
        } else {
            out.push_str(&line.replace(" \"/>", "\"/>"));
        }
        if lines.peek() != Some(&"</text>") {
            out.push('\n');
        }
    }
    out
}

/// Rounds the font size of a text's tag: dividing and multiplying by 1.24 leaves 246.99999999999997.
fn whole_size(tag: &str) -> String {
    const NAME: &str = " font-size=\"";
    let rounded = tag.split_once(NAME).and_then(|(before, rest)| {
        let (size, after) = rest.split_once('"')?;
        Some(format!("{before}{NAME}{}\"{after}", whole(size.parse().ok()?)))
    });
    rounded.unwrap_or_else(|| tag.to_owned())
}

fn escape(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .map(|c| match c {
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '&' => "&amp;".to_owned(),
            other => other.to_string(),
        })
        .collect()
}
