//! Checks for the keys of objects. The rules are those of S3.

use oms_engine::diagnostic::{Finding, Place, Route, codes};
use oms_engine::expression::Compiled;
use oms_engine::step::{Expr, PlanContext};

use crate::one_line;

/// Maximum length of a key in bytes.
const BYTES_MAX: usize = 1024;

/// Returns whether a text can be the key of an object.
pub(crate) fn is_valid(key: &str) -> bool {
    !key.is_empty() && key.len() <= BYTES_MAX && !key.chars().any(char::is_control)
}

/// Reports a key that is invalid because of its fixed text alone. Returns whether the key can be
/// valid.
pub(crate) fn check(key: &Compiled, written: &Expr<String>, cx: &mut PlanContext<'_>) -> bool {
    let at = Route::root().key("key");
    if !one_line::check("the object's key", at.clone(), key, written, cx) {
        return false;
    }
    let bytes: usize = key.fixed_texts().map(str::len).sum();
    let is_empty = key.constant().is_some() && bytes == 0;
    if bytes <= BYTES_MAX && !is_empty {
        return true;
    }
    let message = format!(
        "an object's key must have 1 to {BYTES_MAX} bytes, found {}{bytes}",
        if is_empty { "" } else { "at least " }
    );
    let help = "write a shorter key, such as `${{ run.key }}.json`".to_owned();
    cx.fault(
        Finding::error(codes::VALUE_NOT_ALLOWED, Place::value(at), message)
            .help(help)
            .ignored_in_bundles(),
    );
    false
}
