//! Refusals of a stretch, and the locks that a run waits for after too many.

use oms_sqlite::{Error, Item, LockId, Locked, Store};

/// Refusals after which a run waits for locks on what it reads and writes, so that it cannot starve.
const REFUSALS_MAX: u32 = 2;

/// How often a stretch was refused, and what that means for the next time.
#[derive(Default)]
pub(crate) struct Refusals {
    count: u32,
    /// What it was about the last times, read or written.
    pub(crate) items: Vec<Item>,
    locked: Option<Locked>,
}

impl Refusals {
    /// Tells whether inserts look first at what is committed. The first time they do not, since hardly ever a row stands in the way.
    pub(crate) const fn is_careful(&self) -> bool {
        self.count > 0
    }

    /// Notes a refusal. A run that was refused too often, and has no turn that would do the same for it, waits for locks.
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
