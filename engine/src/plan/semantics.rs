//! The version of the rules for replaying a journal. A bundle stores this number, so that a change
//! of the rules does not affect runs that have already started.

/// The rules with which the runs of a bundle are replayed. A version of `oms` that changes the
/// result of a replay adds a number. Bundles of earlier versions keep their numbers.
///
/// | number | rule that it adds |
/// | --- | --- |
/// | 1 | |
/// | 2 | More parts of the order schema have a type: a value or null as `anyOf` or `oneOf`, null in an `enum`, elements after `prefixItems`, `properties` without `type: object`. A step that was skipped because of a failure counts as failed for `allow`. A retry decides again on a skipped step only if the step depends on a retried step. Instants of an order are truncated to milliseconds. |
/// | 3 | From the day on which the euro replaced a currency, `money.convert` uses its fixed conversion rate. `rate_source` shows which quotes come from overrides. |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Semantics(u32);

const SECOND: Semantics = Semantics(2);
const THIRD: Semantics = Semantics(3);

impl Semantics {
    /// The rules of the first version. They also apply to bundles without a number.
    pub const FIRST: Self = Self(1);
    /// The rules of this version.
    pub const CURRENT: Self = THIRD;

    /// Returns the semantics with a number, or `None` if this version does not know them.
    pub fn from_number(number: u32) -> Option<Self> {
        (Self::FIRST.0..=Self::CURRENT.0).contains(&number).then_some(Self(number))
    }

    /// Returns whether more parts of the order schema have a type (rule 2).
    pub(super) fn types_null_unions(self) -> bool {
        self >= SECOND
    }

    /// Returns whether a step that was skipped because of a failure counts as failed.
    pub const fn failures_reach_skipped_steps(self) -> bool {
        self.0 >= SECOND.0
    }

    /// Returns whether the fixed conversion rate of a currency that the euro replaced applies from
    /// the day of the replacement.
    pub(super) fn has_euro_changeovers(self) -> bool {
        self >= THIRD
    }

    /// Returns the number.
    pub const fn number(self) -> u32 {
        self.0
    }
}
