//! What is known to hold where an expression stands: the other half of its types.

use std::collections::{BTreeMap, BTreeSet};

/// Facts about paths, such as "`order.note` is not null". A condition that holds, in `when`, before `&&` or before `?`, gives some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Paths that are not null.
    present: BTreeSet<String>,
    /// Lists and texts with at least so many elements or characters.
    sizes: BTreeMap<String, u64>,
    /// Numbers that are not zero.
    nonzero: BTreeSet<String>,
    /// Texts that are decimals.
    decimals: BTreeSet<String>,
}

impl Facts {
    /// Tells whether a path is known not to be null.
    pub fn is_present(&self, path: &str) -> bool {
        self.present.contains(path)
    }

    /// Returns how many elements a list has at the least.
    pub fn size_min(&self, path: &str) -> u64 {
        self.sizes.get(path).copied().unwrap_or(0)
    }

    /// Tells whether a number is known not to be zero.
    pub fn is_nonzero(&self, path: &str) -> bool {
        self.nonzero.contains(path)
    }

    /// Tells whether a text is known to be a decimal.
    pub fn is_decimal(&self, path: &str) -> bool {
        self.decimals.contains(path)
    }

    /// Tells whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.present.is_empty()
            && self.sizes.is_empty()
            && self.nonzero.is_empty()
            && self.decimals.is_empty()
    }

    pub(super) fn present(path: &str) -> Self {
        Self { present: BTreeSet::from([path.to_owned()]), ..Self::default() }
    }

    pub(super) fn size(path: &str, at_least: u64) -> Self {
        Self { sizes: BTreeMap::from([(path.to_owned(), at_least)]), ..Self::default() }
    }

    pub(super) fn nonzero(path: &str) -> Self {
        Self { nonzero: BTreeSet::from([path.to_owned()]), ..Self::default() }
    }

    pub(super) fn decimal(path: &str) -> Self {
        Self { decimals: BTreeSet::from([path.to_owned()]), ..Self::default() }
    }

    /// What is known when both hold.
    #[must_use]
    pub(super) fn and(mut self, other: &Self) -> Self {
        self.present.extend(other.present.iter().cloned());
        self.nonzero.extend(other.nonzero.iter().cloned());
        self.decimals.extend(other.decimals.iter().cloned());
        for (path, size) in &other.sizes {
            let known = self.sizes.entry(path.clone()).or_default();
            *known = (*known).max(*size);
        }
        self
    }

    /// What is known when one of both holds.
    #[must_use]
    pub(super) fn or(&self, other: &Self) -> Self {
        let common = |a: &BTreeSet<String>, b: &BTreeSet<String>| a & b;
        Self {
            present: common(&self.present, &other.present),
            sizes: self
                .sizes
                .iter()
                .filter_map(|(path, size)| {
                    Some((path.clone(), (*size).min(*other.sizes.get(path)?)))
                })
                .collect(),
            nonzero: common(&self.nonzero, &other.nonzero),
            decimals: common(&self.decimals, &other.decimals),
        }
    }
}
