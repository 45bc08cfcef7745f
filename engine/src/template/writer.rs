//! The text that a rendering makes: it has an end, and in HTML values are escaped.

use std::fmt;

use super::render::RENDERED_BYTES_MAX;

/// Text that grows to [`RENDERED_BYTES_MAX`] at the most; an error means that it is full.
pub(super) struct Writer {
    text: String,
    html: bool,
}

impl Writer {
    pub(super) fn new(bytes_expected: usize, html: bool) -> Self {
        Self { text: String::with_capacity(bytes_expected.min(RENDERED_BYTES_MAX)), html }
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

    /// Writes text, escaped if this is HTML and it is to be: the same characters as Handlebars, for content and quoted attributes.
    pub(super) fn value(&mut self, text: &str, escaped: bool) -> fmt::Result {
        if !self.html || !escaped {
            return self.raw(text);
        }
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
            let mut writer = Writer::new(0, true);
            writer.value(text, true).unwrap();
            assert_eq!(writer.into_text(), handlebars::html_escape(text));
        }
    }
}
