//! The service behind this program's kinds: a warehouse that is a folder of files. It knows nothing of orders or steps.
//!
//! A file `DOWN` in the folder makes it unavailable, as a service is at times.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use oms_engine::effects::{StepError, cause};

/// A warehouse in a folder, which is made when it is first used.
pub(crate) struct Warehouse {
    folder: PathBuf,
}

impl Warehouse {
    /// Knows where the warehouse is; nothing is read or written yet.
    pub(crate) fn at(folder: &str) -> Self {
        Self { folder: PathBuf::from(folder) }
    }

    /// Reserves under an idempotency key. Asked again with the same key, it changes nothing and returns what stands.
    ///
    /// # Errors
    /// Transient ones only: `unavailable` while it is down or its folder cannot be used.
    pub(crate) fn reserve(&self, key: &str, what: &str) -> Result<String, StepError> {
        let reservations = self.open("reservations")?;
        let reservation = reservations.join(key);
        write_once(&reservation, &reservations.join(format!(".{key}")), what)
            .and_then(|()| fs::read_to_string(&reservation))
            .map_err(|error| unavailable("the reservation was not written").caused_by(error))
    }

    /// Prints a label, each time that it is asked.
    ///
    /// # Errors
    /// Transient ones only: `unavailable` while it is down or its folder cannot be used.
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

/// A failure that may pass by itself. The text is journaled and shown, so it holds nothing personal.
fn unavailable(message: &str) -> StepError {
    StepError::transient(cause::UNAVAILABLE, message)
}

/// Writes a file whole or not at all, and only if it is not there.
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
