//! The recently changed rows and objects, with which the writer detects stale reads.

use foldhash::{HashMap, HashSet};

use crate::writer::item::{CommitNumber, Item, Reads};

/// Maximum number of changes in each of the two maps: a few seconds of the fastest pipelines. A
/// read that is older than these changes counts as stale.
const REMEMBERED_MAX: usize = 1 << 16;

/// The changes of the latest commits.
#[derive(Default)]
pub(crate) struct Recent {
    /// The number of the last commit.
    last: CommitNumber,
    /// For each item, the number of the commit that changed it last.
    newer: HashMap<Item, CommitNumber>,
    /// The content of `newer` when it was last full.
    older: HashMap<Item, CommitNumber>,
    /// The last commit whose changes may be missing from both maps.
    dropped_until: CommitNumber,
    /// The last commit with unknown changes, such as an import.
    everything: CommitNumber,
    /// The changes of the current commit so far.
    batch: HashSet<Item>,
}

impl Recent {
    /// Returns whether an item may have changed since it was read. No other run can have changed
    /// the `locked` items since then, no matter how long ago they were read.
    pub(crate) fn changed(&self, reads: &Reads, locked: &[Item]) -> bool {
        reads.iter().any(|(item, seen)| {
            *seen < self.everything
                || self.batch.contains(item)
                || match self.newer.get(item).or_else(|| self.older.get(item)) {
                    Some(changed) => changed > seen,
                    None => *seen < self.dropped_until && locked.binary_search(item).is_err(),
                }
        })
    }

    /// Records a change of the current commit.
    pub(crate) fn note(&mut self, item: Item) {
        self.batch.insert(item);
    }

    /// Discards the changes of the current commit after a rollback.
    pub(crate) fn roll_back(&mut self) {
        self.batch.clear();
    }

    /// Ends the current commit and returns its number.
    pub(crate) fn commit(&mut self) -> CommitNumber {
        self.last += 1;
        let last = self.last;
        self.newer.extend(self.batch.drain().map(|item| (item, last)));
        if self.newer.len() > REMEMBERED_MAX {
            let dropped = std::mem::replace(&mut self.older, std::mem::take(&mut self.newer));
            self.dropped_until = dropped.values().copied().max().unwrap_or(self.dropped_until);
        }
        last
    }

    /// Records a commit with unknown changes, and returns its number.
    pub(crate) fn commit_unknown(&mut self) -> CommitNumber {
        self.last += 1;
        self.everything = self.last;
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: usize) -> Item {
        Item::object("b", &name.to_string())
    }

    fn read(name: usize, seen: CommitNumber) -> Reads {
        Reads::from_iter([(item(name), seen)])
    }

    #[test]
    fn a_read_is_valid_until_a_later_commit_changes_its_item() {
        let mut recent = Recent::default();
        recent.note(item(1));
        assert!(recent.changed(&read(1, 0), &[]), "the current commit counts");
        let first = recent.commit();
        assert!(recent.changed(&read(1, first - 1), &[]));
        assert!(!recent.changed(&read(1, first), &[]));
        assert!(!recent.changed(&read(2, 0), &[]));
        recent.note(item(1));
        recent.roll_back();
        assert!(!recent.changed(&read(1, first), &[]), "changes that are rolled back do not count");
    }

    #[test]
    fn a_dropped_item_counts_as_changed_unless_it_was_locked() {
        let mut recent = Recent::default();
        for name in 0..3 * (REMEMBERED_MAX + 1) {
            recent.note(item(name));
            recent.commit();
        }
        let unknown = usize::MAX;
        assert!(recent.changed(&read(unknown, 0), &[]));
        assert!(!recent.changed(&read(unknown, 0), &[item(unknown)]));
        assert!(!recent.changed(&read(unknown, recent.last), &[]));
        let newest = 3 * (REMEMBERED_MAX + 1) - 1;
        assert!(
            recent.changed(&read(newest, 0), &[item(newest)]),
            "a lock does not hide a known change"
        );
    }

    #[test]
    fn after_an_unknown_commit_every_earlier_read_counts_as_changed() {
        let mut recent = Recent::default();
        let number = recent.commit_unknown();
        assert!(recent.changed(&read(1, number - 1), &[]));
        assert!(!recent.changed(&read(1, number), &[]));
    }
}
