//! Locks on rows and objects for runs that were refused twice. They are granted in the order of the
//! requests, so that no run starves.
//!
//! There is one queue, and a request names all its items at once, so that deadlocks are impossible.

use std::sync::Arc;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::writer::item::Item;

/// The number of a request.
pub type LockId = u64;

/// The granted and waiting requests, in the order of their arrival.
#[derive(Default)]
pub(crate) struct Locks {
    requests: Vec<Request>,
}

/// A request for locks.
pub(crate) struct Request {
    pub(crate) id: LockId,
    /// The sorted items.
    pub(crate) items: Arc<[Item]>,
    /// Notified when the locks are granted.
    pub(crate) granted: Option<oneshot::Sender<()>>,
}

impl Locks {
    /// Adds a request to the end of the queue.
    pub(crate) fn add(&mut self, request: Request) {
        self.requests.push(request);
    }

    /// Removes requests, granted or not.
    pub(crate) fn release(&mut self, ids: &[LockId]) {
        self.requests.retain(|request| !ids.contains(&request.id));
    }

    /// Grants the requests that conflict with no earlier request. Call this when all writes so far
    /// are committed, so that the holders of the locks see them.
    pub(crate) fn grant(&mut self) {
        for at in 0..self.requests.len() {
            let (earlier, rest) = self.requests.split_at_mut(at);
            let Some(request) = rest.first_mut().filter(|request| request.granted.is_some()) else {
                continue;
            };
            if earlier.iter().any(|other| intersect(&other.items, request.items.iter())) {
                continue;
            }
            if let Some(granted) = request.granted.take() {
                // If the requester no longer exists, its request is released separately.
                let _ignored = granted.send(());
            }
        }
    }

    /// Returns whether a request other than `own` names one of these items.
    pub(crate) fn concern<'i>(
        &self,
        own: Option<LockId>,
        items: impl Iterator<Item = &'i Item> + Clone,
    ) -> bool {
        let others = self.requests.iter().filter(|request| Some(request.id) != own);
        others.into_iter().any(|request| intersect(&request.items, items.clone()))
    }

    /// Returns the sorted items of a request.
    pub(crate) fn items(&self, id: Option<LockId>) -> &[Item] {
        let request = self.requests.iter().find(|request| Some(request.id) == id);
        request.map_or(&[], |request| &request.items)
    }

    /// Returns whether no run holds a lock or waits for one.
    pub(crate) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }
}

fn intersect<'i>(sorted: &[Item], mut items: impl Iterator<Item = &'i Item>) -> bool {
    items.any(|item| sorted.binary_search(item).is_ok())
}

/// Requests that were released since the writer last checked.
#[derive(Clone, Default)]
pub(crate) struct ReleasedLocks(Arc<Mutex<Vec<LockId>>>);

impl ReleasedLocks {
    /// Adds a released request.
    pub(crate) fn add(&self, id: LockId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(id);
    }

    /// Takes the released requests.
    pub(crate) fn take(&self) -> Vec<LockId> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(id: LockId, names: &[&str]) -> (Request, oneshot::Receiver<()>) {
        let mut items: Vec<Item> = names.iter().map(|name| Item::object("b", name)).collect();
        items.sort_unstable();
        let (sender, receiver) = oneshot::channel();
        (Request { id, items: items.into(), granted: Some(sender) }, receiver)
    }

    fn is_granted(receiver: &mut oneshot::Receiver<()>) -> bool {
        receiver.try_recv().is_ok()
    }

    #[test]
    fn locks_are_granted_in_the_order_of_the_requests() {
        let mut locks = Locks::default();
        let (first, mut first_granted) = request(1, &["a"]);
        let (second, mut second_granted) = request(2, &["a", "b"]);
        let (third, mut third_granted) = request(3, &["b"]);
        let (other, mut other_granted) = request(4, &["c"]);
        for request in [first, second, third, other] {
            locks.add(request);
        }
        locks.grant();
        assert!(is_granted(&mut first_granted) && is_granted(&mut other_granted));
        assert!(!is_granted(&mut second_granted));
        assert!(!is_granted(&mut third_granted), "the third request must not overtake the second");
        locks.release(&[1]);
        locks.grant();
        assert!(is_granted(&mut second_granted));
        locks.release(&[2]);
        locks.grant();
        assert!(is_granted(&mut third_granted));
    }

    #[test]
    fn only_other_runs_locks_block_a_run() {
        let mut locks = Locks::default();
        let (request, _granted) = request(1, &["a"]);
        locks.add(request);
        let (a, b) = (Item::object("b", "a"), Item::object("b", "b"));
        assert!(locks.concern(None, [a].iter()));
        assert!(!locks.concern(Some(1), [a].iter()));
        assert!(!locks.concern(None, [b].iter()));
    }
}
