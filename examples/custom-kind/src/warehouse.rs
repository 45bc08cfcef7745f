//! The external service of the kinds: a warehouse that stores its data in a folder. It has no knowledge of orders or steps.
//!
//! A file `DOWN` in the folder simulates an outage.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use oms_engine::effects::{StepError, cause};

/// A warehouse in a folder. The folder is created on first use.
pub(crate) struct Warehouse {
    folder: PathBuf,
}

impl Warehouse {
    /// Creates a client for the warehouse in a folder. Does not access the folder yet.
    pub(crate) fn at(folder: &str) -> Self {
        Self { folder: PathBuf::from(folder) }
    }

    /// Reserves under an idempotency key. A second call with the same key changes nothing and returns the first reservation.
    ///
    /// # Errors
    /// Returns a transient error with the cause `unavailable` during an outage, or if the folder cannot be used.
    pub(crate) fn reserve(&self, key: &str, what: &str) -> Result<String, StepError> {
        let reservations = self.open("reservations")?;
        let reservation = reservations.join(key);
        write_once(&reservation, &reservations.join(format!(".{key}")), what)
            .and_then(|()| fs::read_to_string(&reservation))
            .map_err(|error| unavailable("the reservation was not written").caused_by(error))
    }

    /// Prints a label. Each call prints another label.
    ///
    /// # Errors
    /// Returns a transient error with the cause `unavailable` during an outage, or if the folder cannot be used.
    pub(crate) fn print(&self, label: &str) -> Result<(), StepError> {
        let labels = self.open("")?.join("labels.txt");
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(labels)
            .and_then(|mut file| file.write_all(format!("{label}\n").as_bytes()))
            .map_err(|error| unavailable("the label was not printed").caused_by(error))
    }

    fn open(&self, part: &str) -> Result<PathBuf, StepError> {
        if self.folder.join("DOWN").exists() {
            return Err(unavailable("the warehouse is closed"));
        }
        let folder = self.folder.join(part);
        fs::create_dir_all(&folder)
            .map_err(|error| unavailable("the warehouse was not found").caused_by(error))?;
        Ok(folder)
    }
}

/// Returns a transient error. The message must not contain personal data, because it is stored in the journal and shown.
fn unavailable(message: &str) -> StepError {
    StepError::transient(cause::UNAVAILABLE, message)
}

/// Writes a file atomically, unless it exists.
fn write_once(target: &Path, draft: &Path, content: &str) -> io::Result<()> {
    fs::write(draft, content)?;
    match fs::hard_link(draft, target) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    fs::remove_file(draft)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reservation_under_a_key_stands() {
        let folder = std::env::temp_dir().join(format!("oms-warehouse-{}", std::process::id()));
        let warehouse = Warehouse::at(&folder.to_string_lossy());
        let asked = ["2 of TEA", "3 of TEA"].map(|what| warehouse.reserve("key", what).unwrap());
        let files = fs::read_dir(folder.join("reservations")).unwrap().count();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(asked, ["2 of TEA", "2 of TEA"]);
        assert_eq!(files, 1);
    }
}
