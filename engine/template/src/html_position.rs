//! Tracks the position in HTML output: between tags, or in a certain attribute. This is a tokenizer
//! that follows the HTML standard (13.2.5) and keeps only its state, so that the writer can escape
//! each value for its context.
//!
//! The contents of conditional comments count as markup, because Outlook renders them.

use super::attribute::Attribute;

/// The position after the text read so far.
#[derive(Debug, Default)]
pub(super) struct HtmlPosition {
    state: State,
    /// Lower-case name of the element whose start tag was read last.
    element: String,
    /// Lower-case name of the attribute that was read last.
    name: String,
    /// Start position of that attribute, including the whitespace before it.
    attribute_start: usize,
    /// Start position of its value.
    value_start: usize,
    attribute: Attribute,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Between tags.
    #[default]
    Content,
    /// In an element whose content is text, such as `title`.
    Rcdata,
    /// In `style` or `script`.
    RawText,
    /// After `<`.
    Open,
    /// After `<!` and this number of dashes.
    Declaring(u8),
    /// After `<!--`, with this number of dashes immediately before the position.
    Comment {
        dashes: u8,
        empty: bool,
    },
    /// After `--!` in a comment. A comment also ends at `--!>`.
    CommentEndBang,
    /// In `</a`, `<!doctype` or `<?xml`, up to the next `>`.
    Closing,
    Element,
    /// Between attributes. `gap` is the start of the whitespace before the position.
    Tag {
        gap: Option<usize>,
    },
    Name,
    /// After the name of an attribute.
    Named {
        gap: usize,
    },
    /// After the `=` of an attribute.
    Equals,
    Value(Quote),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quote {
    None,
    Single,
    Double,
}

/// The context of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueContext {
    /// Between tags.
    Content,
    /// In an element whose content is text, such as `title`.
    Rcdata,
    /// In the value of an attribute.
    Attribute { attribute: Attribute, quoted: bool },
    /// Any other position.
    Other,
}

/// An attribute whose value has just been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EndedAttribute {
    pub(super) attribute: Attribute,
    /// Start position of the attribute, including the whitespace before it.
    pub(super) start: usize,
    /// Start position of its value.
    pub(super) value_start: usize,
    /// Whether the value is quoted. If so, the closing quote is the last byte that was read.
    pub(super) quoted: bool,
}

impl HtmlPosition {
    /// Returns the context of the next value.
    pub(super) const fn value_context(&self) -> ValueContext {
        match self.state {
            State::Content => ValueContext::Content,
            State::Rcdata => ValueContext::Rcdata,
            State::Value(quote) => {
                let quoted = !matches!(quote, Quote::None);
                ValueContext::Attribute { attribute: self.attribute, quoted }
            }
            _ => ValueContext::Other,
        }
    }

    /// Returns the start position of the current attribute's value.
    pub(super) const fn value_start(&self) -> usize {
        self.value_start
    }

    /// Starts an unquoted attribute value if the position is after an `=`. The template prints a
    /// value next.
    pub(super) fn begin_value(&mut self, at: usize) {
        if self.state == State::Equals {
            self.value(Quote::None, at);
        }
    }

