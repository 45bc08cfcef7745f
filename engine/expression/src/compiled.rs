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
use super::problem::{EvalError, Problem, Weight};
use super::scope::Scope;

/// An expression, or a value made of several, that was checked against a [`Scope`].
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
/// Everything that is independently wrong with it, addressed by bytes of `text`.
pub fn compile(text: &str, scope: &Scope) -> Result<Compiled, Vec<Problem>> {
    let mut checker = Checker::new(scope, text, 0, Route::root());
    let checked = check_text(&mut checker);
    finish(checked, checker.problems, checker.steps, checker.reads)
}

/// Parses and checks the checker's text; a syntax error becomes a problem.
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

/// Makes the result out of what was checked and found.
pub(super) fn finish(
    checked: Checked,
    problems: Vec<Problem>,
    steps: BTreeSet<usize>,
    reads: BTreeSet<String>,
) -> Result<Compiled, Vec<Problem>> {
    if problems.iter().any(|problem| problem.weight == Weight::Error) {
        return Err(problems);
    }
    let broken = checked.ty.as_ref().is_none_or(Type::holds_broken);
    let pieces = checked.pieces();
    let ty = checked.ty.unwrap_or_else(|| Type::of(Shape::Json).or_null());
    let constant = checked.node.constant();
    let always_true = constant == Some(&Value::Bool(true)) || checked.fails.is_impossible();
    let facts = if constant == Some(&Value::Bool(false)) { Facts::never() } else { checked.holds };
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
    /// Returns what its value surely is. An expression that [is broken](Self::is_broken) has the type that was expected of it, else
    /// nullable JSON.
    pub const fn ty(&self) -> &Type {
        &self.ty
    }

    /// Tells whether it uses the output of a step that did not check, so that nothing is known of it. It must not run.
    pub const fn is_broken(&self) -> bool {
        self.broken
    }

    pub(super) const fn node(&self) -> &Node {
        &self.node
    }

    pub(super) fn expect_type(&mut self, ty: Type) {
        self.ty = ty;
    }

    /// Returns its value if that is known without running.
    pub const fn constant(&self) -> Option<&Value> {
        self.node.constant()
    }

    /// Returns the path, such as `order.currency`, if it is nothing but that. The element of a `for_each` is `item` in it, whatever
    /// its name in the file.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Returns the steps whose outputs it reads.
    pub const fn reads_steps(&self) -> &BTreeSet<usize> {
        &self.steps
    }

    /// Returns every path that it reads, such as `order.order_id`, `run.key`, `steps.bill.amount` or `item.sku`, in order.
    pub fn reads(&self) -> impl Iterator<Item = &str> {
        self.reads.iter().map(String::as_str)
    }

    /// Tells whether two values differ whenever the keys at `path` do: whether the key as text can be read back from it.
    pub fn tells_apart(&self, path: &str) -> bool {
        pieces::tell_apart(&self.pieces, path)
    }

    /// Returns the fixed text before and behind what `path` leads to, if it is nothing but that.
    pub fn around(&self, path: &str) -> Option<(String, String)> {
        pieces::around(&self.pieces, path)
    }

    /// Returns the paths whose whole text stands in its text.
    pub fn shows(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Path(path) => Some(path.as_str()),
            Piece::Fixed(_) | Piece::Other => None,
        })
    }

    /// Returns the parts of its text that stand in the file.
    pub fn fixed(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Fixed(text) => Some(text.as_str()),
            Piece::Path(_) | Piece::Other => None,
        })
    }

    /// Tells whether it is the order as a whole.
    pub fn is_whole_order(&self) -> bool {
        self.path() == Some("order")
    }

    /// Returns the day on which its instant falls in a time zone. What is not surely an instant stays as it is.
    #[must_use]
    pub fn day(self, zone: &TimeZone) -> Self {
        if self.ty.shape != Shape::Timestamp || self.ty.nullable {
            return self;
        }
        let ty = day_type(self.ty.pii);
        let node = Node::Day(Box::new(self.node), zone.clone());
        Self { node, ty, path: None, pieces: Vec::new(), ..self }
    }

    /// Returns the expression with its values percent-encoded as parts of a URL (RFC 3986, 2.1), so that no value can add a parameter or a path. An
    /// expression that is a single value stays as it is.
    #[must_use]
    pub fn url(self) -> Self {
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
            let position = UrlPart::behind(&written);
            encoded.push(if value { Node::Encoded(Box::new(part), position) } else { part });
        }
        let pieces = self.pieces.into_iter().map(|piece| match piece {
            Piece::Fixed(_) => piece,
            Piece::Path(_) | Piece::Other => Piece::Other,
        });
        Self { node: Node::Concat(encoded), pieces: pieces.collect(), ..self }
    }

    /// Returns what holds wherever this condition is true.
    pub fn facts(&self) -> Facts {
        self.facts.clone()
    }

    /// Tells whether this condition is true whatever the order is.
    pub const fn is_always_true(&self) -> bool {
        self.always_true
    }

    /// Takes out what is to be reported although it can be evaluated.
    pub fn take_notes(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.notes)
    }

    /// Evaluates it.
    ///
    /// # Errors
    ///
    /// [`EvalError::Overflow`], [`EvalError::TooLong`] and [`EvalError::TooMuch`]; the types exclude everything else as long as the values in `env` are of the
    /// types in the scope.
    pub fn eval(&self, env: &Env<'_>) -> Result<Value, EvalError> {
        let left = Cell::new(VISITS_MAX);
        self.node.eval(Place::new(env, &left)).map(Cow::into_owned)
    }
}
