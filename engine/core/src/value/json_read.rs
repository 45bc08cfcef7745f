//! Reads JSON text as a typed [`Value`] in one pass, with exact numbers and a position for every
//! problem.
//!
//! A [`JsonNode`] drives the reader. It describes the expected JSON and is derived from an order
//! schema or a stored [`Type`]. The reader also computes the canonical bytes of the document, which
//! decide whether two orders are the same. In these bytes, members are sorted by name, and decimals
//! with the same numerical value are equal. All other values are compared exactly. Problems never
//! quote a value.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiter::{Jiter, JiterError, JiterErrorType, Peek};

use super::data::{Record, Value};
use super::difference::escaped;
use super::json_node::{JsonKind, JsonNode, RecordNode};
use super::json_position::preceding_name;
use super::json_problem::{JsonProblem, ProblemKind};
use super::json_scalar::ScalarError;
use super::{json_messages, json_scalar};
use crate::money::Decimal;

/// The maximum nesting of lists and maps in a document.
const DEPTH_MAX: usize = 64;
/// Maximum number of problems reported for one document.
pub const PROBLEMS_MAX: usize = 20;

/// A valid document.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The typed value.
    pub value: Value,
    /// The canonical bytes, which are equal for equal documents.
    pub canonical: Vec<u8>,
}

/// Reads a document.
///
/// # Errors
/// Returns all problems of the document, at most [`PROBLEMS_MAX`]. For text that is not JSON, only
/// the syntax errors.
pub fn read_json(text: &[u8], node: &JsonNode) -> Result<Parsed, Vec<JsonProblem>> {
    read(text, node, false)
}

/// Reads a document that was accepted before, perhaps by a version that accepted more. A value that
/// does not fit is kept as JSON.
///
/// # Errors
/// Returns the syntax errors of text that is not JSON.
pub fn revive_json(text: &[u8], node: &JsonNode) -> Result<Parsed, Vec<JsonProblem>> {
    read(text, node, true)
}

fn read(text: &[u8], node: &JsonNode, revive: bool) -> Result<Parsed, Vec<JsonProblem>> {
    let fail = |offset: usize, message: &str| {
        vec![JsonProblem {
            kind: ProblemKind::Syntax,
            pointer: String::new(),
            offset,
            message: message.to_owned(),
        }]
    };
    if text.starts_with(b"\xEF\xBB\xBF") {
        return Err(fail(0, "begins with a byte order mark, which JSON does not allow"));
    }
    if let Err(error) = std::str::from_utf8(text) {
        return Err(fail(error.valid_up_to(), "is not UTF-8 text"));
    }
    let mut reader = Reader {
        text,
        json: Jiter::new(text),
        canonical: Vec::with_capacity(text.len()),
        pointer: String::new(),
        problems: Vec::new(),
        depth: 0,
        revive,
    };
    let read = reader.document(node);
    let mut problems = reader.problems;
    match read {
        Ok(value) if problems.is_empty() => {
            return Ok(Parsed { value, canonical: reader.canonical });
        }
        Ok(_) => {}
        Err(SyntaxError { index, pointer, message }) => {
            let offset = index.min(text.len());
            problems.push(JsonProblem { kind: ProblemKind::Syntax, pointer, offset, message });
        }
    }
    // If the text is not JSON, further problems only follow from the syntax error.
    if problems.iter().any(|problem| problem.kind == ProblemKind::Syntax) {
        problems.retain(|problem| problem.kind == ProblemKind::Syntax);
    }
    // Missing members are found at the end of an object but reported at its start.
    problems.sort_by_key(|problem| problem.offset);
    Err(problems)
}

/// The reason why reading cannot continue.
struct SyntaxError {
    index: usize,
    pointer: String,
    message: String,
}

impl From<JiterError> for SyntaxError {
    fn from(error: JiterError) -> Self {
        let why = match &error.error_type {
            JiterErrorType::JsonError(error) => json_messages::syntax(error),
            JiterErrorType::WrongType { .. } => "expected a value",
        };
        Self {
            index: error.index,
            pointer: String::new(),
            message: format!("is not valid JSON: {why}"),
        }
    }
}

