//! The versions of the rules for deriving types from schemas.

/// The rules for deriving types from schemas. A bundle keeps the rules with which it was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeRules {
    /// The rules of the first version. Alternatives with null and `enum` with null are only
    /// validated. `items` gives the type of all elements, including those of `prefixItems`.
    /// `properties` without `type` gives an object.
    First,
    /// The rules of this version.
    Current,
}
