//! What a journal means: a number that a bundle keeps, so that a change of the rules does not change runs that have already started.

/// The rules by which the runs of a bundle are replayed. A version that changes what a replay gives adds a number here; the bundles of
/// earlier versions keep theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Semantics(u32);

impl Semantics {
    /// The rules of the first version, and of bundles without a number.
    pub const FIRST: Self = Self(1);
    /// The rules of this version.
    pub const CURRENT: Self = Self(1);

    /// Returns the semantics with a number, or `None` if this version does not know them.
    pub fn from_number(number: u32) -> Option<Self> {
        (Self::FIRST.0..=Self::CURRENT.0).contains(&number).then_some(Self(number))
    }

    /// Returns the number.
    pub const fn number(self) -> u32 {
        self.0
    }
}
