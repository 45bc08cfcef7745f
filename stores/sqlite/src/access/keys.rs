//! API keys of a state. The database and its backups contain them, so that a state that ever had
//! keys always requires a key. You can add and revoke keys while a server runs.
//!
//! A key has the form `oms_<id>_<secret>`. Only the SHA-256 of the secret is stored. A slow
//! hash is necessary only for a secret that its user chooses (NIST SP 800-63B, 5.1.1.2). The secret
//! of an API key consists of 256 random bits and cannot be guessed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use oms_core::value::Digest;
use rusqlite::{Connection, params};
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

use crate::error::Error;
use crate::state::database::Database;
use crate::state::key::{self, Key, Scope};

/// How long a server uses the keys that it has read. After a key is revoked, it can be used for at
/// most this long.
const CACHE_TIME: Duration = Duration::from_secs(1);
const SECRET_BYTES: usize = 32;
const ID_BYTES: usize = 6;

/// The result of checking a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyCheck {
    /// The key is valid and has the permission.
    Valid {
        /// The identifier of the key.
        id: String,
        /// The name of the key.
        name: String,
    },
    /// The key is valid, but does not have the permission.
    InsufficientScope,
    /// The key is unknown or revoked.
    Unknown,
}

/// The valid keys.
#[derive(Clone, Debug, Default)]
pub struct ValidKeys {
    valid: Arc<[Key]>,
    ever_existed: bool,
}

impl ValidKeys {
    /// Returns whether a key was ever created, even if it was revoked later. If so, every request
    /// needs a key.
    pub const fn ever_existed(&self) -> bool {
        self.ever_existed
    }

    /// Checks whether a key is valid and has a permission. `secret` is the whole text of the key.
    pub fn check(&self, secret: &str, scope: Scope) -> KeyCheck {
        let Some((id, rest)) = secret.strip_prefix("oms_").and_then(|rest| rest.split_once('_'))
        else {
            return KeyCheck::Unknown;
        };
        let Some(key) = self.valid.iter().find(|key| key.id == id) else {
            return KeyCheck::Unknown;
        };
        let digest = Digest::of(rest.as_bytes()).to_string();
        if !bool::from(digest.as_bytes().ct_eq(key.digest.as_bytes())) {
            return KeyCheck::Unknown;
        }
        if key.scope < scope {
            return KeyCheck::InsufficientScope;
        }
        KeyCheck::Valid { id: key.id.clone(), name: key.name.clone() }
    }

    /// Returns whether the key with an id still has a permission.
    pub fn admits(&self, id: &str, scope: Scope) -> bool {
        self.valid.iter().any(|key| key.id == id && key.scope >= scope)
    }
}

/// The keys of a state directory.
pub struct Keys {
    directory: PathBuf,
    cache: Mutex<KeyCache>,
}

/// The keys that a server has read.
#[derive(Default)]
struct KeyCache {
    /// The time of the last read, and its result.
    read: Option<(Instant, ValidKeys)>,
    /// The connection on which keys are read.
    connection: Option<Connection>,
}