    /// Returns the number of bytes of a fixed text that must be read before the rest can be
    /// skipped, and the position at the end of the text. Returns `None` if the effect of the text
    /// at the current position is not known.
    pub(super) fn shortcut<'p>(&self, effect: &'p FixedTextEffect) -> Option<&'p (usize, Self)> {
        match self.state {
            State::Content => effect.content.as_ref(),
            State::Value(Quote::Double) if self.content_state() == State::Content => {
                effect.quoted.as_ref()
            }
            State::Rcdata if self.element == TITLE => effect.title.as_ref(),
            _ => None,
        }
    }

    /// Skips the rest of a fixed text that ends at `end`, after `taken` bytes were read. `here` is
    /// the position of that rest in the output.
    pub(super) fn skip_to(&mut self, taken: usize, end: &Self, here: usize) {
        let moved = |at: usize| at.saturating_sub(taken) + here;
        self.state = match end.state {
            State::Tag { gap } => State::Tag { gap: gap.map(moved) },
            State::Named { gap } => State::Named { gap: moved(gap) },
            state => state,
        };
        // Between tags, the names of the previous element and attribute are not needed. If the text
        // has no start tag, the current element does not change.
        if self.state != State::Content && !end.element.is_empty() {
            self.element.clone_from(&end.element);
        }
        if matches!(self.state, State::Name | State::Named { .. } | State::Equals) {
            self.name.clone_from(&end.name);
        }
        self.attribute = end.attribute;
        self.attribute_start = moved(end.attribute_start);
        self.value_start = moved(end.value_start);
    }

    /// Reads bytes of a text up to the end of an attribute's value, or the whole text, and returns
    /// their number. `base` is the position of the text in the output.
    pub(super) fn read(&mut self, text: &str, base: usize) -> (usize, Option<EndedAttribute>) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(byte) = bytes.get(at).copied() {
            let rest = text.get(at..).unwrap_or_default();
            match self.state {
                State::Content => match rest.find('<') {
                    Some(found) => {
                        at += found + 1;
                        self.state = State::Open;
                    }
                    None => return (bytes.len(), None),
                },
                State::Rcdata | State::RawText => match rest.find("</") {
                    Some(found) => {
                        at += found + "</".len();
                        if self.is_end_tag(text.get(at..).unwrap_or_default()) {
                            self.state = State::Closing;
                        }
                    }
                    None => return (bytes.len(), None),
                },
                State::Closing => match rest.find('>') {
                    Some(found) => {
                        at += found + 1;
                        self.state = State::Content;
                    }
                    None => return (bytes.len(), None),
                },
                State::Value(quote) => match value_length(rest, quote) {
                    Some(length) => {
                        let quoted = quote != Quote::None;
                        at += length + usize::from(quoted);
                        self.state = State::Tag { gap: None };
                        return (at, Some(self.ended(quoted)));
                    }
                    None => return (bytes.len(), None),
                },
                _ => at += self.step(byte, base + at),
            }
        }
        (bytes.len(), None)
    }

    /// Reads one byte in or at the start of a tag. Returns 0 if the byte belongs to the next token.
    fn step(&mut self, byte: u8, here: usize) -> usize {
        let space = byte.is_ascii_whitespace();
        match (self.state, byte) {
            (State::Open, b'!') => self.state = State::Declaring(0),
            (State::Open, b'/' | b'?') => self.state = State::Closing,
            (State::Open, _) if byte.is_ascii_alphabetic() => {
                self.element.clear();
                self.state = State::Element;
                return 0;
            }
            (State::Open, _) => {
                self.state = State::Content;
                return 0;
            }
            (State::Declaring(0), b'-') => self.state = State::Declaring(1),
            (State::Declaring(1), b'-') => self.state = State::Comment { dashes: 0, empty: true },
            (State::Declaring(_), _) => {
                self.state = State::Closing;
                return 0;
            }
            // The contents of `<!--[if mso]>` are markup.
            (State::Comment { empty: true, .. }, b'[') => self.state = State::Closing,
            (State::Comment { empty: true, .. }, b'>') => self.state = State::Content,
            (State::Comment { dashes: 2.., .. }, b'>') => self.state = State::Content,
            (State::Comment { dashes: 2.., .. }, b'!') => self.state = State::CommentEndBang,
            (State::CommentEndBang, b'>') => self.state = State::Content,
            (State::CommentEndBang, b'-') => {
                self.state = State::Comment { dashes: 1, empty: false };
            }
            (State::CommentEndBang, _) => {
                self.state = State::Comment { dashes: 0, empty: false };
            }
            (State::Comment { dashes, .. }, b'-') => {
                self.state = State::Comment { dashes: dashes.saturating_add(1), empty: false };
            }
            (State::Comment { .. }, _) => {
                self.state = State::Comment { dashes: 0, empty: false };
            }
            (State::Element, b'>') | (State::Tag { .. } | State::Named { .. }, b'>') => {
                self.enter_content();
            }
            (State::Equals, b'>') => self.enter_content(),
            (State::Element, _) if space || byte == b'/' => {
                self.state = State::Tag { gap: space.then_some(here) };
            }
            (State::Element, _) => self.element.push(char::from(byte.to_ascii_lowercase())),
            (State::Tag { gap }, _) if space => {
                self.state = State::Tag { gap: Some(gap.unwrap_or(here)) };
            }
            (State::Tag { .. }, b'/') => self.state = State::Tag { gap: None },
            (State::Tag { gap }, _) => {
                self.attribute_start = gap.unwrap_or(here);
                self.name.clear();
                self.state = State::Name;
                self.name.push(char::from(byte.to_ascii_lowercase()));
            }
            (State::Name, b'=') | (State::Named { .. }, b'=') => self.state = State::Equals,
            (State::Name, b'>' | b'/') => {
                self.state = State::Tag { gap: None };
                return 0;
            }
            (State::Name, _) if space => self.state = State::Named { gap: here },
            (State::Name, _) => self.name.push(char::from(byte.to_ascii_lowercase())),
            (State::Named { .. }, _) if space => {}
            (State::Named { gap }, _) => {
                self.state = State::Tag { gap: Some(gap) };
                return 0;
            }
            (State::Equals, _) if space => {}
            (State::Equals, b'"') => self.value(Quote::Double, here + 1),
            (State::Equals, b'\'') => self.value(Quote::Single, here + 1),
            (State::Equals, _) => {
                self.value(Quote::None, here);
                return 0;
            }
            _ => {}
        }
        1
    }

    fn value(&mut self, quote: Quote, at: usize) {
        self.value_start = at;
        self.attribute = Attribute::named(&self.name);
        self.state = State::Value(quote);
    }

    fn ended(&self, quoted: bool) -> EndedAttribute {
        let (attribute, start) = (self.attribute, self.attribute_start);
        EndedAttribute { attribute, start, value_start: self.value_start, quoted }
    }

    /// Enters the content of the element whose start tag has ended.
    fn enter_content(&mut self) {
        self.state = self.content_state();
    }

    /// Returns the state for the content of the current element.
    fn content_state(&self) -> State {
        match self.element.as_str() {
            TITLE | "textarea" => State::Rcdata,
            "style" | "script" => State::RawText,
            _ => State::Content,
        }
    }

    fn is_end_tag(&self, name: &str) -> bool {
        name.get(..self.element.len()).is_some_and(|name| name.eq_ignore_ascii_case(&self.element))
    }

    /// Adjusts the positions after text was inserted. `moved` maps an old position to the new one.
    pub(super) fn shift(&mut self, moved: impl Fn(usize) -> usize) {
        self.attribute_start = moved(self.attribute_start);
        self.value_start = moved(self.value_start);
    }
}

