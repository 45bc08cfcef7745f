//! What a journal means: a number that a bundle keeps, so that a change of the rules does not
//! change runs that have already started.

/// The rules by which the runs of a bundle are replayed. A version that changes what a replay gives
/// adds a number here; the bundles of earlier versions keep theirs.
///
/// | number | rule that it adds |
/// | --- | --- |
/// | 1 | |
/// | 2 | More of the order schema has a type: a value or null as `anyOf` or `oneOf`, null in an `enum`, elements behind `prefixItems`, `properties` without `type: object`. A step that was skipped because of a failure counts as failed for `allow`. A retry decides again about skipped steps only if they depend on a step that it tries again. Instants of an order are cut to milliseconds. |
/// | 3 | `money.convert` uses the rate at which the euro replaced a currency from that day on, and names in `rate_source` what quotes come from overrides. |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Semantics(u32);

const SECOND: Semantics = Semantics(2);
const THIRD: Semantics = Semantics(3);

impl Semantics {
    /// The rules of the first version, and of bundles without a number.
    pub const FIRST: Self = Self(1);
    /// The rules of this version.
    pub const CURRENT: Self = THIRD;

    /// Returns the semantics with a number, or `None` if this version does not know them.
    pub fn from_number(number: u32) -> Option<Self> {
        (Self::FIRST.0..=Self::CURRENT.0).contains(&number).then_some(Self(number))
    }

    /// Tells whether more of the order schema has a type.
    pub(super) fn types_null_unions(self) -> bool {
        self >= SECOND
    }

    /// Tells whether a step that was skipped because of a failure counts as failed.
    pub const fn failures_reach_skipped_steps(self) -> bool {
        self.0 >= SECOND.0
    }

    /// Tells whether a currency that the euro replaced has its rate for ever from that day on.
    pub(super) fn knows_changeovers(self) -> bool {
        self >= THIRD
    }

    /// Returns the number.
    pub const fn number(self) -> u32 {
        self.0
    }
}