impl Keys {
    /// Returns the keys of a state directory.
    pub fn of(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), cache: Mutex::default() }
    }

    /// Reads all keys, including revoked ones.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn read(&self) -> Result<Vec<Key>, Error> {
        self.read_on(self.connect()?.as_ref())
    }

    /// Opens the database, or returns `None` if it does not exist.
    fn connect(&self) -> Result<Option<Connection>, Error> {
        match Database::read(&self.directory) {
            Ok(connection) => Ok(Some(connection)),
            Err(Error::NoState(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read_on(&self, connection: Option<&Connection>) -> Result<Vec<Key>, Error> {
        let mut keys = match connection {
            Some(connection) if key::is_there(connection)? => key::all(connection)?,
            _ => Vec::new(),
        };
        // Adds the keys from the file of an earlier version, which exists until a writing process
        // imports it.
        for key in key::earlier(&self.directory)? {
            if !keys.iter().any(|known| known.id == key.id) {
                keys.push(key);
            }
        }
        Ok(keys)
    }

    /// Returns the valid keys. The result is at most a second old.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn current(&self) -> Result<ValidKeys, Error> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, keys)) = &cache.read
            && at.elapsed() < CACHE_TIME
        {
            return Ok(keys.clone());
        }
        if cache.connection.is_none() {
            cache.connection = self.connect()?;
        }
        let all = self.read_on(cache.connection.as_ref())?;
        let ever_existed = !all.is_empty();
        let keys =
            ValidKeys { valid: all.into_iter().filter(Key::is_valid).collect(), ever_existed };
        cache.read = Some((Instant::now(), keys.clone()));
        Ok(keys)
    }

    /// Creates a key, and returns it with the text that clients send. The text cannot be retrieved
    /// later.
    ///
    /// # Errors
    /// Returns an error if the database cannot be written, or if the system has no randomness.
    pub fn add(&self, name: &str, scope: Scope, now: Timestamp) -> Result<(Key, String), Error> {
        let random = |bytes: &mut [u8]| {
            getrandom::fill(bytes).map_err(|error| Error::directory(&self.directory)(error.into()))
        };
        let (mut id, mut secret) = ([0; ID_BYTES], [0; SECRET_BYTES]);
        random(&mut id)?;
        random(&mut secret)?;
        let (id, secret) = (hex(&id), hex(&secret));
        let digest = Digest::of(secret.as_bytes()).to_string();
        let text = format!("oms_{id}_{secret}");
        let name = name.to_owned();
        let key = Key { id, name, scope, digest, created_at: now, revoked_at: None };
        self.write(|connection| key.keep(connection))?;
        Ok((key, text))
    }

    /// Revokes the valid keys with this id or name, and returns their number.
    ///
    /// # Errors
    /// Returns an error if the database cannot be written.
    pub fn revoke(&self, id_or_name: &str, now: Timestamp) -> Result<usize, Error> {
        self.write(|connection| {
            Ok(connection.execute(
                "update oms_keys set revoked_at = ?2 where revoked_at is null and (id = ?1 or name = ?1)",
                params![id_or_name, now.as_millisecond()],
            )?)
        })
    }

    /// Writes to the database, even while a server owns the state.
    fn write<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        match Database::own(&self.directory) {
            Ok(database) => work(&database.connect()?),
            Err(Error::Locked { .. }) => work(&Database::connect_shared(&self.directory)?),
            Err(error) => Err(error),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::database::DATABASE_FILE;

    #[test]
    fn a_key_grants_its_scope_until_it_is_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::of(folder.path());
        let (first, secret) = keys.add("shop", Scope::Intake, Timestamp::UNIX_EPOCH).unwrap();
        let (_, admin) = keys.add("ann", Scope::Admin, Timestamp::UNIX_EPOCH).unwrap();
        let valid = keys.current().unwrap();
        let allowed = |secret: &str| match valid.check(secret, Scope::Intake) {
            KeyCheck::Valid { name, .. } => name,
            found => panic!("{found:?}"),
        };
        assert_eq!((allowed(&secret), allowed(&admin)), ("shop".to_owned(), "ann".to_owned()));
        assert!(valid.admits(&first.id, Scope::Intake) && !valid.admits(&first.id, Scope::Admin));
        assert_eq!(valid.check(&secret, Scope::Admin), KeyCheck::InsufficientScope);
        let mut other = secret.clone();
        other.pop();
        for wrong in [other.as_str(), "", "oms_", "oms__", &format!("oms_{}_", first.id)] {
            assert_eq!(valid.check(wrong, Scope::Intake), KeyCheck::Unknown, "{wrong}");
        }
        assert_eq!(keys.revoke("shop", Timestamp::UNIX_EPOCH).unwrap(), 1);
        assert_eq!(keys.revoke("shop", Timestamp::UNIX_EPOCH).unwrap(), 0);
        let valid = Keys::of(folder.path()).current().unwrap();
        assert!(valid.ever_existed());
        assert_eq!(valid.check(&secret, Scope::Intake), KeyCheck::Unknown);
        // The database does not contain the secret, and only its owner can read it.
        let path = folder.path().join(DATABASE_FILE);
        let bytes = std::fs::read(&path).unwrap();
        let secret = secret.rsplit('_').next().unwrap().as_bytes();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(path).unwrap().permissions(),
        );
        assert_eq!(mode & 0o077, 0);
    }

    #[test]
    fn keys_of_an_earlier_version_are_imported() {
        let folder = tempfile::tempdir().unwrap();
        let key = r#"[{"id":"a","name":"shop","scope":"intake","digest":"d","created_at":"2026-01-02T03:04:05Z","revoked_at":null}]"#;
        std::fs::write(folder.path().join(key::FILE), key).unwrap();
        let keys = Keys::of(folder.path());
        assert!(keys.current().unwrap().admits("a", Scope::Intake));
        drop(Database::own(folder.path()).unwrap());
        assert!(!folder.path().join(key::FILE).exists());
        let keys = Keys::of(folder.path());
        assert!(keys.current().unwrap().admits("a", Scope::Intake));
        assert_eq!(keys.revoke("shop", Timestamp::UNIX_EPOCH).unwrap(), 1);
        assert!(Keys::of(folder.path()).current().unwrap().ever_existed());
    }
}
