//! Checks for settings whose fixed text must not contain line breaks or other control characters:
//! keys of objects, addresses and locales.

use oms_engine::diagnostic::{Finding, Place, Route, codes, without_line_break};
use oms_engine::expression::Compiled;
use oms_engine::step::{Expr, PlanContext};
use oms_engine::value::Typed;

/// Reports a control character in fixed text, such as the line break at the end of a YAML block
/// scalar. Returns whether the text has none.
pub(crate) fn check<T: Typed>(
    what: &str,
    at: Route,
    text: &Compiled,
    written: &Expr<T>,
    cx: &mut PlanContext<'_>,
) -> bool {
    let fixed = || text.fixed_texts().flat_map(str::chars);
    let found = match fixed().find(|letter| letter.is_control()) {
        Some('\n' | '\r') => "a line break",
        Some('\t') => "a tab",
        Some(_) => "a control character",
        None => return true,
    };
    let message = format!("{what} must not contain {found}");
    let help = match fixed().filter(|letter| letter.is_control()).all(|letter| letter == '\n') {
        true => without_line_break(written.raw().as_str().unwrap_or_default()),
        false => "remove it",
    };
    cx.fault(
        Finding::error(codes::VALUE_NOT_ALLOWED, Place::value(at), message)
            .help(help.to_owned())
            .ignored_in_bundles(),
    );
    false
}
