//! The writer: commits the packets of many runs in one transaction, with the same result as if the
//! runs had been executed one after another.

mod apply;
pub(crate) mod item;
pub(crate) mod locks;
pub(crate) mod packet;
mod recent;
pub(crate) mod thread;
pub(crate) mod turns;

pub use item::{CommitNumber, Item, Reads};
pub use locks::LockId;
pub use packet::{Outcome, Packet, RunRef, Write, items};
pub use thread::{Locked, WriterMode};
pub use turns::Turn;
