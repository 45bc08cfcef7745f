//! Output of a rendering: limited in size, with values escaped for the format and their context.

use std::borrow::Cow;
use std::fmt;

use oms_core::mail::UrlPart;

use super::attribute::Attribute;
use super::entity::decoded;
use super::html_position::{EndedAttribute, FixedTextEffect, HtmlPosition, ValueContext};
use super::isolation::{IsolateMarkup, Isolation, without_bidi_controls};
use super::render::RENDERED_BYTES_MAX;

/// How values are escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// Plain text, not escaped.
    None,
    /// HTML: the same characters as Handlebars in content and quoted attributes, and
    /// percent-encoding in URLs.
    Html,
    /// CSV (RFC 4180): a value fills a whole field.
    Csv,
    /// Another format, such as JSON for a program: a value is written unchanged, without
    /// percent-encoding or isolation.
    File,
}

/// Maximum number of bytes of a URL that are examined to find its current part. In a longer URL,
/// the current position counts as part of the query.
const WRITTEN_MAX: usize = 4096;

/// Prefixes of a URL in running text.
const VISIBLE_SCHEMES: [&str; 3] = ["https://", "http://", "mailto:"];
const VISIBLE_SCHEME_MIN: usize = "http://".len();

/// Output of at most [`RENDERED_BYTES_MAX`] bytes. Writing fails if it would become larger.
pub(super) struct Writer {
    text: String,
    escape: Escape,
    isolation: Isolation,
    /// The position in HTML at the end of the text.
    place: HtmlPosition,
}

impl Writer {
    pub(super) fn new(bytes_expected: usize, escape: Escape, isolating: Isolation) -> Self {
        let text = String::with_capacity(bytes_expected.min(RENDERED_BYTES_MAX));
        Self { text, escape, isolation: isolating, place: HtmlPosition::default() }
    }

