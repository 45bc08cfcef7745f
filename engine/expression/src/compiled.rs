//! A checked expression.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;

use oms_core::diagnostic::{Route, codes};
use oms_core::mail::UrlPart;
use oms_core::time_zone::TimeZone;
use oms_core::value::{Shape, Type, Value};

use super::check::{Checked, Checker};
use super::check_date::day_type;
use super::eval::{Env, Place, VISITS_MAX};
use super::facts::Facts;
use super::node::Node;
use super::parse::{self, SyntaxError};
use super::pieces::{self, Piece};
use super::problem::{EvalError, Problem, ProblemSeverity};
use super::scope::Scope;

/// An expression, or a value composed of several, that was checked against a [`Scope`].
#[derive(Clone, Debug)]
pub struct Compiled {
    node: Node,
    ty: Type,
    broken: bool,
    path: Option<String>,
    pieces: Vec<Piece>,
    facts: Facts,
    always_true: bool,
    steps: BTreeSet<usize>,
    reads: BTreeSet<String>,
    notes: Vec<Problem>,
}

/// Compiles the text inside of `${{ }}`.
///
/// # Errors
///
/// Returns all independent problems, addressed by bytes of `text`.
pub fn compile(text: &str, scope: &Scope) -> Result<Compiled, Vec<Problem>> {
    let mut checker = Checker::new(scope, text, 0, Route::root());
    let checked = check_text(&mut checker);
    finish(checked, checker.problems, checker.steps, checker.reads)
}

/// Parses and checks the checker's text. A syntax error becomes a problem.
pub(super) fn check_text(checker: &mut Checker<'_>) -> Checked {
    let text = checker.text;
    match parse::parse(text) {
        Ok(expr) => {
            let checked = checker.check(&expr);
            let bare = expr.is_bare_path();
            let pieces = checked.pieces();
            Checked { path: checked.path.clone().filter(|_| bare), pieces, ..checked }
        }
        Err(SyntaxError { too_large, range, message, label, help }) => {
            let code = if too_large { codes::EXPRESSION_LIMIT } else { codes::EXPRESSION_SYNTAX };
            checker.report(code, range, message, label).help(help);
            Checked::broken(0..text.len())
        }
    }
}

/// Creates the result from the checked value and the problems.
pub(super) fn finish(
    checked: Checked,
    problems: Vec<Problem>,
    steps: BTreeSet<usize>,
    reads: BTreeSet<String>,
) -> Result<Compiled, Vec<Problem>> {
    if problems.iter().any(|problem| problem.severity == ProblemSeverity::Error) {
        return Err(problems);
    }
    let broken = checked.ty.as_ref().is_none_or(Type::contains_broken);
    let pieces = checked.pieces();
    let ty = checked.ty.unwrap_or_else(|| Type::of(Shape::Json).or_null());
    let constant = checked.node.constant();
    let always_true = constant == Some(&Value::Bool(true)) || checked.if_false.is_impossible();
    let facts =
        if constant == Some(&Value::Bool(false)) { Facts::never() } else { checked.if_true };
    Ok(Compiled {
        node: checked.node,
        ty,
        broken,
        path: checked.path,
        pieces,
        facts,
        always_true,
        steps,
        reads,
        notes: problems,
    })
}

impl Compiled {
    /// Returns the type of its value. An expression that [is broken](Self::is_broken) has the
    /// expected type, or nullable JSON.
    pub const fn ty(&self) -> &Type {
        &self.ty
    }

    /// Returns whether it uses the output of a step with errors, so its type is unknown. It must
    /// not run.
    pub const fn is_broken(&self) -> bool {
        self.broken
    }

    pub(super) const fn node(&self) -> &Node {
        &self.node
    }

    pub(super) fn expect_type(&mut self, ty: Type) {
        self.ty = ty;
    }

    /// Returns its value if it is constant.
    pub const fn constant(&self) -> Option<&Value> {
        self.node.constant()
    }

