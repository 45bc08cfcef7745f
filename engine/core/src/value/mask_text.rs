//! Masks the JSON text of an order: every byte stays as it was sent, except for values that are or
//! may be personal data.

use super::mask::mark;
use super::types::{RecordType, Shape, Type};

/// The mark for a value that the schema does not describe and that may therefore be personal.
const HIDDEN: &str = "«hidden»";

/// Returns a JSON text in which a mark such as `"«email»"` replaces each value whose type is
/// personal data and each value that the type does not describe. Everything else stays unchanged:
/// whitespace, the order of members, the notation of numbers. If the text is not JSON, the whole
/// text is hidden.
pub fn masked_text(text: &str, ty: &Type) -> String {
    let mut scanner = Scanner { text, at: 0, shown: String::with_capacity(text.len()) };
    let whole = scanner.value(Some(ty)).and_then(|()| {
        scanner.blanks();
        (scanner.at == text.len()).then_some(())
    });
    whole.map_or_else(|| format!("\"{HIDDEN}\""), |()| scanner.shown)
}

/// Scans the text of an order that was validated when it was accepted.
struct Scanner<'t> {
    text: &'t str,
    at: usize,
    shown: String,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Copies the text up to a position.
    fn show(&mut self, to: usize) -> Option<()> {
        self.shown.push_str(self.text.get(self.at..to)?);
        self.at = to;
        Some(())
    }

    /// Copies one expected character.
    fn sign(&mut self, sign: u8) -> Option<()> {
        (self.peek() == Some(sign)).then(|| self.show(self.at + 1)).flatten()
    }

    /// Copies whitespace and a byte order mark.
    fn blanks(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let blank = |character: char| matches!(character, ' ' | '\t' | '\n' | '\r' | '\u{feff}');
        let length = rest.len() - rest.trim_start_matches(blank).len();
        // The end is a character boundary, so this cannot fail.
        let _shown = self.show(self.at + length);
    }

    /// Copies a value of a type, or writes a mark instead.
    fn value(&mut self, ty: Option<&Type>) -> Option<()> {
        self.blanks();
        let begins = self.peek()?;
        let Some(ty) = ty else { return self.hide(HIDDEN) };
        if self.text.get(self.at..)?.starts_with("null") {
            return self.show(self.at + "null".len());
        }
        if ty.pii {
            return self.hide(mark(&ty.shape));
        }
        match (&ty.shape, begins) {
            (Shape::Record(record), b'{') => self.members(record),
            (Shape::List(element), b'[') => self.elements(element),
            (Shape::Record(_) | Shape::List(_) | Shape::Json | Shape::Broken, _) => {
                self.hide(HIDDEN)
            }
            (_, b'{' | b'[') => self.hide(HIDDEN),
            _ => self.show(self.end()?),
        }
    }

    fn members(&mut self, record: &RecordType) -> Option<()> {
        self.sign(b'{')?;
        self.blanks();
        if self.peek()? == b'}' {
            return self.sign(b'}');
        }
        loop {
            self.blanks();
            let end = self.end()?;
            let name: String = serde_json::from_str(self.text.get(self.at..end)?).ok()?;
            self.show(end)?;
            self.blanks();
            self.sign(b':')?;
            self.value(record.field(&name).map(|field| &field.ty))?;
            self.blanks();
            match self.peek()? {
                b',' => self.sign(b',')?,
                _ => return self.sign(b'}'),
            }
        }
    }

    fn elements(&mut self, element: &Type) -> Option<()> {
        self.sign(b'[')?;
        self.blanks();
        if self.peek()? == b']' {
            return self.sign(b']');
        }
        loop {
            self.value(Some(element))?;
            self.blanks();
            match self.peek()? {
                b',' => self.sign(b',')?,
                _ => return self.sign(b']'),
            }
        }
    }

    /// Replaces a value with a mark.
    fn hide(&mut self, mark: &str) -> Option<()> {
        self.at = self.end()?;
        self.shown.push('"');
        self.shown.push_str(mark);
        self.shown.push('"');
        Some(())
    }

    /// Returns the end of the value at the current position.
    fn end(&self) -> Option<usize> {
        let rest = self.text.get(self.at..)?;
        let mut values =
            serde_json::Deserializer::from_str(rest).into_iter::<serde::de::IgnoredAny>();
        values.next()?.ok()?;
        Some(self.at + values.byte_offset())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Type {
        let line = Type::record([("sku", Type::text()), ("gift", Type::text().with_pii(true))]);
        Type::record([
            ("email", Type::of(Shape::Email).with_pii(true)),
            ("id", Type::text()),
            ("items", Type::list(line)),
            ("notes", Type::list(Type::text()).with_pii(true)),
            ("total", Type::amount()),
        ])
    }

    #[test]
    fn only_values_that_are_or_may_be_personal_are_replaced() {
        let sent = "{ \"total\" : 1.50e0,\r\n\t\"id\":\"\\u0041\" ,\"nick\" : {\"a\": [1, \"Ann\"]}, \"email\":\"a@b.org\",\n \"items\":[{\"gift\":null,\"sku\":\"}\\\"\"} , {\"sku\":\"2\",\"gift\":\"Bob\",\"x\":true}], \"notes\":[\"n\"]}\n";
        let shown = "{ \"total\" : 1.50e0,\r\n\t\"id\":\"\\u0041\" ,\"nick\" : \"«hidden»\", \"email\":\"«email»\",\n \"items\":[{\"gift\":null,\"sku\":\"}\\\"\"} , {\"sku\":\"2\",\"gift\":\"«text»\",\"x\":\"«hidden»\"}], \"notes\":\"«hidden»\"}\n";
        assert_eq!(masked_text(sent, &order()), shown);
    }

    #[test]
    fn values_of_another_shape_and_invalid_json_are_hidden() {
        let shown = masked_text(r#"{"id":{"name":"Ann"},"items":"Ann","total":["Ann"]}"#, &order());
        assert!(!shown.contains("Ann"), "{shown}");
        for broken in [
            "",
            "{",
            "{\"id\":\"Ann\"",
            "{\"id\":\"Ann\"} Ann",
            "{\"id\" \"Ann\"}",
            "Ann",
            "{,}",
            "[\"Ann\"]",
        ] {
            assert_eq!(masked_text(broken, &order()), "\"«hidden»\"", "{broken}");
        }
    }
}
