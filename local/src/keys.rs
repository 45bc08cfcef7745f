//! API keys of a state: a file beside the database, so that they can be made and revoked while a server runs.
//!
//! A key is `oms_<id>_<secret>`; of the secret, 256 random bits, only the SHA-256 is kept. A digest that is slow on purpose is for secrets that
//! people choose (NIST SP 800-63B, 5.1.1.2); these cannot be guessed.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use oms_engine::value::Digest;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

use crate::error::Error;
use crate::private;

const FILE: &str = "keys.json";
const LOCK: &str = "keys.lock";
/// How long a server goes by what it read: a key that is revoked is refused after that at the latest.
const FRESH: Duration = Duration::from_secs(1);
const SECRET_BYTES: usize = 32;
const ID_BYTES: usize = 6;

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Sending orders, and asking how far they are.
    Intake,
    /// That, and everything that the console can do.
    Admin,
}

/// A key, without its secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Key {
    /// What tells it from others, a part of the key itself.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub scope: Scope,
    /// The SHA-256 of its secret, in hexadecimal.
    digest: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl Key {
    /// Tells whether it opens anything.
    pub const fn is_valid(&self) -> bool {
        self.revoked_at.is_none()
    }
}

/// What a secret is found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A key that may do it.
    Allowed {
        /// What tells it from others.
        id: String,
        /// What people call it.
        name: String,
    },
    /// A key that is for something else.
    OtherScope,
    /// No key.
    Unknown,
}

/// The keys that are valid.
#[derive(Clone, Debug, Default)]
pub struct ValidKeys {
    valid: Arc<[Key]>,
    made: bool,
}

impl ValidKeys {
    /// Tells whether a key was ever made, be it revoked since: then nobody comes in without one.
    pub const fn were_made(&self) -> bool {
        self.made
    }

    /// Finds out what a secret may do.
    pub fn find(&self, secret: &str, scope: Scope) -> Found {
        let Some((id, rest)) = secret.strip_prefix("oms_").and_then(|rest| rest.split_once('_'))
        else {
            return Found::Unknown;
        };
        let Some(key) = self.valid.iter().find(|key| key.id == id) else { return Found::Unknown };
        let digest = Digest::of(rest.as_bytes()).to_string();
        if !bool::from(digest.as_bytes().ct_eq(key.digest.as_bytes())) {
            return Found::Unknown;
        }
        if key.scope < scope {
            return Found::OtherScope;
        }
        Found::Allowed { id: key.id.clone(), name: key.name.clone() }
    }

    /// Tells whether the key with an id may still do something.
    pub fn admits(&self, id: &str, scope: Scope) -> bool {
        self.valid.iter().any(|key| key.id == id && key.scope >= scope)
    }
}

/// The keys of a state directory.
pub struct Keys {
    directory: PathBuf,
    read: Mutex<Option<(Instant, ValidKeys)>>,
}

