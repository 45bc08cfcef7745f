//! What a journal means: a number that a bundle keeps, so that a change of the rules does not change runs that have already started.

/// The rules by which the runs of a bundle are replayed. A version that changes what a replay gives adds a number here; the bundles of
/// earlier versions keep theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Semantics(u32);

impl Semantics {
    /// The rules of the first version, and of bundles without a number.
    pub const FIRST: Self = Self(1);
    /// More of the order schema has a type: a value or null as `anyOf` or `oneOf`, and null in an `enum`. Elements behind `prefixItems`, and
    /// `properties` without `type: object`, have the type that JSON Schema proves.
    const NULL_UNIONS: Self = Self(2);
    /// The rules of this version.
    pub const CURRENT: Self = Self(2);

    /// Returns the semantics with a number, or `None` if this version does not know them.
    pub fn from_number(number: u32) -> Option<Self> {
        (Self::FIRST.0..=Self::CURRENT.0).contains(&number).then_some(Self(number))
    }

    /// Tells whether a value or null has a type in the order schema, however it is written.
    pub(super) fn types_null_unions(self) -> bool {
        self >= Self::NULL_UNIONS
    }

    /// Returns the number.
    pub const fn number(self) -> u32 {
        self.0
    }
}
