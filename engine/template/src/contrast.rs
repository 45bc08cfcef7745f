//! Contrast between text and its background, according to WCAG 2.2 (1.4.3): at least 4.5 to 1, and
//! 3 to 1 for large text.
//!
//! The check reads the attributes of each element: `style`, `color` and `bgcolor`. It ignores the
//! rules of style sheets, because not all e-mail clients apply them.

use std::ops::Range;

use super::css::declarations;
use super::markup::{Element, Piece, VOID, pieces, slice};
use super::problem::PROBLEMS_MAX;

/// Minimum contrast of text, and of large text.
const RATIO_MIN: f64 = 4.5;
const RATIO_MIN_LARGE: f64 = 3.0;
/// Font size in pixels from which text is large: 18 points, or 14 points if it is bold.
const LARGE_PX: f64 = 24.0;
const LARGE_BOLD_PX: f64 = 18.66;

/// A color: red, green and blue, 0 to 255.
type Colour = [u8; 3];

/// Text with too little contrast.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LowContrast {
    /// The position of the color that was set last, which is either the text color or the
    /// background color.
    pub(super) colour: Range<usize>,
    /// The contrast of the text.
    pub(super) ratio: f64,
    /// The required contrast.
    pub(super) ratio_min: f64,
}

/// The style of text at one position. An unknown color is `None`.
#[derive(Clone)]
struct TextStyle {
    colour: Option<Colour>,
    background: Option<Colour>,
    written: Option<Range<usize>>,
    px: f64,
    bold: bool,
    hidden: bool,
}

/// Returns the texts in HTML that have too little contrast, at most one for each position of a
/// color. Handlebars tags in the text must be masked.
pub(super) fn low_contrast(text: &str) -> Vec<LowContrast> {
    let plain = TextStyle {
        colour: Some([0; 3]),
        background: Some([255; 3]),
        written: None,
        px: 16.0,
        bold: false,
        hidden: false,
    };
    let mut open: Vec<(&str, TextStyle)> = vec![("", plain)];
    let mut found: Vec<LowContrast> = Vec::new();
    for piece in pieces(text) {
        match piece {
            Piece::Start(element) => {
                let name = slice(text, &element.name);
                let Some((_, outer)) = open.last() else { continue };
                let text_style = outer.with(text, name, &element);
                if !element.is_closed && !VOID.contains(&name) && open.len() < DEPTH_MAX {
                    open.push((name, text_style));
                }
            }
            Piece::End(name) => {
                let name = slice(text, &name);
                if let Some(at) =
                    open.iter().rposition(|(open, _)| *open == name).filter(|at| *at > 0)
                {
                    open.truncate(at);
                }
            }
            Piece::Text(span) => {
                let Some((_, text_style)) = open.last() else { continue };
                if slice(text, &span).trim().is_empty() {
                    continue;
                }
                if let Some(faint) = text_style.low_contrast()
                    && found.len() < PROBLEMS_MAX
                    && !found.iter().any(|known| known.colour == faint.colour)
                {
                    found.push(faint);
                }
            }
            Piece::Comment(_) => {}
        }
    }
    found
}

/// Maximum depth of nested elements that are checked. A typical e-mail has about thirty.
const DEPTH_MAX: usize = 500;
impl TextStyle {
    fn with(&self, text: &str, name: &str, element: &Element) -> Self {
        let mut text_style = self.clone();
        text_style.hidden |= matches!(name, "head" | "style" | "script" | "title");
        text_style.bold |= matches!(name, "b" | "strong" | "th" | "h1" | "h2" | "h3");
        for (attribute, property) in [("bgcolor", "background-color"), ("color", "color")] {
            if let Some(value) = element.attribute(text, attribute) {
                text_style.set(text, property, value);
            }
        }
        if let Some(style) = element.attribute(text, "style") {
            for declaration in declarations(text, style) {
                let property = slice(text, &declaration.property).to_ascii_lowercase();
                text_style.set(text, &property, declaration.value);
            }
        }
        text_style
    }

