//! Facts that hold at a position in an expression. They complement the types.

use std::collections::{BTreeMap, BTreeSet};

use oms_core::value::{Interval, Type, Value};

use super::domain::Domain;

/// Facts about values, such as "`order.note` is not null". Conditions in `when`, before `&&` and
/// before `?` provide them.
///
/// A subject is a path, the size of a path, or the text of another expression.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    known: BTreeMap<String, Domain>,
    /// Texts that are decimals.
    decimals: BTreeSet<String>,
    /// Whether a constant condition makes them impossible.
    impossible: bool,
}

impl Facts {
    /// Returns whether a path is known not to be null.
    pub fn is_present(&self, path: &str) -> bool {
        self.known.get(path).is_some_and(Domain::is_present)
    }

    /// Returns the minimum number of elements or characters of the value at a path.
    pub fn size_min(&self, path: &str) -> u64 {
        let size = self.known.get(&size_of(path)).and_then(Domain::int_min);
        size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0)
    }

    /// Returns whether a number is known not to be zero.
    pub fn is_nonzero(&self, path: &str) -> bool {
        self.known.get(path).is_some_and(|domain| domain.excludes(&Value::Int(0)))
    }

    /// Returns whether a text is known to be a decimal.
    pub fn is_decimal(&self, path: &str) -> bool {
        self.decimals.contains(path)
    }

    /// Returns whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty() && self.decimals.is_empty() && !self.impossible
    }

    /// Returns whether the facts contradict each other, so they never hold together.
    pub fn is_impossible(&self) -> bool {
        self.impossible || self.known.values().any(Domain::is_empty)
    }

    /// Returns the facts except those about an expression that mentions `root`.
    #[must_use]
    pub fn without(&self, root: &str) -> Self {
        let mentions = |subject: &str| {
            let mut names = subject.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            names.any(|name| name == root)
        };
        let mut rest = self.clone();
        rest.known.retain(|subject, _| !mentions(subject));
        rest
    }

    /// Returns facts that never hold.
    pub(super) fn never() -> Self {
        Self { impossible: true, ..Self::default() }
    }

    pub(super) fn about(subject: &str, domain: Domain) -> Self {
        Self { known: BTreeMap::from([(subject.to_owned(), domain)]), ..Self::default() }
    }

    pub(super) fn decimal(path: &str) -> Self {
        Self { decimals: BTreeSet::from([path.to_owned()]), ..Self::default() }
    }

    /// Returns whether the value at a path can be of a type, considering only known constants.
    pub(super) fn allows(&self, path: &str, ty: &Type) -> bool {
        self.known.get(path).is_none_or(|known| !known.and(&Domain::of(ty)).is_empty())
    }

    /// Narrows an interval to the known range of the number at a path.
    pub(super) fn narrow(&self, path: &str, interval: Interval) -> Interval {
        self.known.get(path).map_or(interval, |known| known.narrow(interval))
    }

    /// Returns the facts that hold if both of these hold.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        for (subject, domain) in &other.known {
            let known = self.known.entry(subject.clone()).or_default();
            *known = known.and(domain);
        }
        self.decimals.extend(other.decimals.iter().cloned());
        self.impossible |= other.impossible;
        self
    }

    /// Returns the facts that hold if at least one of these holds.
    #[must_use]
    pub(super) fn or(&self, other: &Self) -> Self {
        if self.is_impossible() {
            return other.clone();
        }
        if other.is_impossible() {
            return self.clone();
        }
        let both = self.known.iter().filter_map(|(subject, domain)| {
            Some((subject.clone(), domain.or(other.known.get(subject)?)))
        });
        Self {
            known: both.collect(),
            decimals: &self.decimals & &other.decimals,
            impossible: false,
        }
    }

    /// Returns whether the two never hold together.
    pub fn exclude(&self, other: &Self) -> bool {
        self.clone().and(other).is_impossible()
    }
}

/// Returns the subject for the size of the value at a path.
pub(super) fn size_of(path: &str) -> String {
    format!("size({path})")
}
