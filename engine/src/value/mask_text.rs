//! The text of an order for people to see: every byte as it was sent, but for values that are or may be personal data.

use super::mask::mark;
use super::types::{RecordType, Shape, Type};

/// What stands for a value that the schema does not know: it is not known to be harmless.
const HIDDEN: &str = "«hidden»";

/// Returns a JSON text in which a mark such as `"«email»"` replaces each value that is personal data by its type, and each value that the type does
/// not know. Everything else stays as it is: spaces, the order of members, the spelling of numbers. A text that is not JSON is hidden as a whole.
pub fn masked_text(text: &str, ty: &Type) -> String {
    let mut scanner = Scanner { text, at: 0, shown: String::with_capacity(text.len()) };
    let whole = scanner.value(Some(ty)).and_then(|()| {
        scanner.blanks();
        (scanner.at == text.len()).then_some(())
    });
    whole.map_or_else(|| format!("\"{HIDDEN}\""), |()| scanner.shown)
}

/// Goes through a text that was read before, when it was accepted.
struct Scanner<'t> {
    text: &'t str,
    at: usize,
    shown: String,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Shows what lies between here and there.
    fn show(&mut self, to: usize) -> Option<()> {
        self.shown.push_str(self.text.get(self.at..to)?);
        self.at = to;
        Some(())
    }

    /// Shows one character that is expected here.
    fn sign(&mut self, sign: u8) -> Option<()> {
        (self.peek() == Some(sign)).then(|| self.show(self.at + 1)).flatten()
    }

    /// Shows blanks, and a byte order mark before the text.
    fn blanks(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let blank = |character: char| matches!(character, ' ' | '\t' | '\n' | '\r' | '\u{feff}');
        let length = rest.len() - rest.trim_start_matches(blank).len();
        // It ends between two characters.
        let _shown = self.show(self.at + length);
    }

    /// Shows a value of a type, or a mark in its place.
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

    /// Puts a mark in the place of a value.
    fn hide(&mut self, mark: &str) -> Option<()> {
        self.at = self.end()?;
        self.shown.push('"');
        self.shown.push_str(mark);
        self.shown.push('"');
        Some(())
    }

    /// Finds the end of the value that begins here.
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
    fn everything_stays_but_what_is_or_may_be_personal() {
        let sent = "{ \"total\" : 1.50e0,\r\n\t\"id\":\"\\u0041\" ,\"nick\" : {\"a\": [1, \"Ann\"]}, \"email\":\"a@b.org\",\n \"items\":[{\"gift\":null,\"sku\":\"}\\\"\"} , {\"sku\":\"2\",\"gift\":\"Bob\",\"x\":true}], \"notes\":[\"n\"]}\n";
        let shown = "{ \"total\" : 1.50e0,\r\n\t\"id\":\"\\u0041\" ,\"nick\" : \"«hidden»\", \"email\":\"«email»\",\n \"items\":[{\"gift\":null,\"sku\":\"}\\\"\"} , {\"sku\":\"2\",\"gift\":\"«text»\",\"x\":\"«hidden»\"}], \"notes\":\"«hidden»\"}\n";
        assert_eq!(masked_text(sent, &order()), shown);
    }

    #[test]
    fn a_value_of_another_form_and_a_broken_text_are_hidden() {
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
