//! Sessions of the console that were begun with a key, so that a restart of the server does not end them. Of what a cookie says only the SHA-256
//! is kept. A session ends when its person logs out, when nobody has used it for long, and when its key is revoked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use oms_engine::value::Digest;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::database::Database;
use crate::error::Error;

/// How long a session is kept that nobody uses.
const IDLE: Duration = Duration::from_hours(12);
/// How old the note of the last use may be: a note for each request would cost a transaction for each.
const NOTED: Duration = Duration::from_mins(10);
/// Maximum number of sessions of a state; beyond it the one that was not used for the longest time ends.
const SESSIONS_MAX: u32 = 1_000;

/// A session that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptSession {
    /// The id of the key that it was begun with.
    pub key_id: String,
    /// The name of that key.
    pub key_name: String,
}

/// The sessions of a state directory.
pub struct KeptSessions {
    directory: PathBuf,
}

impl KeptSessions {
    /// Names the sessions of a state directory.
    pub fn of(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// Keeps a session that begins.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn begin(&self, digest: &Digest, key_id: &str, now: Timestamp) -> Result<(), Error> {
        let connection = Database::beside(&self.directory)?;
        let transaction = connection.unchecked_transaction()?;
        transaction.execute("delete from oms_sessions where used_at <= ?1", [over(now)])?;
        transaction.execute(
            "delete from oms_sessions where digest in (select digest from oms_sessions order by used_at desc limit -1 offset ?1)",
            [SESSIONS_MAX - 1],
        )?;
        transaction.execute(
            "insert into oms_sessions (digest, key_id, used_at) values (?1, ?2, ?3) on conflict (digest) do nothing",
            params![digest.bytes(), key_id, now.as_millisecond()],
        )?;
        Ok(transaction.commit()?)
    }

    /// Finds a session in a state, if its key is valid and it was used of late, and notes that it is used.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub fn find(
        &self,
        connection: &Connection,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<Option<KeptSession>, Error> {
        let mut statement = connection.prepare_cached(
            "select k.id, k.name, s.used_at from oms_sessions s join oms_keys k on k.id = s.key_id
             where s.digest = ?1 and s.used_at > ?2 and k.revoked_at is null",
        )?;
        let found = statement.query_row(params![digest.bytes(), over(now)], |row| {
            let session = KeptSession { key_id: row.get(0)?, key_name: row.get(1)? };
            Ok((session, row.get::<_, i64>(2)?))
        });
        let Some((session, used_at)) = found.optional()? else { return Ok(None) };
        if used_at <= now.as_millisecond() - millis(NOTED) {
            let connection = Database::beside(&self.directory)?;
            connection.execute(
                "update oms_sessions set used_at = ?2 where digest = ?1",
                params![digest.bytes(), now.as_millisecond()],
            )?;
        }
        Ok(Some(session))
    }

    /// Ends a session, if it is one of this state.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn end(&self, digest: &Digest) -> Result<(), Error> {
        let connection = Database::beside(&self.directory)?;
        connection.execute("delete from oms_sessions where digest = ?1", [digest.bytes()])?;
        Ok(())
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Returns the instant since which a session has to have been used, in milliseconds since 1970.
fn over(now: Timestamp) -> i64 {
    now.as_millisecond() - millis(IDLE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Keys, Scope};

    #[test]
    fn a_session_lasts_until_it_is_ended_or_idle_or_its_key_is_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::of(folder.path());
        let start = Timestamp::UNIX_EPOCH;
        let (key, _) = keys.add("ann", Scope::Admin, start).unwrap();
        let sessions = KeptSessions::of(folder.path());
        let [one, other, idle] = ["one", "other", "idle"].map(|text| Digest::of(text.as_bytes()));
        for digest in [&one, &other, &idle] {
            sessions.begin(digest, &key.id, start).unwrap();
        }
        let hours = |hours: i64| Timestamp::from_second(hours * 3_600).unwrap();
        let find = |digest: &Digest, now| {
            let connection = Database::read(folder.path()).unwrap();
            sessions.find(&connection, digest, now).unwrap().map(|found| found.key_name)
        };
        assert_eq!(find(&one, hours(11)), Some("ann".to_owned()));
        assert_eq!(find(&one, hours(22)), Some("ann".to_owned()), "its use was noted");
        assert_eq!(find(&idle, hours(12)), None);
        sessions.end(&one).unwrap();
        assert_eq!(find(&one, hours(22)), None);
        assert_eq!(find(&other, hours(1)), Some("ann".to_owned()));
        keys.revoke("ann", start).unwrap();
        assert_eq!(find(&other, hours(1)), None);
    }
}
