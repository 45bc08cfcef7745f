//! Line wrapping. Lines break at spaces and between ideographs, but never at a no-break space,
//! within a word, or between an amount and its currency.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::money::is_amount;

/// Characters that must not start a line, and characters that must not end one (JIS X 4051).
const NOT_FIRST: &str =
    "、。，．：；！？）］｝」』】〉》ーぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ々";
const NOT_LAST: &str = "（［｛「『【〈《￥＄";

/// A unit without a line break, and whether a space follows it.
struct Word<'t> {
    text: &'t str,
    space: bool,
}

/// Wraps a text to a width. A word that is wider gets its own line. A text that fits stays
/// unchanged, including the spaces that align it.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    if text.width() <= width {
        return vec![text.to_owned()];
    }
    let mut lines = Vec::new();
    let (mut line, mut used, mut space) = (String::new(), 0, false);
    for word in words(text) {
        let length = word.text.width();
        let gap = usize::from(space && used > 0);
        if used > 0 && used + gap + length > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        } else if gap > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word.text);
        used += length;
        space = word.space;
    }
    lines.push(line);
    lines
}

/// Returns the width of the widest word.
pub(super) fn width_min(text: &str) -> usize {
    words(text).map(|word| word.text.width()).max().unwrap_or(0)
}

/// Returns the width of a text on one line.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    spaced(text).into_iter().flat_map(|part| {
        let mut parts: Vec<Word<'_>> = Vec::new();
        let mut rest = part;
        while let Some(at) = division(rest) {
            let (word, later) = rest.split_at(at);
            parts.push(Word { text: word, space: false });
            rest = later;
        }
        parts.push(Word { text: rest, space: true });
        parts
    })
}

/// Splits a text at spaces. An amount and its currency stay together.
fn spaced(text: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = Vec::new();
    let mut last: Option<(usize, &str)> = None;
    let mut at = 0;
    for word in text.split(' ') {
        let (start, end) = (at, at + word.len());
        at = end + 1;
        if word.is_empty() {
            continue;
        }
        match last.filter(|(_, before)| is_amount(before, word)) {
            Some((from, _)) => {
                parts.pop();
                parts.extend(text.get(from..end));
                last = Some((from, word));
            }
            None => {
                parts.push(word);
                last = Some((start, word));
            }
        }
    }
    parts
}

/// Returns the first position at which a line may break within a word: between two ideographs.
fn division(word: &str) -> Option<usize> {
    if word.is_ascii() {
        return None;
    }
    let is_wide = |char: char| char.width() == Some(2);
    let mut before: Option<char> = None;
    word.char_indices().find_map(|(at, char)| {
        let divides = before.is_some_and(|before| is_wide(before) && !NOT_LAST.contains(before))
            && is_wide(char)
            && !NOT_FIRST.contains(char);
        before = Some(char);
        divides.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_between_ideographs() {
        assert_eq!(wrapped("a bc def", 4), ["a bc", "def"]);
        assert_eq!(
            wrapped("the sum of € 1,112.50 is due", 13),
            ["the sum of", "€ 1,112.50 is", "due"]
        );
        assert_eq!(wrapped("EUR 5 USD", 4), ["EUR 5 USD"]);
        assert_eq!(wrapped("a  b", 4), ["a  b"]);
        assert_eq!(wrapped("a 1.234,50\u{a0}€ b", 5), ["a", "1.234,50\u{a0}€", "b"]);
        assert_eq!(wrapped("ご注文を承りました。", 8), ["ご注文を", "承りまし", "た。"]);
        assert_eq!(wrapped("￥1,234 です。", 8), ["￥1,234", "です。"]);
        assert_eq!(wrapped("", 5), [""]);
        assert_eq!((width_min("a bcd\u{a0}e"), width("ご x")), (5, 4));
    }
}
