//! Refusals of a stretch, and the locks for which a run waits after too many refusals.

use oms_sqlite::{Error, Item, LockId, Locked, Store};

/// Number of refusals after which a run waits for locks on the rows and objects that it reads and
/// writes, so that it cannot starve.
const REFUSALS_MAX: u32 = 2;

/// The refusals of a stretch, and their consequences for its next execution.
#[derive(Default)]
pub(crate) struct Refusals {
    count: u32,
    /// The rows and objects that the refused stretches read or wrote.
    pub(crate) items: Vec<Item>,
    locked: Option<Locked>,
}

impl Refusals {
    /// Returns whether inserts first check the committed rows. The first execution does not,
    /// because conflicts are rare.
    pub(crate) const fn checks_committed_rows(&self) -> bool {
        self.count > 0
    }

    /// Records a refusal. A run that was refused too often waits for locks, unless it has a turn,
    /// which has the same effect.
    pub(crate) async fn note(&mut self, store: &Store, has_turn: bool) -> Result<(), Error> {
        self.count += 1;
        if self.count >= REFUSALS_MAX && !has_turn {
            self.locked = None;
            self.locked = Some(store.lock(self.items.clone()).await?);
        }
        Ok(())
    }

    pub(crate) fn lock(&self) -> Option<LockId> {
        self.locked.as_ref().map(|locked| locked.id())
    }
}
