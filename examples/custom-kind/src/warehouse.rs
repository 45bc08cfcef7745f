//! The service that the kinds of this program use: a warehouse that consists of a folder of files.
//! It does not depend on orders or steps.
//!
//! A file `DOWN` in the folder makes the warehouse unavailable, to simulate an outage.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use oms_engine::effects::{StepError, cause};

/// A warehouse in a folder. The folder is created on first use.
pub(crate) struct Warehouse {
    folder: PathBuf,
}

impl Warehouse {
    /// Returns the warehouse in a folder. Does not read or write the folder.
    pub(crate) fn at(folder: &str) -> Self {
        Self { folder: PathBuf::from(folder) }
    }

    /// Reserves pieces under an idempotency key. A repeated call with the same key changes nothing
    /// and returns the existing reservation.
    ///
    /// # Errors
    /// Returns the transient error `unavailable` if the warehouse is closed or its folder cannot be
    /// used.
    pub(crate) fn reserve(&self, key: &str, what: &str) -> Result<String, StepError> {
        let reservations = self.open("reservations")?;
        let reservation = reservations.join(key);
        write_once(&reservation, &reservations.join(format!(".{key}")), what)
            .and_then(|()| fs::read_to_string(&reservation))
            .map_err(|error| unavailable("cannot write the reservation").caused_by(error))
    }

    /// Prints a label. A repeated call prints it again.
    ///
    /// # Errors
    /// Returns the transient error `unavailable` if the warehouse is closed or its folder cannot be
    /// used.
    pub(crate) fn print(&self, label: &str) -> Result<(), StepError> {
        let labels = self.open("")?.join("labels.txt");
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(labels)
            .and_then(|mut file| file.write_all(format!("{label}\n").as_bytes()))
            .map_err(|error| unavailable("cannot print the label").caused_by(error))
    }

    fn open(&self, part: &str) -> Result<PathBuf, StepError> {
        if self.folder.join("DOWN").exists() {
            return Err(unavailable("the warehouse is closed"));
        }
        let folder = self.folder.join(part);
        fs::create_dir_all(&folder)
            .map_err(|error| unavailable("cannot open the warehouse").caused_by(error))?;
        Ok(folder)
    }
}

/// Returns a transient failure. The message is stored in the journal and shown to users, so it must
/// not contain personal data.
fn unavailable(message: &str) -> StepError {
    StepError::transient(cause::UNAVAILABLE, message)
}

/// Writes a file atomically, unless it exists already.
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
    fn the_first_reservation_of_a_key_is_kept() {
        let folder = std::env::temp_dir().join(format!("oms-warehouse-{}", std::process::id()));
        let warehouse = Warehouse::at(&folder.to_string_lossy());
        let asked = ["2 of TEA", "3 of TEA"].map(|what| warehouse.reserve("key", what).unwrap());
        let files = fs::read_dir(folder.join("reservations")).unwrap().count();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(asked, ["2 of TEA", "2 of TEA"]);
        assert_eq!(files, 1);
    }
}
