//! Console sessions that were started with an API key. They survive a restart of the server. Only
//! the SHA-256 of the cookie's token is stored. A session ends at logout, after a period of
//! inactivity, or when its key is revoked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use oms_core::value::Digest;
use rusqlite::{OptionalExtension as _, params};

use crate::error::Error;
use crate::state::database::Database;
use crate::state::readers::Reader;

/// Minimum time between updates of `used_at`, because each update needs a transaction.
const UPDATE_INTERVAL: Duration = Duration::from_mins(10);

/// A stored session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// The id of the API key of the session.
    pub key_id: String,
    /// The name of the API key.
    pub key_name: String,
}

/// The sessions of a state directory.
pub struct StoredSessions {
    directory: PathBuf,
}

impl StoredSessions {
    /// Idle time after which a session expires.
    pub const IDLE_TIMEOUT: Duration = Duration::from_hours(12);
    /// Maximum number of sessions per state. A further session replaces the least recently used
    /// one.
    pub const MAX: u16 = 1_000;

    /// Returns the sessions of a state directory without opening it.
    pub fn of(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// Returns the random id of the state, which distinguishes the sessions of two servers on one
    /// host.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn state_id(reader: &Reader) -> Result<String, Error> {
        let connection = reader.sql();
        let sql = "select value from oms_meta where name = 'state'";
        Ok(connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// Stores a new session.
    ///
    /// # Errors
    /// Returns an error if the database cannot be written.
    pub fn begin(&self, digest: &Digest, key_id: &str, now: Timestamp) -> Result<(), Error> {
        let connection = Database::connect_shared(&self.directory)?;
        let transaction = connection.unchecked_transaction()?;
        transaction
            .execute("delete from oms_sessions where used_at <= ?1", [expired_before(now)])?;
        transaction.execute(
            "delete from oms_sessions where digest in (select digest from oms_sessions order by used_at desc limit -1 offset ?1)",
            [Self::MAX - 1],
        )?;
        transaction.execute(
            "insert into oms_sessions (digest, key_id, used_at) values (?1, ?2, ?3) on conflict (digest) do nothing",
            params![digest.bytes(), key_id, now.as_millisecond()],
        )?;
        Ok(transaction.commit()?)
    }

    /// Finds a session that has not expired and whose key is valid, and records its use.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read or written.
    pub fn find(
        &self,
        reader: &Reader,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<Option<StoredSession>, Error> {
        let connection = reader.sql();
        let mut statement = connection.prepare_cached(
            "select k.id, k.name, s.used_at from oms_sessions s join oms_keys k on k.id = s.key_id
             where s.digest = ?1 and s.used_at > ?2 and k.revoked_at is null",
        )?;
        let found = statement.query_row(params![digest.bytes(), expired_before(now)], |row| {
            let session = StoredSession { key_id: row.get(0)?, key_name: row.get(1)? };
            Ok((session, row.get::<_, i64>(2)?))
        });
        let Some((session, used_at)) = found.optional()? else { return Ok(None) };
        if used_at <= now.as_millisecond() - millis(UPDATE_INTERVAL) {
            let connection = Database::connect_shared(&self.directory)?;
            connection.execute(
                "update oms_sessions set used_at = ?2 where digest = ?1",
                params![digest.bytes(), now.as_millisecond()],
            )?;
        }
        Ok(Some(session))
    }

    /// Deletes a session, if it exists in this state.
    ///
    /// # Errors
    /// Returns an error if the database cannot be written.
    pub fn end(&self, digest: &Digest) -> Result<(), Error> {
        let connection = Database::connect_shared(&self.directory)?;
        connection.execute("delete from oms_sessions where digest = ?1", [digest.bytes()])?;
        Ok(())
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Returns the latest `used_at` of an expired session, in milliseconds since 1970.
fn expired_before(now: Timestamp) -> i64 {
    now.as_millisecond() - millis(StoredSessions::IDLE_TIMEOUT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::keys::Keys;
    use crate::state::key::Scope;

    #[test]
    fn a_session_ends_at_logout_after_inactivity_or_with_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::of(folder.path());
        let start = Timestamp::UNIX_EPOCH;
        let (key, _) = keys.add("ann", Scope::Admin, start).unwrap();
        let sessions = StoredSessions::of(folder.path());
        let [one, other, idle] = ["one", "other", "idle"].map(|text| Digest::of(text.as_bytes()));
        for digest in [&one, &other, &idle] {
            sessions.begin(digest, &key.id, start).unwrap();
        }
        let hours = |hours: i64| Timestamp::from_second(hours * 3_600).unwrap();
        let find = |digest: &Digest, now| {
            let reader = Reader::open(folder.path()).unwrap();
            sessions.find(&reader, digest, now).unwrap().map(|found| found.key_name)
        };
        assert_eq!(find(&one, hours(11)), Some("ann".to_owned()));
        assert_eq!(find(&one, hours(22)), Some("ann".to_owned()), "its use was recorded");
        assert_eq!(find(&idle, hours(12)), None);
        sessions.end(&one).unwrap();
        assert_eq!(find(&one, hours(22)), None);
        assert_eq!(find(&other, hours(1)), Some("ann".to_owned()));
        keys.revoke("ann", start).unwrap();
        assert_eq!(find(&other, hours(1)), None);
    }
}
