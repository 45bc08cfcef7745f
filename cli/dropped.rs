//! `run --watch`: files of orders that somebody drops into a folder.
//!
//! A file is read when it was left alone for a moment, and moved away when every order of it is on disk: to `done`, or to `refused` if one was not accepted.
//! What ends the process before that is no matter: the file is read again, and its orders are known by their keys.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use oms_local::Work;
use tokio::sync::{mpsc, watch};

use crate::input::{Reader, Source};
use crate::refused::{self, Asked};

/// Between two looks at the folder; a file that is the same in both was left alone.
const LOOK: Duration = Duration::from_millis(500);
/// What files of orders end in.
const ENDINGS: [&str; 3] = ["json", "jsonl", "ndjson"];

/// Where files go.
const DONE: &str = "done";
const REFUSED: &str = "refused";

/// A folder that is watched.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) reader: Reader,
    pub(crate) work: mpsc::Sender<Work>,
    pub(crate) asked: Asked,
    pub(crate) stop: watch::Receiver<bool>,
}

/// How a file looked.
type Look = (u64, Option<SystemTime>);

impl Folder {
    /// Takes files in until somebody interrupts it.
    ///
    /// # Errors
    /// When the folder or a file in it cannot be used.
    pub(crate) fn watch(&self) -> Result<(), (PathBuf, io::Error)> {
        let mut before = BTreeMap::new();
        while !self.is_stopped() {
            let now = self.look().map_err(|error| (self.path.clone(), error))?;
            for (path, look) in &now {
                if before.get(path) != Some(look) {
                    continue;
                }
                if !self.take(path).map_err(|error| (path.clone(), error))? {
                    return Ok(());
                }
            }
            before = now;
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    fn is_stopped(&self) -> bool {
        *self.stop.borrow() || self.work.is_closed()
    }

    /// Looks at the files that could hold orders, in the order of their names.
    fn look(&self) -> io::Result<BTreeMap<PathBuf, Look>> {
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(&self.path)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            if name.starts_with('.') || !ENDINGS.contains(&ending) {
                continue;
            }
            // It may have been taken away since.
            if let Ok(metadata) = std::fs::metadata(&path)
                && metadata.is_file()
            {
                files.insert(path, (metadata.len(), metadata.modified().ok()));
            }
        }
        Ok(files)
    }

    /// Takes a file in, and moves it away; tells whether to go on.
    fn take(&self, path: &Path) -> io::Result<bool> {
        let mut file = refused::File::new(&self.asked);
        let mut sent = true;
        self.reader.read(&Source::File(path.to_owned()), &mut |mut order, origin| {
            file.note(&mut order, origin);
            sent = self.work.blocking_send(Work::Order(order)).is_ok();
            sent
        })?;
        file.end();
        if !sent || file.unanswered {
            return Ok(false);
        }
        self.put_away(path, if file.refused { REFUSED } else { DONE })?;
        Ok(true)
    }

    /// Moves a file into a folder, under a name that nothing there has.
    fn put_away(&self, path: &Path, folder: &str) -> io::Result<()> {
        let folder = self.path.join(folder);
        std::fs::create_dir_all(&folder)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut place = folder.join(&*name);
        let mut number = 2;
        while place.exists() {
            place = folder.join(format!("{number}-{name}"));
            number += 1;
        }
        std::fs::rename(path, place)
    }
}