const TITLE: &str = "title";
const TITLE_END: &str = "</title>";

/// The effect of a fixed text on the position, computed once when the template is loaded. Most
/// texts start between tags or within an attribute. A field is `None` if the text, read from the
/// position of the field, has an attribute that is not allowed.
#[derive(Debug)]
pub(super) struct FixedTextEffect {
    /// The number of bytes to read before the rest is skipped, and the end position, if the text
    /// starts between tags.
    content: Option<(usize, HtmlPosition)>,
    /// The same if the text starts in a double-quoted value: the length including the closing
    /// quote, and the end position.
    quoted: Option<(usize, HtmlPosition)>,
    /// The same if the text starts in the title of the document: the length including the end tag,
    /// and the end position.
    title: Option<(usize, HtmlPosition)>,
}

impl FixedTextEffect {
    /// Computes the effect of a text.
    pub(super) fn of(text: &str) -> Self {
        let quoted = text.find('"').and_then(|at| {
            let (length, place) = (
                at + 1,
                HtmlPosition { state: State::Tag { gap: None }, ..HtmlPosition::default() },
            );
            Some((length, position_after(place, text, length)?))
        });
        let title = text.find("</").and_then(|at| {
            let length = at + TITLE_END.len();
            let closes = text.get(at..length)?.eq_ignore_ascii_case(TITLE_END);
            let place = closes.then(HtmlPosition::default)?;
            Some((length, position_after(place, text, length)?))
        });
        let content = position_after(HtmlPosition::default(), text, 0).map(|place| (0, place));
        Self { content, quoted, title }
    }
}

/// Returns the position after a text that is read from `at`, or `None` if it has an attribute that
/// is not allowed.
fn position_after(mut place: HtmlPosition, text: &str, mut at: usize) -> Option<HtmlPosition> {
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let (taken, ended) = place.read(rest, at);
        at += taken;
        if let Some(EndedAttribute { attribute, value_start, quoted, .. }) = ended {
            let value = text.get(value_start..at - usize::from(quoted)).unwrap_or_default();
            if !attribute.allows(value) {
                return None;
            }
        }
    }
    Some(place)
}