struct Reader<'t> {
    text: &'t [u8],
    json: Jiter<'t>,
    canonical: Vec<u8>,
    pointer: String,
    problems: Vec<JsonProblem>,
    depth: usize,
    /// Whether the document was accepted before and must not be validated again.
    revive: bool,
}

type ReadResult<T> = Result<T, SyntaxError>;

impl Reader<'_> {
    fn problem_at(&mut self, kind: ProblemKind, offset: usize, message: &str) {
        if self.revive && kind != ProblemKind::Syntax {
            return;
        }
        if self.problems.len() < PROBLEMS_MAX {
            let pointer = self.pointer.clone();
            self.problems.push(JsonProblem { kind, pointer, offset, message: message.to_owned() });
        }
    }

    /// Reports a value that does not fit and skips it. If the document was accepted before, keeps
    /// the value as JSON instead.
    fn reject_value(&mut self, peek: Peek, message: &str) -> ReadResult<Value> {
        let offset = self.json.current_index();
        let value = self.any(peek)?;
        if self.revive {
            return Ok(Value::Json(Arc::new(value)));
        }
        self.problem_at(ProblemKind::Shape, offset, message);
        Ok(Value::Missing)
    }

    fn within<T>(
        &mut self,
        segment: &str,
        read: impl FnOnce(&mut Self) -> ReadResult<T>,
    ) -> ReadResult<T> {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&escaped(segment));
        self.depth += 1;
        let result = if self.depth > DEPTH_MAX {
            let message = format!("is nested more than {DEPTH_MAX} levels deep");
            let pointer = String::new();
            Err(SyntaxError { index: self.json.current_index(), pointer, message })
        } else {
            read(self)
        };
        self.depth -= 1;
        // Each problem has a copy of the pointer, so the shared pointer can be truncated even after
        // a failure.
        self.pointer.truncate(length);
        result
    }

    fn document(&mut self, node: &JsonNode) -> ReadResult<Value> {
        let peek = self.json.peek()?;
        let value = self.value(peek, node)?;
        self.json.finish()?;
        Ok(value)
    }

    fn value(&mut self, peek: Peek, node: &JsonNode) -> ReadResult<Value> {
        if peek == Peek::Null {
            if node.nullable || matches!(node.kind, JsonKind::Json) {
                self.json.known_null()?;
                self.canonical.push(b'z');
                return Ok(Value::Null);
            }
            return self.reject_value(peek, &format!("must be {}, not null", node.expected()));
        }
        match (&node.kind, peek) {
            (JsonKind::Record(record), peek) if record.lax && peek != Peek::Object => {
                self.any(peek)?;
                Ok(Value::Missing)
            }
            (JsonKind::Bool, Peek::True | Peek::False) => {
                let value = self.json.known_bool(peek)?;
                self.canonical.push(if value { b't' } else { b'f' });
                Ok(Value::Bool(value))
            }
            (JsonKind::Int { .. }, peek) if peek.is_num() => self.number(peek, node),
            (JsonKind::Decimal { number: true, .. }, peek) if peek.is_num() => {
                self.number(peek, node)
            }
            (
                JsonKind::Decimal { text: true, .. }
                | JsonKind::Text { .. }
                | JsonKind::Currency
                | JsonKind::Email
                | JsonKind::Uri
                | JsonKind::Date(_)
                | JsonKind::Timestamp { .. },
                Peek::String,
            ) => self.string(node),
            (JsonKind::List { element, min, max }, Peek::Array) => self.list(element, *min, *max),
            (JsonKind::Record(record), Peek::Object) => self.record(record),
            (JsonKind::Json, _) => Ok(Value::Json(Arc::new(self.any(peek)?))),
            (JsonKind::Decimal { text: true, number: false, .. }, peek) if peek.is_num() => self
                .reject_value(
                    peek,
                    "must be a decimal written as text, such as \"12.30\", not a number",
                ),
            _ => self.reject_value(peek, &format!("must be {}", node.expected())),
        }
    }

    fn number(&mut self, peek: Peek, node: &JsonNode) -> ReadResult<Value> {
        let offset = self.json.current_index();
        let bytes = self.json.known_number_bytes(peek)?;
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let decimal = Decimal::from_json_number(text);
        let kept = self.revive.then(|| digits(text));
        match decimal {
            Ok(decimal) => self.canonical_decimal(decimal),
            Err(_) => write_part(&mut self.canonical, b'N', text.as_bytes()),
        }
        if let Some(kept) = kept {
            let number =
                decimal.ok().and_then(|decimal| json_scalar::revived_number(decimal, node));
            return Ok(number.unwrap_or_else(|| Value::Json(Arc::new(kept))));
        }
        let checked = match decimal {
            Ok(decimal) => json_scalar::number(decimal, node),
            Err(error) => Err(ScalarError::digits(format!("must not have {error}"))),
        };
        Ok(checked.unwrap_or_else(|error| self.reject_scalar(offset, &error)))
    }

    fn string(&mut self, node: &JsonNode) -> ReadResult<Value> {
        let offset = self.json.current_index();
        let text = self.json.known_str()?;
        let checked = match json_scalar::text(text, node) {
            Err(_) if self.revive => Ok(json_scalar::revived_text(text, node)),
            checked => checked,
        };
        match &checked {
            Ok(Value::Decimal(decimal)) => {
                let decimal = *decimal;
                self.canonical_decimal(decimal);
            }
            _ => write_part(&mut self.canonical, b's', text.as_bytes()),
        }
        Ok(checked.unwrap_or_else(|error| self.reject_scalar(offset, &error)))
    }

    /// Reports a scalar that does not fit.
    fn reject_scalar(&mut self, offset: usize, error: &ScalarError) -> Value {
        self.problem_at(error.kind, offset, &error.message);
        Value::Missing
    }

    fn canonical_decimal(&mut self, decimal: Decimal) {
        write_part(&mut self.canonical, b'n', decimal.normalized().to_string().as_bytes());
    }

    fn list(&mut self, element: &JsonNode, min: usize, max: usize) -> ReadResult<Value> {
        let offset = self.json.current_index();
        self.canonical.push(b'[');
        let (mut elements, mut is_too_long) = (Vec::new(), false);
        let mut next = self.json.known_array()?;
        while let Some(peek) = next {
            if elements.len() == max && !self.revive {
                // The remaining elements are still read, so problems after the list are found.
                self.any(peek)?;
                is_too_long = true;
            } else {
                let index = elements.len().to_string();
                elements.push(self.within(&index, |reader| reader.value(peek, element))?);
            }
            next = self.json.array_step()?;
        }
        if is_too_long {
            let message = json_messages::elements_at_most(max as u64);
            self.problem_at(ProblemKind::Shape, offset, &message);
        }
        self.canonical.push(b']');
        if elements.len() < min {
            let message = json_messages::elements_at_least(min as u64);
            self.problem_at(ProblemKind::Shape, offset, &message);
        }
        Ok(Value::List(elements.into()))
    }

    fn record(&mut self, node: &RecordNode) -> ReadResult<Value> {
        let offset = self.json.current_index();
        let mut slots = vec![Value::Missing; node.ty.fields().len()];
        let mut seen = vec![false; node.members.len()];
        let mut others: BTreeSet<String> = BTreeSet::new();
        let start = self.canonical.len();
        let mut parts: Vec<(usize, usize)> = Vec::with_capacity(node.members.len());
        let mut key = self.json.known_object()?.map(|name| node.find(name));
        while let Some(found) = key {
            let at = self.canonical.len();
            match found {
                Ok(position) => {
                    // `position` comes from `node.find`, so both lookups succeed.
                    let (Some(member), Some(was_seen)) =
                        (node.members.get(position), seen.get_mut(position))
                    else {
                        break;
                    };
                    let is_duplicate = std::mem::replace(was_seen, true);
                    write_part(&mut self.canonical, b'k', member.name.as_bytes());
                    let known = self.problems.len();
                    let value = self.member(&member.name, &member.node, is_duplicate)?;
                    let value = if member.lax { self.excuse(known, value) } else { value };
                    if let Some(slot) = slots.get_mut(position) {
                        *slot = value;
                    }
                }
                Err(name) => {
                    write_part(&mut self.canonical, b'k', name.as_bytes());
                    if !node.additional {
                        self.reject_member(&name);
                    }
                    let is_duplicate = !others.insert(name.clone());
                    self.member(&name, &JsonNode::ANY, is_duplicate)?;
                }
            }
            parts.push((at, self.canonical.len()));
            key = self.json.next_key()?.map(|name| node.find(name));
        }
        self.sort_members(start, parts);
        for (member, seen) in node.members.iter().zip(&seen) {
            if member.required && !seen {
                self.problem_at(
                    ProblemKind::Shape,
                    offset,
                    &json_messages::missing_member(&member.name),
                );
            }
        }
        Ok(Value::Record(Arc::new(Record::new(Arc::clone(&node.ty), slots))))
    }

    /// Reports that the member whose name was just read is not allowed.
    fn reject_member(&mut self, name: &str) {
        let offset = self.name_start();
        self.problem_at(ProblemKind::Unknown, offset, &json_messages::not_allowed(name));
    }

    /// Drops the problems after the first `known` problems, and returns `Missing` instead of
    /// `value`, because the member may have any form. Changes nothing if one of these problems is
    /// a syntax error.
    fn excuse(&mut self, known: usize, value: Value) -> Value {
        let since = self.problems.get(known..).unwrap_or_default();
        if since.is_empty() || since.iter().any(|problem| problem.kind == ProblemKind::Syntax) {
            return value;
        }
        self.problems.truncate(known);
        Value::Missing
    }

    /// Returns the offset of the name that was just read.
    fn name_start(&self) -> usize {
        preceding_name(self.text, self.json.current_index())
    }

    fn member(&mut self, name: &str, node: &JsonNode, is_duplicate: bool) -> ReadResult<Value> {
        let peek = self.json.peek()?;
        if is_duplicate {
            let here = self.name_start();
            let message = format!("has the member `{}` twice", json_messages::shown(name));
            self.problem_at(ProblemKind::Syntax, here, &message);
        }
        self.within(name, |reader| reader.value(peek, node))
    }

    /// Sorts the members written since `start` by name.
    fn sort_members(&mut self, start: usize, mut parts: Vec<(usize, usize)>) {
        let written = self.canonical.split_off(start);
        let part =
            |(from, to): &(usize, usize)| written.get(from - start..to - start).unwrap_or_default();
        // A part starts with the length and the bytes of its name. Comparing bytes gives a fixed
        // order, which is enough.
        parts.sort_by(|a, b| part(a).cmp(part(b)));
        self.canonical.push(b'{');
        for range in &parts {
            self.canonical.extend_from_slice(part(range));
        }
        self.canonical.push(b'}');
    }

    /// Reads a value of any form.
    fn any(&mut self, peek: Peek) -> ReadResult<serde_json::Value> {
        use serde_json::Value as Json;
        Ok(match peek {
            Peek::Null => {
                self.json.known_null()?;
                self.canonical.push(b'z');
                Json::Null
            }
            Peek::True | Peek::False => {
                let value = self.json.known_bool(peek)?;
                self.canonical.push(if value { b't' } else { b'f' });
                Json::Bool(value)
            }
            Peek::String => {
                let text = self.json.known_str()?.to_owned();
                write_part(&mut self.canonical, b's', text.as_bytes());
                Json::String(text)
            }
            Peek::Array => {
                self.canonical.push(b'[');
                let mut elements = Vec::new();
                let mut next = self.json.known_array()?;
                while let Some(peek) = next {
                    let index = elements.len().to_string();
                    elements.push(self.within(&index, |reader| reader.any(peek))?);
                    next = self.json.array_step()?;
                }
                self.canonical.push(b']');
                Json::Array(elements)
            }
            Peek::Object => self.any_object()?,
            number => {
                let text = std::str::from_utf8(self.json.known_number_bytes(number)?)
                    .unwrap_or_default()
                    .to_owned();
                match Decimal::from_json_number(&text) {
                    Ok(decimal) => self.canonical_decimal(decimal),
                    Err(_) => write_part(&mut self.canonical, b'N', text.as_bytes()),
                }
                digits(&text)
            }
        })
    }

    fn any_object(&mut self) -> ReadResult<serde_json::Value> {
        let mut members = serde_json::Map::new();
        let start = self.canonical.len();
        let mut parts = Vec::new();
        let mut key = self.json.known_object()?.map(str::to_owned);
        while let Some(name) = key {
            let at = self.canonical.len();
            write_part(&mut self.canonical, b'k', name.as_bytes());
            let peek = self.json.peek()?;
            if members.contains_key(&name) {
                let here = self.json.current_index();
                let message = format!("has the member `{}` twice", json_messages::shown(&name));
                self.problem_at(ProblemKind::Syntax, here, &message);
            }
            let value = self.within(&name, |reader| reader.any(peek))?;
            members.insert(name, value);
            parts.push((at, self.canonical.len()));
            key = self.json.next_key()?.map(str::to_owned);
        }
        self.sort_members(start, parts);
        Ok(serde_json::Value::Object(members))
    }
}

