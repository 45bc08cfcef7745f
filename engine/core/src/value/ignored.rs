//! The members of a document that a comparison ignores.

use std::collections::BTreeMap;

/// The segment of a pointer that stands for every element of a list.
pub const EACH_ELEMENT: &str = "*";

/// Members to ignore, as a tree of the names that lead to them. In a list, the name
/// [`EACH_ELEMENT`] leads to every element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IgnoredMembers {
    below: BTreeMap<Box<[u8]>, Self>,
    is_ignored: bool,
}

impl IgnoredMembers {
    /// Adds the members to which the names lead.
    pub fn add<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        let mut node = self;
        for name in names {
            node = node.below.entry(Box::from(name.as_bytes())).or_default();
        }
        node.is_ignored = true;
    }

    /// Returns whether no member is ignored.
    pub fn is_empty(&self) -> bool {
        !self.is_ignored && self.below.is_empty()
    }

    /// Returns whether this member is ignored with everything in it.
    pub(super) const fn is_ignored(&self) -> bool {
        self.is_ignored
    }

    /// Returns the part of the tree for a member of a record.
    pub(super) fn member(&self, name: &[u8]) -> Option<&Self> {
        self.below.get(name)
    }

    /// Returns the part of the tree for the elements of a list.
    pub(super) fn element(&self) -> Option<&Self> {
        self.member(EACH_ELEMENT.as_bytes())
    }
}