    pub(super) const fn escape(&self) -> Escape {
        self.escape
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// Writes fixed text of a template.
    pub(super) fn fixed(&mut self, text: &str, effect: &FixedTextEffect) -> fmt::Result {
        let known = match self.escape {
            Escape::Html => self.place.shortcut(effect),
            _ => None,
        };
        let parts = known.and_then(|(at, end)| Some((*at, end, text.split_at_checked(*at)?)));
        let Some((taken, end, (first, rest))) = parts else {
            return self.raw(text);
        };
        self.raw(first)?;
        self.place.skip_to(taken, end, self.text.len());
        self.push(rest)
    }

    /// Writes text without escaping it. In HTML, links that are not allowed are removed.
    fn raw(&mut self, text: &str) -> fmt::Result {
        if self.escape != Escape::Html {
            return self.push(text);
        }
        let mut rest = text;
        while !rest.is_empty() {
            let (taken, ended) = self.place.read(rest, self.text.len());
            let (now, later) = rest.split_at(taken);
            self.push(now)?;
            if let Some(ended) = ended {
                self.end_attribute(&ended);
            }
            rest = later;
        }
        Ok(())
    }

    /// Writes a value. It is escaped for its context if `escaped`, and isolated in right-to-left
    /// text.
    pub(super) fn value(&mut self, text: &str, escaped: bool) -> fmt::Result {
        match self.escape {
            _ if !escaped && self.escape == Escape::Html => self.raw(text),
            Escape::Html => self.html_value(text),
            Escape::Csv if escaped => self.field(text, is_formula(text)),
            Escape::Csv => self.push(text),
            Escape::None => self.visible_text(text, IsolateMarkup::Characters, Self::push),
            Escape::File => self.push(text),
        }
    }

    /// Writes a number or a boolean. In CSV these are never formulas, whatever their first
    /// character.
    pub(super) fn plain(&mut self, text: &str) -> fmt::Result {
        match self.escape {
            Escape::Csv => self.push(text),
            _ => self.value(text, true),
        }
    }

    /// Writes a number or an amount in the format of the locale. In CSV it may start with a minus
    /// sign without being a formula.
    pub(super) fn amount(&mut self, text: &str) -> fmt::Result {
        match self.escape {
            Escape::Csv => self.field(text, false),
            _ => self.value(text, true),
        }
    }

    /// Writes text from the template's author: escaped like a value, but not isolated.
    pub(super) fn author_text(&mut self, text: &str) -> fmt::Result {
        match self.escape {
            Escape::Html => match self.value_context() {
                ValueContext::Attribute {
                    attribute: Attribute::Link | Attribute::Source,
                    quoted,
                } => {
                    let mut encoded = String::with_capacity(text.len());
                    self.url_part().encode_fixed(text, &mut encoded);
                    self.html(&encoded, quoted)
                }
                ValueContext::Attribute { quoted, .. } => self.html(text, quoted),
                ValueContext::Content | ValueContext::Rcdata => self.html(text, true),
                ValueContext::Other => self.in_tag(text),
            },
            Escape::Csv => self.field(text, is_formula(text)),
            Escape::None | Escape::File => self.push(text),
        }
    }

    fn push(&mut self, text: &str) -> fmt::Result {
        if self.text.len() + text.len() > RENDERED_BYTES_MAX {
            return Err(fmt::Error);
        }
        self.text.push_str(text);
        Ok(())
    }

    fn value_context(&mut self) -> ValueContext {
        self.place.begin_value(self.text.len());
        self.place.value_context()
    }

    fn html_value(&mut self, text: &str) -> fmt::Result {
        match self.value_context() {
            ValueContext::Content => {
                self.visible_text(text, IsolateMarkup::Element, |writer, text| {
                    writer.html(text, true)
                })
            }
            ValueContext::Rcdata => {
                self.visible_text(text, IsolateMarkup::Characters, |writer, text| {
                    writer.html(text, true)
                })
            }
            ValueContext::Attribute { attribute: Attribute::Text, quoted } => {
                self.visible_text(text, IsolateMarkup::Characters, |writer, text| {
                    writer.html(text, quoted)
                })
            }
            ValueContext::Attribute { attribute: Attribute::Link | Attribute::Source, quoted } => {
                let part = self.url_part();
                self.url(text, part, quoted)
            }
            ValueContext::Attribute { attribute: Attribute::Style, quoted } => {
                match self.style_url() {
                    Some(part) => self.url(text, part, quoted),
                    None => self.html(text, quoted),
                }
            }
            ValueContext::Attribute { attribute: Attribute::Plain, quoted } => {
                self.html(text, quoted)
            }
            ValueContext::Other => self.in_tag(text),
        }
    }

    /// Writes a value into a tag, where it may be the name of an attribute.
    fn in_tag(&mut self, text: &str) -> fmt::Result {
        let start = self.text.len();
        self.html(text, true)?;
        let written = self.text.split_off(start);
        self.raw(&written)
    }

    /// Writes a visible value: percent-encoded if it is part of a visible URL, otherwise isolated
    /// in right-to-left text.
    fn visible_text(
        &mut self,
        text: &str,
        marks: IsolateMarkup,
        write: impl Fn(&mut Self, &str) -> fmt::Result,
    ) -> fmt::Result {
        if let Some(part) = self.visible_url() {
            let mut encoded = String::with_capacity(text.len());
            part.encode(text, &mut encoded);
            return write(self, &encoded);
        }
        if !self.isolation.applies_to(text) {
            return write(self, text);
        }
        let (before, after) = marks.around();
        self.push(before)?;
        write(self, &without_bidi_controls(text))?;
        self.push(after)
    }

    /// Returns the part of the URL at the current position of the attribute.
    fn url_part(&self) -> UrlPart {
        match self.written() {
            long if long.len() > WRITTEN_MAX => UrlPart::Query,
            written => UrlPart::after(&without_references(written)),
        }
    }

    /// Returns the current attribute's value so far.
    fn written(&self) -> &str {
        self.text.get(self.place.value_start()..).unwrap_or_default()
    }

    /// Returns the part of the URL at the current position, if the text ends in a visible URL.
    fn visible_url(&self) -> Option<UrlPart> {
        let last = self.text.floor_char_boundary(self.text.len().saturating_sub(WRITTEN_MAX + 1));
        let tail = self.text.get(last..)?;
        let before = tail.bytes().rposition(|byte| b" \n\t\r<>\"([".contains(&byte));
        let word = match before {
            Some(before) => tail.get(before + 1..)?,
            None if last == 0 => tail,
            None => return None,
        };
        if !(VISIBLE_SCHEME_MIN..=WRITTEN_MAX).contains(&word.len()) {
            return None;
        }
        let start = VISIBLE_SCHEMES.iter().filter_map(|scheme| word.rfind(scheme)).max()?;
        let url = word.get(start..)?;
        // Most words are plain text, in which no reference has to be decoded.
        let url: Cow<'_, str> = match self.escape == Escape::Html && url.contains('&') {
            true => Cow::Owned(decoded(url).collect()),
            false => Cow::Borrowed(url),
        };
        let goes_on = !url.contains(ends_url) && !url.ends_with([';', '.', '!']);
        goes_on.then(|| UrlPart::after(&url))
    }

