//! Problems in schemas.

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
