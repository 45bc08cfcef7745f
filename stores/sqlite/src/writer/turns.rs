//! The turns of new orders: the first packets of their runs are committed in the order of the
//! input, no matter which run finishes first.

use std::collections::BTreeMap;

/// The position of an order in the input of this process, from 0.
pub type Turn = u64;

/// Packets that wait for their turn.
pub(crate) struct Turns<P> {
    next: Turn,
    /// The packets that have arrived. `None` for a turn that ends without a packet.
    waiting: BTreeMap<Turn, Option<P>>,
}

impl<P> Default for Turns<P> {
    fn default() -> Self {
        Self { next: 0, waiting: BTreeMap::new() }
    }
}

impl<P> Turns<P> {
    /// Stores a packet until its turn.
    pub(crate) fn add(&mut self, turn: Turn, packet: P) {
        self.waiting.insert(turn, Some(packet));
    }

    /// Records that a turn ends without a packet.
    pub(crate) fn pass(&mut self, turn: Turn) {
        self.waiting.insert(turn, None);
    }

    /// Takes the packet whose turn it is, if it has arrived and `ready` returns true.
    pub(crate) fn take(&mut self, mut ready: impl FnMut(&P) -> bool) -> Option<P> {
        loop {
            let entry = self.waiting.get_mut(&self.next)?;
            match entry {
                Some(packet) if !ready(packet) => return None,
                // The entry stays until `remove_ended`, because an earlier packet may be refused.
                None => self.next += 1,
                Some(_) => {
                    self.next += 1;
                    return entry.take();
                }
            }
        }
    }

    /// Gives the turn back to a packet that was taken and then refused, and that will arrive again.
    /// Packets that were taken after it have to be added again.
    pub(crate) fn refuse(&mut self, turn: Turn) {
        self.next = turn;
        self.waiting.remove(&turn);
    }

    /// Removes the turns that have ended.
    pub(crate) fn remove_ended(&mut self) {
        if self.waiting.first_key_value().is_some_and(|(turn, _)| *turn < self.next) {
            self.waiting = self.waiting.split_off(&self.next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(turns: &mut Turns<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| turns.take(|_| true)).collect()
    }

    #[test]
    fn packets_are_taken_in_the_order_of_their_turns() {
        let mut turns = Turns::default();
        turns.add(2, "c");
        turns.add(1, "b");
        assert!(drain(&mut turns).is_empty());
        turns.add(0, "a");
        assert_eq!(drain(&mut turns), ["a", "b", "c"]);
    }

    #[test]
    fn a_turn_without_a_packet_does_not_block_others() {
        let mut turns = Turns::default();
        turns.add(2, "c");
        turns.pass(1);
        turns.pass(0);
        assert_eq!(drain(&mut turns), ["c"]);
    }

    #[test]
    fn a_refused_packet_keeps_its_turn_and_later_ones_wait() {
        let mut turns = Turns::default();
        turns.add(0, "a");
        turns.pass(1);
        turns.add(2, "c");
        assert_eq!(drain(&mut turns), ["a", "c"]);
        turns.refuse(0);
        turns.add(2, "c");
        turns.remove_ended();
        assert!(drain(&mut turns).is_empty());
        turns.add(0, "a again");
        assert_eq!(drain(&mut turns), ["a again", "c"]);
        turns.remove_ended();
        assert!(turns.waiting.is_empty());
    }

    #[test]
    fn a_packet_that_is_not_ready_keeps_its_turn() {
        let mut turns = Turns::default();
        turns.add(0, "a");
        assert!(turns.take(|_| false).is_none());
        assert_eq!(drain(&mut turns), ["a"]);
    }
}