    fn set(&mut self, text: &str, property: &str, span: Range<usize>) {
        let value = slice(text, &span).trim_end_matches("!important").trim().to_ascii_lowercase();
        match property {
            "color" => (self.colour, self.written) = (colour(&value), Some(span)),
            "background-color" | "background" if value == "transparent" || value == "none" => {}
            "background-color" | "background" => {
                (self.background, self.written) = (colour(&value), Some(span));
            }
            "display" => self.hidden |= value == "none",
            "font-weight" => {
                let heavy = value.parse::<u32>().is_ok_and(|weight| weight >= 700);
                self.bold = heavy || matches!(value.as_str(), "bold" | "bolder");
            }
            "font-size" => {
                if let Some(px) = value.strip_suffix("px").and_then(|px| px.parse().ok()) {
                    self.px = px;
                }
            }
            _ => {}
        }
    }

    fn low_contrast(&self) -> Option<LowContrast> {
        let (colour, background) = (self.colour?, self.background?);
        let written = self.written.clone().filter(|_| !self.hidden)?;
        let large = self.px >= LARGE_PX || self.bold && self.px >= LARGE_BOLD_PX;
        let ratio_min = if large { RATIO_MIN_LARGE } else { RATIO_MIN };
        let ratio = contrast(colour, background);
        (ratio < ratio_min).then_some(LowContrast { colour: written, ratio, ratio_min })
    }
}

/// Returns the contrast of two colors, from 1 to 21 (WCAG 2.2, "contrast ratio").
fn contrast(one: Colour, other: Colour) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// Returns the luminance of a color, from 0 to 1 (WCAG 2.2, "relative luminance").
fn luminance(colour: Colour) -> f64 {
    let [red, green, blue] = colour.map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// Parses `#rgb`, `#rrggbb`, `rgb(r, g, b)` and the most common color names.
fn colour(value: &str) -> Option<Colour> {
    let named = match value {
        "white" => Some([255; 3]),
        "black" => Some([0; 3]),
        "gray" | "grey" => Some([128; 3]),
        "silver" => Some([192; 3]),
        "lightgray" | "lightgrey" => Some([211; 3]),
        "red" => Some([255, 0, 0]),
        "yellow" => Some([255, 255, 0]),
        _ => None,
    };
    if named.is_some() {
        return named;
    }
    if let Some(digits) = value.strip_prefix('#') {
        let digit =
            |at: usize| digits.get(at..=at).and_then(|digit| u8::from_str_radix(digit, 16).ok());
        return match digits.len() {
            3 => Some([digit(0)? * 17, digit(1)? * 17, digit(2)? * 17]),
            6 => Some([
                digit(0)? * 16 + digit(1)?,
                digit(2)? * 16 + digit(3)?,
                digit(4)? * 16 + digit(5)?,
            ]),
            _ => None,
        };
    }
    let mut parts = value
        .strip_prefix("rgb(")?
        .strip_suffix(')')?
        .split(',')
        .map(|part| part.trim().parse().ok());
    let colour = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(colour)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_follows_wcag() {
        for (one, other, ratio) in [
            ("#000", "#ffffff", 21.0),
            ("#777777", "white", 4.48),
            ("rgb(89, 89, 89)", "#fff", 7.0),
            ("#4d5666", "#f1f3f6", 6.66),
        ] {
            let found = contrast(colour(one).unwrap(), colour(other).unwrap());
            assert!((found - ratio).abs() < 0.01, "{one} on {other}: {found}");
        }
        for value in ["#12", "#12345g", "rgb(1,2)", "rgb(1,2,300)", "var(--x)", "Z0Q", "#ééé"] {
            assert_eq!(colour(value), None, "{value}");
        }
    }

    #[test]
    fn low_contrast_is_reported_at_the_colour_set_last() {
        let at = |text: &'static str| -> Vec<&str> {
            low_contrast(text).iter().map(|faint| slice(text, &faint.colour)).collect()
        };
        assert_eq!(at("<p style='color:#999'>x</p><p style='color:#555'>y</p>"), ["#999"]);
        assert_eq!(at("<td bgcolor='#222'><b>x</b></td>"), ["#222"]);
        assert_eq!(at("<td bgcolor='#222' style='color: #eee'>x</td>y"), [""; 0]);
        assert_eq!(at("<h1 style='color:#888;font-size:24px'>x</h1>"), [""; 0]);
        assert_eq!(at("<div style='display:none;color:#fff'>x</div>"), [""; 0]);
        assert_eq!(at("<p style='color:#fff;background:url(x)'>x</p>"), [""; 0]);
        assert_eq!(
            at("<head><title style='color:#fff'>x</title></head><br style='color:#fff'>x"),
            [""; 0]
        );
    }
}
