//! Images: their `alt` in brackets, separated from adjacent text by spaces. An image whose `alt`
//! repeats the adjacent text is removed.

use super::flow::{Flow, Gap, is_mark};

/// Characters after which no space is added, and characters before which no space is added.
const OPENING: &str = "([{«„“‚‘¿¡/-";
const CLOSING: &str = ")]}»”’.,;:!?/-、。";

/// The brackets around an image's `alt` until the text is complete. They are noncharacters, so that
/// text in brackets is not mistaken for an image.
pub(super) const OPEN: char = '\u{fdd0}';
pub(super) const CLOSE: char = '\u{fdd1}';

impl Flow<'_, '_> {
    /// Writes the `alt` of an image in brackets, separated from the adjacent text by spaces.
    pub(super) fn image(&mut self, alt: &str) {
        self.begin_image();
        self.inline.push(OPEN);
        self.text(alt);
        self.inline.push(CLOSE);
        self.is_after_image = true;
    }

    /// Writes the URL of a linked image without `alt`, separated from the adjacent text by spaces.
    pub(super) fn image_target(&mut self, target: &str) {
        self.begin_image();
        self.text(target);
        self.is_after_image = true;
    }

    fn begin_image(&mut self) {
        self.is_after_image = false;
        let is_open = |last: char| last.is_whitespace() || is_mark(last) || OPENING.contains(last);
        if self.inline.chars().next_back().is_some_and(|last| !is_open(last)) {
            self.inline.push(' ');
        }
    }

    /// Returns whether the previous line is a linked image with this `alt`.
    pub(super) fn repeats_linked_image(&self, text: &str) -> bool {
        let line = self.lines.last().filter(|_| self.gap != Gap::Nothing);
        line.and_then(|line| linked_image(line)).is_some_and(|(alt, _)| alt == text)
    }

    /// Removes the previous line if it contains only an image whose `alt` the given text repeats.
    pub(super) fn drop_repeated_image(&mut self, text: &str) {
        let Some(line) = self.lines.last().filter(|_| self.gap != Gap::Nothing) else { return };
        let is_link = linked_image(line).is_some_and(|(alt, number)| {
            let rest = text.strip_prefix('[').and_then(|rest| rest.strip_prefix(alt));
            rest.and_then(|rest| rest.strip_prefix(']')) == Some(number)
        });
        if is_link || image_alt(line).is_some_and(|alt| starts_with_words(text, alt)) {
            self.lines.pop();
            while self.lines.last().is_some_and(String::is_empty) {
                self.lines.pop();
            }
            self.gap = Gap::Blank;
        }
    }
}

/// Returns the `alt` of an image and the number of its link, such as `[1]`, if a line contains
/// nothing else.
fn linked_image(line: &str) -> Option<(&str, &str)> {
    let (alt, number) = line.strip_prefix(OPEN)?.split_once(CLOSE)?;
    let digits = number.strip_prefix('[')?.strip_suffix(']')?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then_some((alt, number))
}

/// Returns whether a character may directly follow an image.
pub(super) fn may_follow_image(char: char) -> bool {
    char.is_whitespace() || CLOSING.contains(char) || is_mark(char)
}

/// Returns the `alt` of an image if a line contains nothing else.
pub(super) fn image_alt(line: &str) -> Option<&str> {
    let alt = line.trim().strip_prefix(OPEN)?.strip_suffix(CLOSE)?;
    (!alt.is_empty() && !alt.contains([OPEN, CLOSE])).then_some(alt)
}

/// Returns whether a text starts with these words.
fn starts_with_words(text: &str, words: &str) -> bool {
    let text = text.strip_prefix('[').unwrap_or(text);
    text.strip_prefix(words).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}

/// Returns a text without its leading image, if the rest of the text starts with the same words.
pub(super) fn without_leading_image(text: &str) -> &str {
    let picture = text.strip_prefix(OPEN).and_then(|rest| rest.split_once(CLOSE));
    match picture {
        Some((alt, rest)) if !alt.is_empty() && starts_with_words(rest.trim_start(), alt) => {
            rest.trim_start()
        }
        _ => text,
    }
}

/// Returns whether a text contains these words.
pub(super) fn mentions(text: &str, words: &str) -> bool {
    text.match_indices(words).any(|(at, _)| {
        let (before, rest) = text.split_at(at);
        !before.ends_with(char::is_alphanumeric) && starts_with_words(rest, words)
    })
}

#[cfg(test)]
mod tests {
    use super::super::text_of;
    use super::*;

    #[test]
    fn an_image_is_separated_from_adjacent_text() {
        for (html, text) in [
            ("<img alt=Check>Free shipping", "[Check] Free shipping"),
            ("New:<img alt=Hot>, and (<img alt=a>)", "New: [Hot], and ([a])"),
            (
                "<a href='https://a.example'><img alt=Shop></a>now",
                "[Shop][1] now\n\n[1]: https://a.example",
            ),
            ("<img alt=''>x", "x"),
        ] {
            assert_eq!(text_of(html), format!("{text}\n"), "{html}");
        }
    }

    #[test]
    fn an_image_that_repeats_adjacent_text_is_removed() {
        for (html, text) in [
            ("<p><img alt=Tea></p><p>Tea, 500 g</p>", "Tea, 500 g"),
            ("<p><img alt=Tea></p><p>Teapot</p>", "[Tea]\n\nTeapot"),
            ("<p>x</p><p><img alt=Tea></p><p>Tea</p>", "x\n\nTea"),
            ("<img alt=Tea><br>Tea, 500 g", "Tea, 500 g"),
            ("<img alt=Tea> Teapot", "[Tea] Teapot"),
            (
                "<img alt=Tea><a href='https://a.example'>Tea</a>",
                "[Tea][1]\n\n[1]: https://a.example",
            ),
            ("<table><tr><td><img alt=Cup><td>1 x Cup<td>€1</tr></table>", "1 x Cup  €1"),
            (
                "<p><a href='https://a.example'><img alt=Buy></a></p><p>Buy</p><p>x</p>",
                "[Buy][1]\n\nx\n\n[1]: https://a.example",
            ),
            ("<p>[Tea]</p><p>Tea, 500 g</p>", "[Tea]\n\nTea, 500 g"),
            ("<p>[50] packed</p><p>[50] packed</p>", "[50] packed\n\n[50] packed"),
            ("<p>[1] 1 x Tea</p>", "[1] 1 x Tea"),
            ("<table><tr><td>Row 12<td>[12]</tr></table>", "Row 12  [12]"),
            ("<table><tr><td>[7]<td>Set of 7 cups<td>1</tr></table>", "[7]  Set of 7 cups  1"),
            (
                "<div><a href='https://a.example'>Tea</a></div><div><a href='https://a.example'>Tea</a></div>",
                "[Tea][1]\n[Tea][1]\n\n[1]: https://a.example",
            ),
            (
                "<p><a href='https://a.example'>Berlin</a>, ordered by Jo</p><p>Berlin</p>",
                "[Berlin][1], ordered by Jo\n\nBerlin\n\n[1]: https://a.example",
            ),
            ("<p>\u{fdd0}Tea\u{fdd1}</p><p>Tea</p>", "Tea\n\nTea"),
        ] {
            assert_eq!(text_of(html), format!("{text}\n"), "{html}");
        }
        assert!(mentions("2 x Tea (green)", "Tea") && !mentions("Steam", "Tea"));
    }
}
