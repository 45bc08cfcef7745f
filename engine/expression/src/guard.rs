//! Suggests guards for values that may be missing.

use oms_core::value::{Shape, Type};

use super::check::Checked;
use super::scope::{Root, Scope};

/// Returns help for a place where the value `written` may be missing. `used` is the expression that
/// accesses a part of it. The help prefers a condition of the step. It never suggests a number,
/// because a missing amount is not zero.
pub(super) fn help(
    written: &str,
    checked: &Checked,
    ty: &Type,
    scope: &Scope,
    used: Option<&str>,
) -> String {
    let instead = match &ty.shape {
        Shape::Text { values: None, .. } => Some("\"\""),
        Shape::Bool => Some("false"),
        Shape::List(_) => Some("[]"),
        _ => None,
    };
    let fallback = match (&checked.path, instead) {
        (_, Some(instead)) => format!("add a fallback: `coalesce({written}, {instead})`"),
        (Some(_), None) => {
            let used = used.unwrap_or("…");
            format!("use it only where it is present: `{written} != null ? {used} : …`")
        }
        (None, None) => format!("add a fallback: `coalesce({written}, …)`"),
    };
    let condition = match (&checked.present_if, &checked.path) {
        (Some(condition), _) => condition.clone(),
        (None, Some(_)) => format!("{written} != null"),
        (None, None) => return fallback,
    };
    let root = written.split(['.', '[']).next().unwrap_or_default();
    match scope.root(root) {
        // A condition is evaluated once for the step, before its elements.
        Some((Root::Item, _)) => format!("filter the list in `for_each.items`, or {fallback}"),
        Some((Root::Row, Some(_))) => {
            format!(
                "change only rows in which it is present: `only_if: ${{{{ {condition} }}}}`, or {fallback}"
            )
        }
        Some((_, Some(_))) if scope.is_within_step() => {
            format!(
                "run the step only if it is present: `when: ${{{{ {condition} }}}}`, or {fallback}"
            )
        }
        None if root == "steps" => {
            format!(
                "run the step only if it is present: `when: ${{{{ {condition} }}}}`, or {fallback}"
            )
        }
        _ => fallback,
    }
}
