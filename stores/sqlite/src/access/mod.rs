//! Access to the server: API keys, and the console sessions that were started with them.

pub(crate) mod keys;
mod sessions;

pub use keys::{KeyCheck, Keys, ValidKeys};
pub use sessions::{StoredSession, StoredSessions};