    /// Returns the path, such as `order.currency`, if the expression is only a path. The element of
    /// a `for_each` is always called `item`.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Returns the steps whose outputs it reads.
    pub const fn reads_steps(&self) -> &BTreeSet<usize> {
        &self.steps
    }

    /// Returns every path that it reads, such as `order.order_id`, `run.key`, `steps.bill.amount`
    /// or `item.sku`, in order.
    pub fn reads(&self) -> impl Iterator<Item = &str> {
        self.reads.iter().map(String::as_str)
    }

    /// Returns whether two values differ whenever the keys at `path` differ, so the key can be
    /// recovered from the text.
    pub fn determines_key(&self, path: &str) -> bool {
        pieces::determine_key(&self.pieces, path)
    }

    /// Returns the fixed text before and after the text of the value at `path`, if the rest of the
    /// value is fixed.
    pub fn text_around(&self, path: &str) -> Option<(String, String)> {
        pieces::text_around(&self.pieces, path)
    }

    /// Returns the paths of the values that its text contains as a whole.
    pub fn readable_paths(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Path(path) => Some(path.as_str()),
            Piece::Fixed(_) | Piece::Other => None,
        })
    }

    /// Returns whether its text consists only of fixed text and of the values at
    /// [`Self::readable_paths`].
    pub fn is_made_of_paths(&self) -> bool {
        let is_other = |piece: &Piece| matches!(piece, Piece::Other);
        !self.pieces.is_empty() && !self.pieces.iter().any(is_other)
    }

    /// Returns the fixed parts of its text.
    pub fn fixed_texts(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Fixed(text) => Some(text.as_str()),
            Piece::Path(_) | Piece::Other => None,
        })
    }

    /// Returns whether it is the whole order.
    pub fn is_whole_order(&self) -> bool {
        self.path() == Some("order")
    }

    /// Returns the day of its timestamp in a time zone. Any other value, and a timestamp that may
    /// be missing, stays unchanged.
    #[must_use]
    pub fn as_date(self, zone: &TimeZone) -> Self {
        if self.ty.shape != Shape::Timestamp || self.ty.nullable {
            return self;
        }
        let ty = day_type(self.ty.pii);
        let node = Node::Day(Box::new(self.node), zone.clone());
        Self { node, ty, path: None, pieces: Vec::new(), ..self }
    }

    /// Returns the expression with its values percent-encoded as parts of a URL (RFC 3986, 2.1), so
    /// no value can add a parameter or a path. An expression that is a single value stays
    /// unchanged.
    #[must_use]
    pub fn as_url(self) -> Self {
        let Node::Concat(parts) = self.node else { return self };
        let mut written = String::new();
        let mut encoded = Vec::with_capacity(parts.len());
        for part in parts {
            let value = match &part {
                Node::Const(Value::Text(text)) => {
                    written.push_str(text);
                    false
                }
                _ => true,
            };
            let position = UrlPart::after(&written);
            encoded.push(if value { Node::Encoded(Box::new(part), position) } else { part });
        }
        let pieces = self.pieces.into_iter().map(|piece| match piece {
            Piece::Fixed(_) => piece,
            Piece::Path(_) | Piece::Other => Piece::Other,
        });
        Self { node: Node::Concat(encoded), pieces: pieces.collect(), ..self }
    }

    /// Returns the facts that hold wherever this condition is true.
    pub fn facts(&self) -> Facts {
        self.facts.clone()
    }

    /// Returns whether this condition is true for every order.
    pub const fn is_always_true(&self) -> bool {
        self.always_true
    }

    /// Takes the problems that do not prevent evaluation.
    pub fn take_notes(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.notes)
    }

    /// Evaluates it.
    ///
    /// # Errors
    ///
    /// Returns [`EvalError::Overflow`], [`EvalError::TooLong`], [`EvalError::TooMuch`] and
    /// [`EvalError::NoDate`]. The types exclude all other errors if the values in `env` have the
    /// types of the scope.
    pub fn eval(&self, env: &Env<'_>) -> Result<Value, EvalError> {
        let left = Cell::new(VISITS_MAX);
        self.node.eval(Place::new(env, &left)).map(Cow::into_owned)
    }
}
