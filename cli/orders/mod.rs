//! Orders of a call of `oms run`: reading them, and reporting what became of them.

pub(crate) mod input;
pub(crate) mod progress;
pub(crate) mod rejections;
pub(crate) mod summary;
pub(crate) mod tally;
pub(crate) mod wait_messages;
pub(crate) mod watched_folder;