/// Keeps the digits of a number that is not an integer as text, because a float would change it.
fn digits(number: &str) -> serde_json::Value {
    let text = || serde_json::Value::String(number.to_owned());
    number.parse::<i64>().map_or_else(|_| text(), serde_json::Value::from)
}

/// Writes a tag, the length and the bytes, so different sequences of parts have different bytes.
fn write_part(canonical: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    canonical.push(tag);
    canonical.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
    canonical.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Shape, Type};

    fn order() -> JsonNode {
        JsonNode::stored(&Type::record([
            ("amount", Type::amount()),
            ("count", Type::of(Shape::Int).or_null()),
            ("items", Type::list(Type::record([("sku", Type::text())]))),
        ]))
    }

    fn problems(text: &str) -> Vec<String> {
        match read_json(text.as_bytes(), &order()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems
                .iter()
                .map(|problem| {
                    let (line, column) = problem.line_column(text.as_bytes());
                    format!("{line}:{column} {} {}", problem.pointer, problem.message)
                })
                .collect(),
        }
    }

    #[test]
    fn decimals_keep_all_digits() {
        let parsed = read_json(br#"{"amount":"10.10","items":[]}"#, &order()).unwrap();
        assert_eq!(parsed.value.as_record().unwrap().get("amount").unwrap().display(), "10.10");
    }

    #[test]
    fn equal_orders_have_the_same_canonical_bytes() {
        let canonical = |text: &str| read_json(text.as_bytes(), &order()).unwrap().canonical;
        let first =
            canonical(r#"{"amount":"10.10","items":[{"sku":"A","x":1.50}],"y":{"b":1,"a":2}}"#);
        assert_eq!(
            first,
            canonical(
                r#"{ "y":{"a":2,"b":1.0}, "items":[ {"x":15e-1,"sku":"\u0041"} ],"amount":"10.1" }"#
            )
        );
        assert_ne!(first, canonical(r#"{"amount":"10.10","items":[{"sku":"A","x":1.5}]}"#));
        assert_ne!(
            canonical(r#"{"amount":"1","items":[]}"#),
            canonical(r#"{"amount":"1","items":[],"count":null}"#)
        );
    }

    #[test]
    fn every_problem_has_a_position() {
        assert_eq!(
            problems("{\"amount\": 10.5,\n \"items\": [{\"sku\": null}, {}]}"),
            [
                "2:20 /items/0/sku must be text, not null",
                "2:27 /items/1 is missing the member `sku`",
            ]
        );
        assert_eq!(
            problems("{\"items\": [], \"items\": []}"),
            ["1:15  has the member `items` twice"]
        );
    }

    #[test]
    fn syntax_errors_have_a_position() {
        let cut = problems("{\"amount\": \"1\",");
        assert!(cut[0].starts_with("1:16  is not valid JSON: unexpected end"), "{cut:?}");
        let deep = problems(&"[".repeat(100_000));
        assert!(deep.iter().any(|problem| problem.contains("levels deep")), "{deep:?}");
        assert!(problems("\u{feff}{}")[0].contains("byte order mark"));
    }
}
