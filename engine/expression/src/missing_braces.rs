//! Finds texts that were probably meant as expressions: a reference without `${{ }}`, or in the
//! braces of another language.

use std::ops::Range;

use oms_core::diagnostic::{Route, codes};

use super::check::Checker;
use super::parse;
use super::problem::Problem;
use super::scope::{Root, Scope};
use super::syntax::{Expr, ExprKind};

/// The notations of other languages for an expression within a text.
const BRACES: [(&str, &str); 6] =
    [("{{", "}}"), ("${", "}"), ("#{", "}"), ("%{", "}"), ("<%=", "%>"), ("$(", ")")];

/// A text in the file that was probably meant as an expression.
pub(super) struct MissingBraces {
    /// Its byte range within the text, including braces.
    pub(super) within: Range<usize>,
    /// The expression that was probably meant.
    pub(super) code: String,
}

/// Finds a text that was probably meant as an expression. It must resolve in `scope`, so ordinary
/// texts are not reported.
pub(super) fn find(text: &str, scope: &Scope) -> Option<MissingBraces> {
    if !mentions(text, scope) && !text.contains("$.") {
        return None;
    }
    whole(text, scope)
        .or_else(|| BRACES.iter().find_map(|(open, close)| embedded(text, open, close, scope)))
}

/// Returns the expression that was probably meant by a text in a place where no text is allowed.
pub fn suggested_expression(text: &str, scope: &Scope) -> Option<String> {
    let text = text.trim();
    if let Some(found) = find(text, scope).filter(|found| found.within == (0..text.len())) {
        return Some(found.code);
    }
    let without = |(open, close): &(&str, &str)| text.strip_prefix(*open)?.strip_suffix(*close);
    let code = BRACES.iter().find_map(without).unwrap_or(text).trim();
    let below = format!("order.{}", code.trim_start_matches("$."));
    if code.starts_with("$.") || code.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return [code, below.as_str()].into_iter().find(|c| resolves(c, scope)).map(str::to_owned);
    }
    parse::parse(code).is_ok().then(|| code.to_owned())
}

/// Parses the whole text as an expression, such as `order.id`, `$order.id` or `$.id`.
fn whole(text: &str, scope: &Scope) -> Option<MissingBraces> {
    let trimmed = text.trim();
    let start = text.len() - text.trim_start().len();
    let within = start..start + trimmed.len();
    let code = if let Some(path) = trimmed.strip_prefix("$.") {
        let below = format!("order.{path}");
        [path.to_owned(), below].into_iter().find(|code| resolves(code, scope))?
    } else if let Some(path) = trimmed.strip_prefix('$') {
        Some(path.to_owned()).filter(|code| resolves(code, scope))?
    } else {
        // A single word is an ordinary text.
        Some(trimmed.to_owned())
            .filter(|code| code.contains(['.', '[']) && resolves(code, scope))?
    };
    Some(MissingBraces { within, code })
}

fn embedded(text: &str, open: &str, close: &str, scope: &Scope) -> Option<MissingBraces> {
    let mut rest = 0;
    while let Some(found) = text.get(rest..)?.find(open) {
        let start = rest + found;
        let inner = start + open.len();
        let length = text.get(inner..)?.find(close)?;
        let code = text.get(inner..inner + length)?.trim();
        // Skips real `${{ }}` expressions and escaped ones.
        let ours = open == "{{" && text.get(..start)?.ends_with('$');
        if !ours && resolves(code, scope) {
            let within = start..inner + length + close.len();
            return Some(MissingBraces { within, code: code.to_owned() });
        }
        rest = inner;
    }
    None
}

/// Returns whether a text contains a name that an expression can start with.
fn mentions(text: &str, scope: &Scope) -> bool {
    let roots = Root::ALL.into_iter().map(|root| scope.name_of(root));
    roots.chain(["steps"]).any(|root| text.contains(root))
}

/// Returns whether a text is a valid expression in `scope` that reads a value.
fn resolves(code: &str, scope: &Scope) -> bool {
    if !mentions(code, scope) {
        return false;
    }
    let Ok(expr) = parse::parse(code) else { return false };
    if let Some(known) = other_step(&expr, scope) {
        return known;
    }
    let mut checker = Checker::new(scope, code, 0, Route::root());
    let checked = checker.check(&expr);
    // Ignores values that may be missing. They are reported when the braces are added.
    let may_be_missing =
        |problem: &Problem| matches!(problem.code, codes::MAY_BE_MISSING | codes::MAY_FAIL);
    let is_known = checked.ty.is_some() || !checker.problems.is_empty();
    is_known && checker.problems.iter().all(may_be_missing) && !checker.reads.is_empty()
}

/// Returns whether a path leads to a field of a step whose output is not available here; `None` for
/// other expressions.
fn other_step(expr: &Expr, scope: &Scope) -> Option<bool> {
    if !expr.is_bare_path() {
        return None;
    }
    let mut names = Vec::new();
    let mut expr = expr;
    while let ExprKind::Select(operand, name) = &expr.kind {
        names.push(name.as_str());
        expr = operand;
    }
    match (&expr.kind, names.as_slice()) {
        (ExprKind::Name(root) | ExprKind::OuterName(root), [.., _, id])
            if root == "steps" && !scope.steps().contains_key(*id) =>
        {
            Some(scope.has_other_step(id))
        }
        _ => None,
    }
}