impl Keys {
    /// Names the keys of a state directory.
    pub fn of(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), read: Mutex::default() }
    }

    /// Reads all of them; none if none was ever made.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&self) -> Result<Vec<Key>, Error> {
        let path = self.directory.join(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(Error::Directory { path, source }),
        };
        serde_json::from_slice(&bytes).map_err(|error| Error::directory(&path)(error.into()))
    }

    /// Returns those that are valid, as they were a second ago at the most.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn current(&self) -> Result<ValidKeys, Error> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, keys)) = &*read
            && at.elapsed() < FRESH
        {
            return Ok(keys.clone());
        }
        let all = self.read()?;
        let made = !all.is_empty();
        let keys = ValidKeys { valid: all.into_iter().filter(Key::is_valid).collect(), made };
        *read = Some((Instant::now(), keys.clone()));
        Ok(keys)
    }

    /// Makes a key, and returns it with what its owner sends: nobody can see that again.
    ///
    /// # Errors
    /// When the file cannot be written, or the system has no randomness.
    pub fn add(&self, name: &str, scope: Scope, now: Timestamp) -> Result<(Key, String), Error> {
        let random = |bytes: &mut [u8]| {
            let path = self.directory.join(FILE);
            getrandom::fill(bytes).map_err(|error| Error::directory(&path)(error.into()))
        };
        let (mut id, mut secret) = ([0; ID_BYTES], [0; SECRET_BYTES]);
        random(&mut id)?;
        random(&mut secret)?;
        let (id, secret) = (hex(&id), hex(&secret));
        let digest = Digest::of(secret.as_bytes()).to_string();
        let said = format!("oms_{id}_{secret}");
        let name = name.to_owned();
        let key = Key { id, name, scope, digest, created_at: now, revoked_at: None };
        let made = key.clone();
        self.change(|keys| keys.push(made))?;
        Ok((key, said))
    }

    /// Revokes the valid keys with this id or name; returns how many there were.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn revoke(&self, word: &str, now: Timestamp) -> Result<usize, Error> {
        let mut count = 0;
        self.change(|keys| {
            let meant = |key: &&mut Key| key.is_valid() && (key.id == word || key.name == word);
            for key in keys.iter_mut().filter(meant) {
                key.revoked_at = Some(now);
                count += 1;
            }
        })?;
        Ok(count)
    }

    /// Changes the file as a whole, one at a time.
    fn change(&self, change: impl FnOnce(&mut Vec<Key>)) -> Result<(), Error> {
        private::state_directory(&self.directory)?;
        let open = |path: &Path| {
            private::open(path, OpenOptions::new().write(true).create(true).truncate(true))
        };
        let lock = self.directory.join(LOCK);
        let held = open(&lock).map_err(Error::directory(&lock))?;
        held.lock().map_err(Error::directory(&lock))?;
        let mut keys = self.read()?;
        change(&mut keys);
        let (path, next) = (self.directory.join(FILE), self.directory.join("keys.json.next"));
        let write = || {
            let mut file = open(&next)?;
            file.write_all(&serde_json::to_vec_pretty(&keys)?)?;
            file.sync_all()?;
            std::fs::rename(&next, &path)?;
            File::open(&self.directory)?.sync_all()
        };
        write().map_err(Error::directory(&path))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_what_it_is_for_until_it_is_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::of(folder.path());
        let (first, secret) = keys.add("shop", Scope::Intake, Timestamp::UNIX_EPOCH).unwrap();
        let (_, admin) = keys.add("ann", Scope::Admin, Timestamp::UNIX_EPOCH).unwrap();
        let valid = keys.current().unwrap();
        let allowed = |secret: &str| match valid.find(secret, Scope::Intake) {
            Found::Allowed { name, .. } => name,
            found => panic!("{found:?}"),
        };
        assert_eq!((allowed(&secret), allowed(&admin)), ("shop".to_owned(), "ann".to_owned()));
        assert!(valid.admits(&first.id, Scope::Intake) && !valid.admits(&first.id, Scope::Admin));
        assert_eq!(valid.find(&secret, Scope::Admin), Found::OtherScope);
        let mut other = secret.clone();
        other.pop();
        for wrong in [other.as_str(), "", "oms_", "oms__", &format!("oms_{}_", first.id)] {
            assert_eq!(valid.find(wrong, Scope::Intake), Found::Unknown, "{wrong}");
        }
        assert_eq!(keys.revoke("shop", Timestamp::UNIX_EPOCH).unwrap(), 1);
        assert_eq!(keys.revoke("shop", Timestamp::UNIX_EPOCH).unwrap(), 0);
        let valid = Keys::of(folder.path()).current().unwrap();
        assert!(valid.were_made());
        assert_eq!(valid.find(&secret, Scope::Intake), Found::Unknown);
        // The file has no secret in it, and is nobody else's.
        let text = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert!(!text.contains(secret.rsplit('_').next().unwrap()), "{text}");
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(folder.path().join(FILE)).unwrap().permissions(),
        );
        assert_eq!(mode & 0o077, 0);
    }
}
