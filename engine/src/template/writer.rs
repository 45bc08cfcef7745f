//! The text that a rendering makes: it has an end, and values are escaped as its language wants it.

use std::fmt;

use super::render::RENDERED_BYTES_MAX;

/// How a value is kept from being more than a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// Plain text: not at all.
    None,
    /// HTML: the same characters as Handlebars, for content and quoted attributes.
    Html,
    /// CSV (RFC 4180): a value is one whole field.
    Csv,
}

/// Text that grows to [`RENDERED_BYTES_MAX`] at the most; an error means that it is full.
pub(super) struct Writer {
    text: String,
    escape: Escape,
}

impl Writer {
    pub(super) fn new(bytes_expected: usize, escape: Escape) -> Self {
        Self { text: String::with_capacity(bytes_expected.min(RENDERED_BYTES_MAX)), escape }
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

    /// Writes text as it is.
    pub(super) fn raw(&mut self, text: &str) -> fmt::Result {
        if self.text.len() + text.len() > RENDERED_BYTES_MAX {
            return Err(fmt::Error);
        }
        self.text.push_str(text);
        Ok(())
    }

    /// Writes text, escaped if it is to be.
    pub(super) fn value(&mut self, text: &str, escaped: bool) -> fmt::Result {
        match self.escape {
            Escape::Html if escaped => self.html(text),
            Escape::Csv if escaped => self.field(text),
            _ => self.raw(text),
        }
    }

    fn html(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.bytes().position(is_special) {
            let (clean, special) = rest.split_at(at);
            self.raw(clean)?;
            let mut chars = special.chars();
            self.raw(match chars.next() {
                Some('<') => "&lt;",
                Some('>') => "&gt;",
                Some('"') => "&quot;",
                Some('&') => "&amp;",
                Some('\'') => "&#x27;",
                Some('`') => "&#x60;",
                _ => "&#x3D;",
            })?;
            rest = chars.as_str();
        }
        self.raw(rest)
    }

    /// Writes a field of CSV. What a spreadsheet would take for a formula is marked as text (OWASP, "CSV Injection").
    fn field(&mut self, text: &str) -> fmt::Result {
        let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let quoted = formula
            || text.starts_with(' ')
            || text.ends_with(' ')
            || text.contains([',', ';', '"', '\n', '\r']);
        if !quoted {
            return self.raw(text);
        }
        self.raw(if formula { "\"'" } else { "\"" })?;
        self.raw(&text.replace('"', "\"\""))?;
        self.raw("\"")
    }

    /// Begins each line from `start` on with an indent, as a partial that stands alone on its line is indented.
    pub(super) fn indent(&mut self, start: usize, indent: &str) -> fmt::Result {
        if indent.is_empty() {
            return Ok(());
        }
        let lines = self.text.split_off(start);
        for line in lines.split_inclusive('\n') {
            self.raw(indent)?;
            self.raw(line)?;
        }
        Ok(())
    }
}

impl fmt::Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.raw(text)
    }
}

const fn is_special(byte: u8) -> bool {
    matches!(byte, b'<' | b'>' | b'"' | b'&' | b'\'' | b'`' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_escaped_as_handlebars_escapes_it() {
        for text in ["<script>alert('x')</script>", "\" onload=\"x", "a&b`c", "plain", "", "Ωß<"]
        {
            let mut writer = Writer::new(0, Escape::Html);
            writer.value(text, true).unwrap();
            assert_eq!(writer.into_text(), handlebars::html_escape(text));
        }
    }

    #[test]
    fn a_value_in_csv_is_one_field_and_no_formula() {
        for (text, field) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "\"'=1+1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("Ω", "Ω"),
            ("", ""),
        ] {
            let mut writer = Writer::new(0, Escape::Csv);
            writer.value(text, true).unwrap();
            assert_eq!(writer.into_text(), field);
        }
    }
}
