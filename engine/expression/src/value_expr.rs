//! Compiles values in the file: texts with `${{ }}`, maps, lists and plain scalars, each against
//! the type that is expected.

use std::collections::BTreeSet;

use oms_core::diagnostic::{Route, Segment, codes, did_you_mean};
use oms_core::value::{Limits, RecordType, Shape, Type, Value};
use serde_json::Value as Json;

use super::check::{Checked, Checker, fold, record};
use super::compiled::{Compiled, check_text, finish};
use super::conversion::{SourcePosition, convert_to};
use super::interpolate::{self, Part, Unclosed};
use super::missing_braces::{self, MissingBraces};
use super::node::Node;
use super::pieces::Piece;
use super::problem::{Problem, ProblemSeverity};
use super::scope::Scope;
use super::{guard, widen};

/// The message for an expression without an end.
pub const NOT_CLOSED: &str = "`${{` is not closed";

/// Compiles a value in the file. A text that is exactly one `${{ }}` keeps the type of the
/// expression, and a text with other characters around it becomes text. `$${{` is an escaped `${{`.
/// Maps become records, and lists become lists. With `expected`, the value is converted to that
/// type: texts are parsed as amounts, dates or codes, and integers become decimals. A map must have
/// the fields of the expected record.
///
/// # Errors
///
/// Returns all independent problems of the value.
pub fn compile_value(
    json: &Json,
    expected: Option<&Type>,
    scope: &Scope,
) -> Result<Compiled, Vec<Problem>> {
    let mut builder = Builder {
        scope,
        route: Route::root(),
        problems: Vec::new(),
        steps: BTreeSet::new(),
        reads: BTreeSet::new(),
    };
    let checked = builder.build(json, expected);
    let broken = checked.ty.is_none();
    let mut compiled = finish(checked, builder.problems, builder.steps, builder.reads)?;
    if let (true, Some(expected)) = (broken, expected) {
        compiled.expect_type(expected.clone());
    }
    Ok(compiled)
}

/// Any JSON.
static JSON: Type = Type {
    shape: Shape::Json,
    nullable: true,
    pii: false,
    unit: None,
    length_max: None,
    limits: Limits::NONE,
};

struct Builder<'s> {
    scope: &'s Scope,
    route: Route,
    problems: Vec<Problem>,
    steps: BTreeSet<usize>,
    reads: BTreeSet<String>,
}