    /// Returns the part of the URL at the current position of a CSS declaration, if it is within
    /// `url()`.
    fn style_url(&self) -> Option<UrlPart> {
        let written = self.written();
        let last = written.ceil_char_boundary(written.len().saturating_sub(WRITTEN_MAX));
        let (_, url) =
            written.get(last..)?.rsplit_once("url(").filter(|(_, url)| !url.contains(')'))?;
        let url = without_references(url);
        Some(UrlPart::after(url.trim_start_matches(['\'', '"', ' '])))
    }

    fn url(&mut self, text: &str, part: UrlPart, quoted: bool) -> fmt::Result {
        let mut encoded = String::with_capacity(text.len());
        part.encode(text, &mut encoded);
        if self.value_context() == (ValueContext::Attribute { attribute: Attribute::Style, quoted })
        {
            // These characters end an unquoted or quoted URL in `url()`.
            encoded = encoded.replace('\'', "%27").replace('(', "%28").replace(')', "%29");
        }
        self.html(&encoded, quoted)
    }

    /// Removes an attribute with a URL that is not allowed.
    fn end_attribute(&mut self, ended: &EndedAttribute) {
        let end = self.text.len() - usize::from(ended.quoted);
        let value = self.text.get(ended.value_start..end).unwrap_or_default();
        if !ended.attribute.allows(value) {
            self.text.truncate(ended.start);
        }
    }

    /// Writes text with HTML's special characters escaped. In an unquoted attribute, whitespace is
    /// escaped as well.
    fn html(&mut self, text: &str, quoted: bool) -> fmt::Result {
        let special = |byte| is_special(byte) || !quoted && byte.is_ascii_whitespace();
        let mut rest = text;
        while let Some(at) = rest.bytes().position(special) {
            let (clean, special) = rest.split_at(at);
            self.push(clean)?;
            let mut chars = special.chars();
            self.push(match chars.next() {
                Some('<') => "&lt;",
                Some('>') => "&gt;",
                Some('"') => "&quot;",
                Some('&') => "&amp;",
                Some('\'') => "&#x27;",
                Some('`') => "&#x60;",
                Some('=') => "&#x3D;",
                _ => "&#x20;",
            })?;
            rest = chars.as_str();
        }
        self.push(rest)
    }

    /// Writes a CSV field, marked as text if a spreadsheet would read it as a formula.
    fn field(&mut self, text: &str, formula: bool) -> fmt::Result {
        let quoted = formula
            || text.starts_with(' ')
            || text.ends_with(' ')
            || text.contains([',', ';', '"', '\n', '\r']);
        if !quoted {
            return self.push(text);
        }
        self.push(if formula { "\"'" } else { "\"" })?;
        self.push(&text.replace('"', "\"\""))?;
        self.push("\"")
    }

    /// Indents each line from `start` on, for a partial that is alone on its line.
    pub(super) fn indent(&mut self, start: usize, indent: &str) -> fmt::Result {
        if indent.is_empty() {
            return Ok(());
        }
        // If the partial ends an attribute that is not allowed, the removed attribute began before
        // the partial.
        let start = start.min(self.text.len());
        let lines = self.text.split_off(start);
        // Start positions of the lines before indentation.
        let mut begins = Vec::new();
        let mut at = start;
        for line in lines.split_inclusive('\n') {
            begins.push(at);
            at += line.len();
            self.push(indent)?;
            self.push(line)?;
        }
        self.place
            .shift(|place| place + indent.len() * begins.partition_point(|begin| *begin <= place));
        Ok(())
    }
}

