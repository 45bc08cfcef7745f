//! Problems in schemas.

use std::sync::Arc;

use oms_core::diagnostic::{Code, Diagnostic, Label, Place, Route, Severity};
use oms_core::document::{Document, NodeValue};

/// The kind of a problem in a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaProblemKind {
    /// The part is invalid, or `oms` does not support it.
    Invalid,
    /// The part is valid in JSON Schema, but has no effect in its place.
    NoEffect,
    /// `required` names a member that `properties` does not declare.
    Undeclared,
}

/// A part of a schema that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaProblem {
    /// The kind of the problem.
    pub kind: SchemaProblemKind,
    /// The JSON pointer to the part.
    pub pointer: String,
    /// Whether the fault is in the key rather than in its value.
    pub on_key: bool,
    /// The message.
    pub message: String,
    /// How to fix it.
    pub help: Option<String>,
}

/// Creates a diagnostic for a problem in a separate schema file.
pub(crate) fn in_schema(
    document: &Document,
    code: Code,
    severity: Severity,
    problem: SchemaProblem,
) -> Diagnostic {
    let place = place_in(document, &Route::root(), &problem);
    let label = Label {
        path: Arc::clone(document.path()),
        span: document.span(&place),
        text: String::new(),
        primary: true,
    };
    Diagnostic { code, severity, message: problem.message, labels: vec![label], help: problem.help }
}

/// Returns the place of a problem in the schema at `base`.
pub(crate) fn place_in(document: &Document, base: &Route, problem: &SchemaProblem) -> Place {
    let below = Route::from_pointer(&problem.pointer, |route| {
        let whole = base.join(route);
        document
            .root()
            .find(&whole)
            .is_some_and(|(node, _)| matches!(node.value, NodeValue::List(_)))
    });
    let route = base.join(&below);
    if problem.on_key { Place::key(route) } else { Place::value(route) }
}