impl Builder<'_> {
    fn build(&mut self, json: &Json, expected: Option<&Type>) -> Checked {
        match json {
            Json::String(text) => self.text(text, expected),
            Json::Array(elements) => self.list(elements, expected),
            Json::Object(members) => self.record(members, expected),
            Json::Null => self.constant(Value::Null, expected),
            Json::Bool(value) => self.constant(Value::Bool(*value), expected),
            Json::Number(number) => match number.as_i64() {
                Some(value) => self.constant(Value::Int(value), expected),
                None => self.unexpected_number(number, expected),
            },
        }
    }

    fn position(&self) -> SourcePosition<'static> {
        SourcePosition { route: self.route.clone(), within: None, code: None }
    }

    fn constant(&mut self, value: Value, expected: Option<&Type>) -> Checked {
        let ty = widen::type_of_literal(&value);
        let checked = Checked::new(Node::Const(value), Some(ty), 0..0);
        let at = self.position();
        self.converted(checked, expected, &at)
    }

    fn converted(
        &mut self,
        checked: Checked,
        expected: Option<&Type>,
        at: &SourcePosition<'_>,
    ) -> Checked {
        let Some(expected) = expected else { return checked };
        let span = checked.span.clone();
        match convert_to(checked, expected, at, self.scope) {
            Ok(checked) => checked,
            Err(problem) => {
                self.problems.push(*problem);
                Checked::broken(span)
            }
        }
    }

    fn unexpected_number(
        &mut self,
        number: &serde_json::Number,
        expected: Option<&Type>,
    ) -> Checked {
        let at = self.position();
        let wants_decimal =
            expected.is_none_or(|ty| matches!(ty.shape, Shape::Decimal { .. } | Shape::Json));
        let problem = if !wants_decimal {
            let wanted = expected.map(|ty| ty.shape.to_string()).unwrap_or_default();
            at.problem(
                codes::WRONG_TYPE,
                format!("expected {wanted}, found a number"),
                "a number",
                None,
            )
        } else if number.is_f64() {
            at.problem(
                codes::NUMBER_FOR_DECIMAL,
                "expected an exact decimal as text, found a number",
                "may have been rounded",
                Some(format!("write it as text: \"{number}\"")),
            )
        } else {
            at.problem(
                codes::NUMBER_FOR_DECIMAL,
                "the number does not fit in 64 bits",
                "too large",
                Some(format!("write it as text: \"{number}\"")),
            )
        };
        self.problems.push(problem);
        Checked::broken(0..0)
    }

    fn text(&mut self, text: &str, expected: Option<&Type>) -> Checked {
        let parts = match interpolate::split(text) {
            Ok(parts) => parts,
            Err(Unclosed(range)) => {
                let at = SourcePosition { within: Some(range), ..self.position() };
                self.problems.push(at.problem(
                    codes::EXPRESSION_SYNTAX,
                    NOT_CLOSED,
                    "opens here",
                    Some("close it with `}}`, or write `$${{` for a literal `${{`".to_owned()),
                ));
                return Checked::broken(0..0);
            }
        };
        match parts.as_slice() {
            [] => self.constant(Value::text(""), expected),
            [Part::Text(plain)] => {
                let before = self.problems.len();
                let checked = self.constant(Value::text(plain), expected);
                self.report_missing_braces(text, before);
                checked
            }
            [Part::Code { code, at }] => {
                let checked = self.code(code, *at);
                let written = SourcePosition {
                    within: Some(checked.span.start + at..checked.span.end + at),
                    code: code.get(checked.span.clone()),
                    ..self.position()
                };
                self.converted(checked, expected, &written)
            }
            parts => {
                let before = self.problems.len();
                self.report_missing_braces(text, before);
                let checked = self.concatenation(parts);
                let at = self.position();
                self.converted(checked, expected, &at)
            }
        }
    }

    /// Reports a text that was probably meant as an expression. If the text already has a problem
    /// (after the first `before` problems), adds the suggestion to the last one instead.
    fn report_missing_braces(&mut self, text: &str, before: usize) {
        let Some(MissingBraces { within, code }) = missing_braces::find(text, self.scope) else {
            return;
        };
        let help = format!("write `${{{{ {code} }}}}`");
        if let Some(refused) = self.problems.get_mut(before..).and_then(<[Problem]>::last_mut) {
            refused.help = Some(help);
            return;
        }
        let at = SourcePosition { within: Some(within), ..self.position() };
        let message = format!("`{code}` is text and is not evaluated");
        let problem = at.problem(codes::MISSING_BRACES, message, "not an expression", Some(help));
        self.problems.push(Problem { severity: ProblemSeverity::Warning, ..problem });
    }

    fn code(&mut self, code: &str, at: usize) -> Checked {
        let mut checker = Checker::new(self.scope, code, at, self.route.clone());
        let checked = check_text(&mut checker);
        self.problems.append(&mut checker.problems);
        self.steps.append(&mut checker.steps);
        self.reads.append(&mut checker.reads);
        checked
    }

    fn concatenation(&mut self, parts: &[Part<'_>]) -> Checked {
        let mut nodes = Vec::with_capacity(parts.len());
        let mut known = true;
        let mut pii = false;
        let mut chars_max = Some(0_u64);
        let mut pieces = Vec::with_capacity(parts.len());
        for part in parts {
            let (code, at) = match part {
                Part::Text(text) => {
                    chars_max = chars_max.map(|chars| chars + text.chars().count() as u64);
                    nodes.push(Node::Const(Value::text(text)));
                    pieces.push(Piece::Fixed(text.clone()));
                    continue;
                }
                Part::Code { code, at } => (*code, *at),
            };
            let checked = self.code(code, at);
            let span = checked.span.clone();
            let Some(ty) = &checked.ty else {
                known = false;
                continue;
            };
            let written = code.get(span.clone()).unwrap_or_default();
            let place = SourcePosition {
                within: Some(span.start + at..span.end + at),
                code: Some(written),
                ..self.position()
            };
            let problem = match widen::chars_of(ty) {
                None => Some(place.problem(
                    codes::WRONG_TYPE,
                    format!("{} cannot be inserted into text", widen::describe(&ty.shape)),
                    format!("this is {}", widen::describe(&ty.shape)),
                    None,
                )),
                Some(_) if ty.nullable => Some(place.problem(
                    codes::MAY_BE_MISSING,
                    format!("`{written}` may be missing"),
                    "would be empty",
                    Some(guard::help(written, &checked, ty, self.scope, None)),
                )),
                Some(chars) => {
                    chars_max = chars_max.zip(chars).map(|(all, more)| all.saturating_add(more));
                    None
                }
            };
            pii |= ty.pii;
            if let Some(problem) = problem {
                self.problems.push(Problem { origin: checked.origin.clone(), ..problem });
                known = false;
            }
            pieces.extend(checked.pieces());
            nodes.push(checked.node);
        }
        let ty = Type { pii, ..Type::of(Shape::Text { chars_max, values: None }) };
        folded(Checked { pieces, ..Checked::new(Node::Concat(nodes), known.then_some(ty), 0..0) })
    }

    fn list(&mut self, elements: &[Json], expected: Option<&Type>) -> Checked {
        let wanted = match expected.map(|ty| &ty.shape) {
            None => None,
            Some(Shape::Json) => Some(&JSON),
            Some(Shape::List(element)) => Some(element.as_ref()),
            Some(shape) => return self.type_error(&shape.to_string(), "a list"),
        };
        let mut checked = Vec::with_capacity(elements.len());
        for (position, element) in elements.iter().enumerate() {
            self.route.push(Segment::Index(position));
            checked.push(self.build(element, wanted));
            self.route.pop();
        }
        if wanted.is_some_and(|wanted| wanted.shape == Shape::Json) {
            return list_without_type(checked);
        }
        let mut checker = Checker::new(self.scope, "", 0, self.route.clone());
        let empty = checked.is_empty();
        let (nodes, ty) = checker.joined(0..0, "the elements of a list", checked);
        self.problems.extend(
            checker.problems.into_iter().map(|problem| Problem { within: None, ..problem }),
        );
        let ty = match (empty, wanted) {
            (true, Some(wanted)) => Some(wanted.clone()),
            (true, None) => Some(widen::no_element()),
            (false, _) => ty,
        };
        let count = Some(elements.len() as u64);
        let ty = ty.map(|ty| Type::list_of_at_most(ty, count));
        folded(Checked::new(Node::List(nodes), ty, 0..0))
    }

    fn type_error(&mut self, wanted: &str, found: &str) -> Checked {
        let message = format!("expected {wanted}, found {found}");
        let problem =
            self.position().problem(codes::WRONG_TYPE, message, format!("this is {found}"), None);
        self.problems.push(problem);
        Checked::broken(0..0)
    }

    fn record(
        &mut self,
        members: &serde_json::Map<String, Json>,
        expected: Option<&Type>,
    ) -> Checked {
        let wanted = match expected.map(|ty| &ty.shape) {
            None | Some(Shape::Json) => None,
            Some(Shape::Record(wanted)) => Some(wanted.as_ref()),
            Some(shape) => return self.type_error(&shape.to_string(), "a map"),
        };
        let mut known = true;
        let mut fields: Vec<(&str, Checked)> = Vec::with_capacity(members.len());
        for (name, value) in members {
            let field = wanted.map(|wanted| wanted.field(name));
            self.route.push(Segment::Key(name.clone()));
            if let (Some(None), Some(wanted)) = (field, wanted) {
                self.unknown_key(name, wanted);
                known = false;
            }
            let json = expected.filter(|_| wanted.is_none()).map(|_| &JSON);
            let checked = self.build(value, field.flatten().map_or(json, |field| Some(&field.ty)));
            self.route.pop();
            known &= checked.ty.is_some();
            fields.push((name, checked));
        }
        for field in wanted.map(RecordType::fields).unwrap_or_default() {
            if members.contains_key(field.name.as_ref()) {
                continue;
            }
            let missing = Checked::new(Node::Const(Value::Missing), Some(field.ty.clone()), 0..0);
            fields.push((&field.name, missing));
            if !field.ty.nullable {
                let name = &field.name;
                let problem = self.position().problem(
                    codes::MISSING_KEY,
                    format!("`{name}` is missing"),
                    format!("has no `{name}`"),
                    Some(format!("add `{name}`: it is {}", field.ty.shape)),
                );
                self.problems.push(problem);
            }
        }
        let (node, ty) = record(fields);
        folded(Checked::new(node, known.then_some(ty), 0..0))
    }

    fn unknown_key(&mut self, name: &str, wanted: &RecordType) {
        let help = did_you_mean(name, wanted.names());
        let message = format!("unknown key `{name}`");
        let problem = self.position().problem(codes::UNKNOWN_KEY, message, "unknown key", help);
        self.problems.push(Problem { on_key: true, ..problem });
    }
}

/// Creates a list whose elements have no common type, which is only allowed as JSON.
fn list_without_type(elements: Vec<Checked>) -> Checked {
    let known = elements.iter().all(|element| element.ty.is_some());
    let pii = elements.iter().filter_map(|element| element.ty.as_ref()).any(Type::contains_pii);
    let element = Type::of(Shape::Json).or_null().with_pii(pii);
    let count = Some(elements.len() as u64);
    let nodes = elements.into_iter().map(|element| element.node).collect();
    let ty = known.then(|| Type::list_of_at_most(element, count));
    folded(Checked::new(Node::List(nodes), ty, 0..0))
}

/// Evaluates constant parts. A part that never has a value was already reported.
fn folded(checked: Checked) -> Checked {
    fold(checked).unwrap_or_else(|failed| failed.0)
}
