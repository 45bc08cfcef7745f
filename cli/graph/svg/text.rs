//! Text in an image: its maximum width in an unknown font, truncation, and escaping.

/// The fonts of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Font {
    /// The name of the pipeline.
    Title,
    /// The id of a step, in bold.
    Id,
    /// The kind of a step, and the legend.
    Kind,
    /// The note of a step, in italics.
    Note,
}

impl Font {
    const fn size(self) -> f64 {
        match self {
            Self::Title => 17.0,
            Self::Id => 14.0,
            Self::Kind => 12.0,
            Self::Note => 11.0,
        }
    }

    /// Returns the maximum number of characters that are shown.
    const fn characters_max(self) -> usize {
        match self {
            Self::Title => 60,
            Self::Id | Self::Kind => 36,
            Self::Note => 40,
        }
    }
}

/// Returns the text as it is shown: on one line, and truncated with an ellipsis if it is too long
/// for a box.
pub(super) fn fitted(text: &str, font: Font) -> String {
    let max = font.characters_max();
    let shown = |letter: char| if letter.is_control() { ' ' } else { letter };
    if text.chars().count() <= max {
        return text.chars().map(shown).collect();
    }
    text.chars().take(max - 1).map(shown).chain(['…']).collect()
}

/// Returns a width in pixels that the text does not exceed in the usual sans-serif fonts. Verdana
/// and DejaVu are the widest of them.
pub(super) fn width(text: &str, font: Font) -> f64 {
    let is_bold = matches!(font, Font::Id | Font::Title);
    let ems = text.chars().map(|letter| match letter {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' | '(' | ')' => 0.45,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' => 1.05,
        '=' | '<' | '>' | '+' | '&' | '#' | '~' | 'A'..='Z' => 0.86,
        ' '..='~' => 0.64,
        _ => 1.1,
    });
    let ems: f64 = ems.sum();
    ems * font.size() * if is_bold { 1.12 } else { 1.0 }
}

/// Escapes a text for XML. Characters that XML 1.0 does not allow are removed or replaced with
/// spaces.
pub(super) fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, letter| {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => {}
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_by_characters_and_stays_on_one_line() {
        let long = "ü".repeat(41);
        assert_eq!(fitted(&long, Font::Note), "ü".repeat(39) + "…");
        assert_eq!(fitted(&"ü".repeat(40), Font::Note), "ü".repeat(40));
        assert_eq!(fitted("a\nb", Font::Id), "a b");
    }

    #[test]
    fn widths_cover_the_widest_usual_font() {
        // Advances in DejaVu Sans at 12 px, and in its bold at 14 px, rounded up.
        let cases = [
            ("confirm", Font::Id, 59.8),
            ("mmmm", Font::Id, 58.4),
            ("AQUAOOQ", Font::Id, 80.3),
            ("nnnuuubdq", Font::Id, 89.9),
            ("a_b_c-d-0123", Font::Id, 102.4),
            ("money.convert", Font::Kind, 88.9),
            ("gdbpqnuo", Font::Kind, 60.7),
        ];
        for (text, font, real) in cases {
            assert!(width(text, font) >= real, "{text}: {}", width(text, font));
        }
    }
}
