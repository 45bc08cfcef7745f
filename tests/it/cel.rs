//! The CEL conformance suite: every expression that the checker accepts evaluates to the result
//! that the specification requires.

use std::iter::Peekable;
use std::str::Chars;

use oms_engine::expression::{Env, ProblemSeverity, Scope, compile};
use oms_engine::money::Decimal;
use oms_engine::time_zone::TimeZone;
use oms_engine::value::Value;

use crate::harness::{files, test_data};

/// A value in the text format of protocol buffers.
#[derive(Clone, Debug)]
enum Proto {
    Scalar(String),
    Message(Vec<(String, Self)>),
}

impl Proto {
    fn get<'p>(&'p self, name: &'p str) -> Option<&'p Self> {
        self.all(name).next()
    }

    fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p Self> {
        let members: &[(String, Self)] = match self {
            Self::Message(members) => members,
            Self::Scalar(_) => &[],
        };
        members.iter().filter(move |(known, _)| known == name).map(|(_, value)| value)
    }

    fn text(&self) -> &str {
        match self {
            Self::Scalar(text) => text,
            Self::Message(_) => "",
        }
    }
}

struct Reader<'t>(Peekable<Chars<'t>>);

impl Reader<'_> {
    fn blanks(&mut self) {
        while let Some(next) = self.0.peek() {
            match next {
                '#' => while self.0.next_if(|c| *c != '\n').is_some() {},
                c if c.is_whitespace() || matches!(c, ',' | ';') => drop(self.0.next()),
                _ => return,
            }
        }
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(c) = self.0.next_if(|c| {
            c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '+' | '/' | '[' | ']')
        }) {
            word.push(c);
        }
        word
    }

    /// Reads the fields of a message up to its closing bracket.
    fn message(&mut self) -> Proto {
        let mut members = Vec::new();
        loop {
            self.blanks();
            if self.0.next_if(|c| matches!(c, '}' | '>')).is_some() || self.0.peek().is_none() {
                return Proto::Message(members);
            }
            let name = self.word();
            assert!(!name.is_empty(), "unexpected {:?}", self.0.peek());
            self.blanks();
            self.0.next_if_eq(&':');
            self.blanks();
            members.push((name, self.value()));
        }
    }

    fn value(&mut self) -> Proto {
        match self.0.peek() {
            Some('{' | '<') => {
                self.0.next();
                self.message()
            }
            Some('"' | '\'') => {
                let mut text = String::new();
                while let Some(quote) = self.0.next_if(|c| matches!(c, '"' | '\'')) {
                    self.quoted(quote, &mut text);
                    self.blanks();
                }
                Proto::Scalar(text)
            }
            _ => Proto::Scalar(self.word()),
        }
    }

    fn quoted(&mut self, quote: char, text: &mut String) {
        while let Some(c) = self.0.next() {
            match c {
                c if c == quote => return,
                '\\' => match self.0.next() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r') => text.push('\r'),
                    Some(c @ ('\\' | '\'' | '"' | '?')) => text.push(c),
                    // Numeric escapes are kept as they are; this test does not decode them.
                    Some(c) => text.extend(['\\', c]),
                    None => return,
                },
                c => text.push(c),
            }
        }
    }
}

/// Returns whether a value is the one that the suite expects, or `None` if the checker has no type
/// for the expected value.
fn agrees(value: &Value, wanted: &Proto) -> Option<bool> {
    let Proto::Message(members) = wanted else { return None };
    let (kind, wanted) = members.first()?;
    Some(match (kind.as_str(), value) {
        ("bool_value", Value::Bool(value)) => wanted.text() == value.to_string(),
        ("int64_value", Value::Int(value)) => wanted.text() == value.to_string(),
        ("string_value", Value::Text(text)) => wanted.text() == text.as_ref(),
        ("null_value", Value::Null | Value::Missing) => true,
        ("double_value", Value::Decimal(value)) => {
            Decimal::from_json_number(wanted.text()).is_ok_and(|wanted| wanted == *value)
        }
        ("list_value", Value::List(list)) => {
            let wanted: Vec<&Proto> = wanted.all("values").collect();
            let each = list.iter().zip(&wanted).map(|(value, wanted)| agrees(value, wanted));
            wanted.len() == list.len() && each.collect::<Option<Vec<_>>>()?.iter().all(|is| *is)
        }
        ("map_value" | "object_value", _) => return None,
        _ => false,
    })
}

#[test]
fn accepted_expressions_evaluate_as_specified() {
    let Some(data) = test_data("the CEL conformance suite") else { return };
    let (mut accepted, mut wrong) = (0, Vec::new());
    for path in files(&data.join("cel-spec"), ".textproto") {
        let text = std::fs::read_to_string(&path).unwrap();
        let file = Reader(text.chars().peekable()).message();
        for section in file.all("section") {
            for test in section.all("test") {
                let expr = test.get("expr").map(Proto::text).unwrap_or_default();
                let Ok(mut compiled) = compile(expr, &Scope::new(TimeZone::UTC)) else { continue };
                if compiled
                    .take_notes()
                    .iter()
                    .any(|note| note.severity != ProblemSeverity::Warning)
                {
                    continue;
                }
                let result = compiled.eval(&Env::empty());
                let fine = match (&result, test.get("value"), test.get("eval_error")) {
                    (Err(_), None, Some(_)) => Some(true),
                    (Ok(value), Some(wanted), _) => agrees(value, wanted),
                    (Ok(value), None, None) => Some(*value == Value::Bool(true)),
                    _ => Some(false),
                };
                match fine {
                    Some(true) => accepted += 1,
                    Some(false) => wrong.push(format!("{expr}: {result:?}")),
                    None => {}
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(accepted >= 150, "only {accepted} expressions were accepted");
}
