//! Colours, and the second sign (a marker shape, a hatch, a word) that stands beside every one of them.
//!
//! Series take the Okabe-Ito colours, which stay apart for colour-blind readers. What surprises people: yellow is left
//! out, because a yellow line on white paper cannot be seen.

use serde::Serialize;

use crate::model::{ElementType, Evidence, WindowKind};

/// A colour of the page, by its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ink {
    /// The page.
    Paper,
    /// Text, whiskers, markers' outlines.
    Text,
    /// Secondary text.
    Quiet,
    /// Frames, ticks, guide lines, leader lines.
    Axis,
    /// Grid lines.
    Grid,
    /// A series, counted from 0; wraps around after [`SERIES`].
    Series(usize),
    /// Background of a stretch of time.
    Tone(Tone),
    /// Stripes on the background of preheat.
    Stripe,
    /// A shade of a heat map, counted from the palest; stops at the darkest of [`HEAT`].
    Heat(usize),
}

impl Ink {
    /// Series that stands for a precision: blue for f32, orange for f16, and one of their own for the others.
    pub const fn series_of(element: ElementType) -> usize {
        match element {
            ElementType::F32 => 0,
            ElementType::F16 => 4,
            ElementType::Mixed => 1,
            ElementType::F64 => 2,
            ElementType::I32 | ElementType::I8 => 3,
            ElementType::Q8_0 | ElementType::Q4_0 | ElementType::Q4K => 5,
        }
    }
}

/// Background of a stretch of time in a power trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tone {
    /// Nothing runs.
    Idle,
    /// Load before measuring.
    Preheat,
    /// Load that counts.
    Measured,
    /// Clocks were held down by more than the power limit: a strip along the bottom, before the other tones.
    Throttled,
}

impl Tone {
    /// Tone of a window; `None` for stretches that stay white.
    pub fn of(kind: WindowKind) -> Option<Self> {
        match kind {
            WindowKind::IdleCold | WindowKind::IdleContext => Some(Self::Idle),
            WindowKind::Preheat => Some(Self::Preheat),
            WindowKind::Measure => Some(Self::Measured),
            WindowKind::Cooldown => None,
        }
    }
    /// The word in the legend.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Preheat => "preheat",
            Self::Measured => "measured window",
            Self::Throttled => "clocks held down by heat or hardware",
        }
    }
}

/// Colours of series in order: Okabe and Ito (2008) without yellow, black last.
pub const SERIES: [&str; 7] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];

/// Shades of a heat map from pale to dark: one blue (hue 250 of OKLCH) at equal steps of lightness from 0.975 to 0.32, so
/// that their order holds in grey too.
pub const HEAT: [&str; 16] = [
    "#F1F8FF", "#DCEAF9", "#C7DDF3", "#B3CFEE", "#9EC2E7", "#8AB4E1", "#75A7DB", "#609AD4", "#4A8CCD", "#3C7FBF",
    "#2E71B1", "#2064A3", "#0E5895", "#004B87", "#003F7A", "#00326C",
];

impl Ink {
    /// The shade for a place on a scale, 0 at its start and 1 at its end.
    pub fn heat(part: f64) -> Self {
        Self::Heat(((part.clamp(0.0, 1.0) * HEAT.len() as f64) as usize).min(HEAT.len() - 1))
    }
    /// The ink that can be read upon this shade: white from the middle of the scale on.
    pub const fn upon(shade: usize) -> Self {
        if shade < DARK { Self::Text } else { Self::Paper }
    }
}

/// First shade that is dark enough for white text.
const DARK: usize = 9;

impl Ink {
    /// The colour as `#RRGGBB`.
    pub const fn hex(self) -> &'static str {
        match self {
            Self::Paper => "#FFFFFF",
            Self::Text => "#1A1A1A",
            Self::Quiet => "#595959",
            Self::Axis => "#4D4D4D",
            Self::Grid => "#DDDDDD",
            Self::Series(index) => SERIES[index % SERIES.len()],
            Self::Tone(Tone::Idle) => "#EFEFEF",
            Self::Tone(Tone::Preheat) => "#FCEBCB",
            Self::Tone(Tone::Measured) => "#CDE4F3",
            Self::Tone(Tone::Throttled) => "#D55E00",
            Self::Stripe => "#EFD6A3",
            Self::Heat(shade) => HEAT[if shade < HEAT.len() { shade } else { HEAT.len() - 1 }],
        }
    }
}

/// Outline of a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Circle.
    Circle,
    /// Square.
    Square,
    /// Triangle, point up.
    Up,
    /// Diamond.
    Diamond,
    /// Triangle, point down.
    Down,
    /// Upright cross, as a solid.
    Plus,
    /// Pentagon.
    Pentagon,
    /// Diagonal cross, as a solid.
    Cross,
    /// Hexagon.
    Hexagon,
    /// Five-pointed star.
    Star,
}

/// Shapes in order of use. Ten shapes and seven colours give 70 pairs before one repeats.
pub const SHAPES: [Shape; 10] = [
    Shape::Circle,
    Shape::Square,
    Shape::Up,
    Shape::Diamond,
    Shape::Down,
    Shape::Plus,
    Shape::Pentagon,
    Shape::Cross,
    Shape::Hexagon,
    Shape::Star,
];

/// A marker: shape and colour name the series, an open one is 16-bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Marker {
    /// Outline.
    pub shape: Shape,
    /// Colour.
    pub ink: Ink,
    /// Filled, or white inside.
    pub filled: bool,
}

impl Marker {
    /// Marker of the n-th series.
    pub fn series(index: usize, filled: bool) -> Self {
        Self { shape: SHAPES[index % SHAPES.len()], ink: Ink::Series(index), filled }
    }
}

/// Filling of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Fill {
    /// Colour.
    pub ink: Ink,
    /// Solid for a measured value; striped where the energy is declared or estimated.
    pub hatch: Hatch,
}

/// Stripes of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hatch {
    /// No stripes: measured.
    Solid,
    /// Rising stripes: estimated.
    Rising,
    /// Crossed stripes: declared.
    Crossed,
    /// Falling stripes: a part of a whole.
    Falling,
    /// Level stripes: a part of a whole.
    Level,
}

impl Hatch {
    /// Stripes for a kind of evidence.
    pub const fn of(evidence: Evidence) -> Self {
        match evidence {
            Evidence::Measured => Self::Solid,
            Evidence::Declared => Self::Crossed,
            Evidence::Estimated => Self::Rising,
        }
    }
}

impl Fill {
    /// Filling for a case: blue for f32, orange for f16, striped unless measured.
    pub const fn of(element: ElementType, evidence: Evidence) -> Self {
        Self { ink: Ink::Series(Ink::series_of(element)), hatch: Hatch::of(evidence) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of a colour, by WCAG 2.1.
    fn luminance(hex: &str) -> f64 {
        let part = |at: usize| {
            let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }

    #[test]
    fn shades_darken_step_by_step_and_carry_text_that_can_be_read() {
        for pair in HEAT.windows(2) {
            assert!(luminance(pair[1]) < luminance(pair[0]), "{pair:?}");
        }
        for (shade, hex) in HEAT.iter().enumerate() {
            let (one, other) = (luminance(hex), luminance(Ink::upon(shade).hex()));
            let contrast = (one.max(other) + 0.05) / (one.min(other) + 0.05);
            assert!(contrast >= 4.0, "{hex}: {contrast}");
        }
    }
}