/// Returns the remaining length of an attribute's value, if it ends in this text.
fn value_length(rest: &str, quote: Quote) -> Option<usize> {
    match quote {
        Quote::Double => rest.find('"'),
        Quote::Single => rest.find('\''),
        Quote::None => rest.find(|char: char| char.is_ascii_whitespace() || char == '>'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the position after a text. Asserts that the result does not depend on how the text
    /// is split.
    fn position_after_text(text: &str) -> HtmlPosition {
        let taken = |parts: [&str; 2]| {
            let (mut place, mut base) = (HtmlPosition::default(), 0);
            for mut part in parts {
                while !part.is_empty() {
                    let (taken, _) = place.read(part, base);
                    base += taken;
                    part = part.get(taken..).unwrap();
                }
            }
            place
        };
        let whole = taken([text, ""]);
        for (at, _) in text.char_indices() {
            let (first, second) = text.split_at(at);
            // The end tag of a style sheet is recognized only if it is not split.
            if first.ends_with('<') || first.contains("</") {
                continue;
            }
            let divided = taken([first, second]);
            assert_eq!(format!("{divided:?}"), format!("{whole:?}"), "{first:?} {second:?}");
        }
        whole
    }

    #[test]
    fn positions_follow_the_html_standard() {
        let attribute = |name: &str, quoted| ValueContext::Attribute {
            attribute: Attribute::named(name),
            quoted,
        };
        for (text, spot) in [
            ("", ValueContext::Content),
            ("<p>1 < 2 ", ValueContext::Content),
            ("<p", ValueContext::Other),
            ("<p class", ValueContext::Other),
            ("<p class='a'", ValueContext::Other),
            ("<a title=\"b\" HREF = \"x", attribute("href", true)),
            ("<a href='\"", attribute("href", true)),
            ("<a hidden href=x", attribute("href", false)),
            ("<a href=x>", ValueContext::Content),
            ("<a href=x/>", ValueContext::Content),
            ("<title>a", ValueContext::Rcdata),
            ("<title>a</title>", ValueContext::Content),
            ("<style>a > b </b ", ValueContext::Other),
            ("<style>a</STYLE >", ValueContext::Content),
            ("<!-- <p> -- ", ValueContext::Other),
            ("<!-- <p> --->", ValueContext::Content),
            ("<!-- <p> --!>", ValueContext::Content),
            ("<!-- <p> --!->", ValueContext::Other),
            ("<!--[if mso]><a href=\"", attribute("href", true)),
            ("<!--[if mso]></td><![endif]-->", ValueContext::Content),
            ("<!--[if !mso]><!--><b", ValueContext::Other),
            ("<!--[if !mso]><!--><p><!--<![endif]-->", ValueContext::Content),
            ("<!doctype html><?x ?>", ValueContext::Content),
            ("<v:rect xlink:href=\"", attribute("xlink:href", true)),
        ] {
            assert_eq!(position_after_text(text).value_context(), spot, "{text}");
        }
    }

    #[test]
    fn a_fixed_text_ends_at_the_same_position_as_its_characters() {
        for (before, text) in [
            ("", "<p>x</p><a href=\""),
            ("a", "b<!-- c -->d"),
            ("<p class=\"", "x\"><style>p{}</style><b title='y' id=\""),
            ("<p class=\"", "\" id"),
            ("<p class=\"", "\" id = "),
            ("<p class=\"", "\">a <"),
            ("<p class=\"", "no end"),
            ("<title lang=\"", "\">a"),
            ("<title>a", " b</TITLE><p class=\"x\"><a id=\""),
            ("<title>a", "</b></title><p id=\""),
            ("<textarea>a", "</title><p id=\""),
            ("<p class='", "'>a <b id=\""),
        ] {
            let mut slow = HtmlPosition::default();
            let mut quick = HtmlPosition::default();
            let take = |place: &mut HtmlPosition, text: &str, base: usize| {
                let mut at = 0;
                while at < text.len() {
                    at += place.read(text.get(at..).unwrap(), base + at).0;
                }
            };
            take(&mut slow, before, 0);
            take(&mut slow, text, before.len());
            take(&mut quick, before, 0);
            let effect = FixedTextEffect::of(text);
            match quick.shortcut(&effect) {
                Some((at, end)) => {
                    take(&mut quick, text.get(..*at).unwrap(), before.len());
                    quick.skip_to(*at, end, before.len() + at);
                }
                None => take(&mut quick, text, before.len()),
            }
            assert_eq!(
                (quick.value_context(), quick.state),
                (slow.value_context(), slow.state),
                "{before}|{text}"
            );
            if slow.state != State::Content {
                assert_eq!(quick.element, slow.element, "{before}|{text}");
            }
            if matches!(slow.state, State::Value(_)) {
                let places = |place: &HtmlPosition| (place.attribute_start, place.value_start);
                assert_eq!(places(&quick), places(&slow), "{before}|{text}");
            }
        }
    }

    #[test]
    fn an_attribute_ends_with_its_value() {
        for (text, start, value_start, taken) in [
            ("<a  href=\"x\" b>", 2, 10, 12),
            ("<a title='y'href='x'>", 12, 18, 20),
            ("<a href=x>", 2, 8, 9),
            ("<a b href = x >", 4, 12, 13),
        ] {
            let (mut place, mut at) = (HtmlPosition::default(), 0);
            let ended = loop {
                let (taken, ended) = place.read(text.get(at..).unwrap(), at);
                at += taken;
                match ended {
                    Some(ended) if ended.attribute == Attribute::Link => break ended,
                    _ => assert!(at < text.len(), "{text}"),
                }
            };
            assert_eq!((ended.start, ended.value_start, at), (start, value_start, taken), "{text}");
        }
    }
}