/// Returns whether a spreadsheet would read a field as a formula (OWASP, "CSV Injection"). Lines of
/// an attachment end in CRLF, so a leading line feed becomes a carriage return.
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])
}

/// Returns whether a character cannot be part of a URL in text (RFC 3986, 2).
fn ends_url(char: char) -> bool {
    char.is_whitespace() || "<>\"'()[]{}|\\^`,".contains(char)
}

/// Returns a text without the `#` of numeric character references, so that it is not mistaken for
/// the start of a fragment.
fn without_references(text: &str) -> Cow<'_, str> {
    if text.contains("&#") { Cow::Owned(text.replace("&#", "&")) } else { Cow::Borrowed(text) }
}

const fn is_special(byte: u8) -> bool {
    matches!(byte, b'<' | b'>' | b'"' | b'&' | b'\'' | b'`' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_escaped_as_in_handlebars() {
        for text in ["<script>alert('x')</script>", "\" onload=\"x", "a&b`c", "plain", "", "Ωß<"]
        {
            let mut writer = Writer::new(0, Escape::Html, Isolation::Nothing);
            writer.value(text, true).unwrap();
            assert_eq!(writer.into_text(), handlebars::html_escape(text));
        }
    }

    fn written(isolating: Isolation, parts: &[&str]) -> String {
        let mut writer = Writer::new(0, Escape::Html, isolating);
        for (at, part) in parts.iter().enumerate() {
            if at % 2 == 0 { writer.raw(part) } else { writer.value(part, true) }.unwrap();
        }
        writer.into_text()
    }

    #[test]
    fn a_value_is_escaped_for_its_context() {
        for (parts, html) in [
            (
                &[
                    "<a href=\"https://a.example/o?e=",
                    "j+x@y.example",
                    "&n=",
                    "A & B=1",
                    "\">x</a>",
                ][..],
                "<a href=\"https://a.example/o?e=j%2Bx%40y.example&n=A%20%26%20B%3D1\">x</a>",
            ),
            (
                &["<a href='", "https://a.example/?a=1&b=ü", "/", "c/d", "'>x"],
                "<a href='https://a.example/?a&#x3D;1&amp;b&#x3D;%C3%BC/c%2Fd'>x",
            ),
            (
                &["<a href=\"", "javascript:alert(1)", "\" id=\"a\">", "<b>", "</a>"],
                "<a id=\"a\">&lt;b&gt;</a>",
            ),
            (&["<a id=a href=", "javascript:alert(1)", ">x</a>"], "<a id=a>x</a>"),
            (
                &["<a href=", "https://a.example/ x", " id=a>x</a>"],
                "<a href=https://a.example/%20x id=a>x</a>",
            ),
            (&["<a title=", "a b", ">x</a>"], "<a title=a&#x20;b>x</a>"),
            (
                &["<a href=\"&#106;avascript:", "x", "\">y</a><a href='//a.example'>z</a>"],
                "<a>y</a><a>z</a>",
            ),
            (&["<a href=\"#", "a b", "\">x</a>"], "<a href=\"#a%20b\">x</a>"),
            (
                &["<a href=\"mailto:", "j+x@y.example?bcc=z", "?subject=", "a+b c", "\">x</a>"],
                "<a href=\"mailto:j+x@y.example%3Fbcc%3Dz?subject=a%2Bb%20c\">x</a>",
            ),
            (
                &[
                    "<b style=\"background: url('https://a.example/",
                    "a')b",
                    "'); color: ",
                    "red",
                    "\">x</b>",
                ],
                "<b style=\"background: url('https://a.example/a%27%29b'); color: red\">x</b>",
            ),
            (
                &["<!--[if mso]><v:rect href=\"", "javascript:x", "\"><![endif]-->"],
                "<!--[if mso]><v:rect><![endif]-->",
            ),
            (
                &["<a href=\"https://a.example/?a&#x3D;1/", "a/b", "\">x</a>"],
                "<a href=\"https://a.example/?a&#x3D;1/a%2Fb\">x</a>",
            ),
        ] {
            assert_eq!(written(Isolation::Nothing, parts), html, "{parts:?}");
            let mut writer = Writer::new(0, Escape::Html, Isolation::Nothing);
            for (at, part) in parts.iter().enumerate() {
                let fixed = at % 2 == 0;
                if fixed {
                    writer.fixed(part, &FixedTextEffect::of(part))
                } else {
                    writer.value(part, true)
                }
                .unwrap();
            }
            assert_eq!(writer.into_text(), html, "{parts:?}");
        }
    }

    #[test]
    fn visible_values_in_right_to_left_text_are_isolated() {
        let parts = [
            "<title>",
            "A-1",
            "</title><p title=\"",
            "A-1",
            "\" class=\"",
            "A-1",
            "\"><a href=\"https://a.example/",
            "A-1",
            "\">",
            "A-1",
            "</a>",
        ];
        assert_eq!(
            written(Isolation::All, &parts),
            "<title>\u{2068}A-1\u{2069}</title><p title=\"\u{2068}A-1\u{2069}\" class=\"A-1\"><a href=\"https://a.example/A-1\"><bdi>A-1</bdi></a>"
        );
        assert_eq!(
            written(
                Isolation::All,
                &["<p>https://a.example/", "A 1", "?b=", "c&d", " ", "e", "</p>"]
            ),
            "<p>https://a.example/A%201?b=c%26d <bdi>e</bdi></p>"
        );
        assert_eq!(
            written(Isolation::All, &["<p>", "A-1", " ", "\u{202e}محمد", "</p>"]),
            "<p><bdi>A-1</bdi> <bdi>محمد</bdi></p>"
        );
        assert_eq!(
            written(Isolation::Nothing, &["<p>", "A-1", " ", "\u{202e}محمد", "</p>"]),
            "<p>A-1 \u{202e}محمد</p>"
        );
    }

    #[test]
    fn a_value_in_csv_is_one_field_and_never_a_formula() {
        for (text, field) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "\"'=1+1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\n=1+1", "\"'\n=1+1\""),
            ("-12,50", "\"'-12,50\""),
            ("Ω", "Ω"),
            ("", ""),
        ] {
            let mut writer = Writer::new(0, Escape::Csv, Isolation::Nothing);
            writer.value(text, true).unwrap();
            assert_eq!(writer.into_text(), field);
        }
        for (amount, field) in [("-12.50", "-12.50"), ("-12,50 €", "\"-12,50 €\"")] {
            let mut writer = Writer::new(0, Escape::Csv, Isolation::Nothing);
            writer.amount(amount).unwrap();
            assert_eq!(writer.into_text(), field);
        }
    }

    #[test]
    fn a_value_after_a_visible_url_is_not_part_of_it() {
        for (parts, html) in [
            (
                ["https://a.example&nbsp;|&nbsp;", "M & Co"],
                "https://a.example&nbsp;|&nbsp;M &amp; Co",
            ),
            (["(https://a.example)", "M & Co"], "(https://a.example)M &amp; Co"),
            (["https://a.example,", "M & Co"], "https://a.example,M &amp; Co"),
            (["https://a.example;", "M & Co"], "https://a.example;M &amp; Co"),
            (
                ["https://a.example/?a=1&amp;b=", "M & Co"],
                "https://a.example/?a=1&amp;b=M%20%26%20Co",
            ),
            (["https://a.example/order-", "M & Co"], "https://a.example/order-M%20%26%20Co"),
        ] {
            assert_eq!(written(Isolation::Nothing, &parts), html, "{parts:?}");
        }
    }

    #[test]
    fn a_partial_may_end_an_attribute_that_is_removed() {
        let mut writer = Writer::new(0, Escape::Html, Isolation::Nothing);
        writer.raw("<a href=\"").unwrap();
        writer.value("javascript:alert(1)", true).unwrap();
        writer.raw("\n").unwrap();
        let start = writer.len();
        writer.raw("\">").unwrap();
        writer.indent(start, "  ").unwrap();
        writer.raw("x</a>").unwrap();
        assert_eq!(writer.into_text(), "<a>x</a>");
    }
}
