//! Widths of text, without a font: advance tables of Helvetica and of the font that stands in for it.
//!
//! The SVG names fonts but holds none, so nobody here can ask a renderer how wide a label will be. What surprises
//! people: there are two widths. [`width`] is the width in Helvetica (and Arial and Liberation Sans, which share its
//! metrics); [`room`] is the room that layout leaves, wide enough for DejaVu Sans too, which bare Linux machines put in
//! Helvetica's place and which is about 15 % wider.

/// The fonts a figure asks for, best first; the first three share one set of advance widths.
pub const FONT_STACK: &str = "Helvetica, Arial, Liberation Sans, sans-serif";

/// Height of a line over the font size.
pub const LINE_HEIGHT: f64 = 1.2;

/// Height of a capital over the font size (Helvetica's cap height is 718/1000).
pub const CAP_HEIGHT: f64 = 0.718;

/// Depth of a descender over the font size (Helvetica's is 207/1000).
pub const DESCENT: f64 = 0.207;

/// Advance widths of U+0020 to U+007E in thousandths of an em: Adobe's Helvetica metrics, which Arial and Liberation
/// Sans keep.
const HELVETICA: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
];

/// Advance widths of U+0020 to U+007E in thousandths of an em of DejaVu Sans 2.37 (its `hmtx` table).
const DEJAVU: [u16; 95] = [
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636, 636, 636,
    636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656, 557, 863,
    748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838, 500, 500, 613, 635, 550, 635,
    615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636,
    337, 636, 838,
];

/// Width of a text in Helvetica at a font size, in the unit of the size.
pub fn width(text: &str, size: f64) -> f64 {
    measure(text, size, &HELVETICA, 0.556)
}

/// Room to leave for a text, whichever font stands in for Helvetica; in the unit of the size.
pub fn room(text: &str, size: f64) -> f64 {
    width(text, size).max(measure(text, size, &DEJAVU, 0.64))
}

fn measure(text: &str, size: f64, table: &[u16; 95], other: f64) -> f64 {
    let em: f64 = text.chars().map(|c| advance(c, table, other)).sum();
    em * size
}

fn advance(character: char, table: &[u16; 95], other: f64) -> f64 {
    let index = (character as usize).wrapping_sub(0x20);
    if let Some(width) = table.get(index) {
        return f64::from(*width) / 1000.0;
    }
    match character {
        '×' | '−' | '≈' | '±' => f64::from(table[usize::from(b'+' - b' ')]) / 1000.0,
        '·' => f64::from(table[0]) / 1000.0,
        '…' | '—' | '→' => 1.0,
        // East Asian scripts fill the em square.
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{fffd}' => 1.0,
        _ => other,
    }
}

/// Breaks a text into lines that fit a width: at spaces, after `/`, `-` and `,` where a word alone is too long, and
/// inside a word only when nothing else is left.
pub fn wrap(text: &str, size: f64, limit: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let joined = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if room(&joined, size) <= limit {
            line = joined;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        line = break_word(word, size, limit, &mut lines);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Breaks one word; full lines go to `lines`, the rest is returned.
fn break_word(word: &str, size: f64, limit: f64, lines: &mut Vec<String>) -> String {
    let mut line = String::new();
    for character in word.chars() {
        line.push(character);
        // Cutting a short head off may leave a rest that is still too long.
        while room(&line, size) > limit && line.chars().count() > 1 {
            let body = &line[..line.len() - character.len_utf8()];
            let cut = body.rfind(['/', '-', ',']).map_or(body.len(), |at| at + 1);
            let rest = line[cut..].to_owned();
            line.truncate(cut);
            lines.push(std::mem::replace(&mut line, rest));
        }
    }
    line
}

/// A number with `digits` significant digits and no exponent: `52.1`, `0.0431`, `1240`.
pub fn number(value: f64, digits: i32) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".to_owned() } else { format!("{value}") };
    }
    let magnitude = value.abs().log10().floor() as i32;
    let step = 10f64.powi(magnitude - digits + 1);
    let rounded = (value / step).round() * step;
    // Rounding may add a digit: 9.996 becomes 10.0, not 10.00.
    let magnitude = (rounded.abs() * (1.0 + 1e-12)).log10().floor() as i32;
    let decimals = usize::try_from(digits - 1 - magnitude).unwrap_or(0);
    format!("{rounded:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_words_have_the_width_that_helvetica_gives_them() {
        // "Power (W)": 667+556+722+556+333+278+333+944+333 thousandths of an em.
        assert!((width("Power (W)", 1000.0) - 4722.0).abs() < 1e-9);
        assert!((width("gemm", 10.0) - (556.0 + 556.0 + 833.0 * 2.0) / 100.0).abs() < 1e-9);
    }

    #[test]
    fn numbers_keep_their_significant_digits() {
        let shown: Vec<String> =
            [0.0, 52.123, 0.043_12, 1239.6, 9.996, 100.0].iter().map(|value| number(*value, 3)).collect();
        assert_eq!(shown, ["0", "52.1", "0.0431", "1240", "10.0", "100"]);
    }

    #[test]
    fn a_word_that_is_too_long_breaks_after_its_slash() {
        assert_eq!(wrap("attention-prefill/causal-f16", 10.0, 90.0), ["attention-prefill/", "causal-f16"]);
    }

    proptest! {
        #[test]
        fn wrapped_lines_fit_and_lose_no_letter(text in "[a-z/=0-9-]{1,30}( [a-z=0-9]{1,12}){0,6}", limit in 40f64..300.0) {
            let lines = wrap(&text, 10.0, limit);
            for line in &lines {
                prop_assert!(room(line, 10.0) <= limit, "{line}");
            }
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }

        #[test]
        fn the_room_is_never_less_than_the_width(text in "[ -~]{0,40}") {
            prop_assert!(room(&text, 7.0) >= width(&text, 7.0));
        }
    }
}
