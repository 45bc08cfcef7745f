//! `run --watch`: files of orders in a watched folder.
//!
//! A file is read once it has not changed for a moment. When every order in it is on disk, it is
//! moved to `done`, or to `refused` if an order was not accepted. If the process ends before that,
//! the next invocation reads the file again and recognizes its orders by their keys. A file that
//! grows after it was read is read again, even after it was moved, because its writer may have
//! paused.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use oms_runtime::Work;
use tokio::sync::{mpsc, watch};

use crate::orders::input::{Reader, Source};
use crate::orders::rejections::{self, ReplyQueue};

/// Interval between two scans of the folder. A file that is unchanged in both is complete.
const SCAN_INTERVAL: Duration = Duration::from_millis(500);
/// The extensions of files of orders.
const EXTENSIONS: [&str; 4] = ["csv", "json", "jsonl", "ndjson"];

/// Maximum number of moved files that are still watched.
const MOVED_MAX: usize = 1_000;

/// The folders for files that were read.
const DONE: &str = "done";
const REJECTED: &str = "refused";

/// A watched folder.
pub(crate) struct WatchedFolder {
    pub(crate) path: PathBuf,
    pub(crate) reader: Reader,
    pub(crate) work: mpsc::Sender<Work>,
    pub(crate) replies: ReplyQueue,
    pub(crate) stop: watch::Receiver<bool>,
}

/// The size and the modification time of a file.
type FileStamp = (u64, Option<SystemTime>);

impl WatchedFolder {
    /// Reads files until the command is interrupted.
    ///
    /// # Errors
    /// Returns an error if the folder or a file in it cannot be used.
    pub(crate) fn watch(&self) -> Result<(), (PathBuf, io::Error)> {
        let mut before = BTreeMap::new();
        let mut moved = MovedFiles::default();
        while !self.is_stopped() {
            let mut now = self.scan().map_err(|error| (self.path.clone(), error))?;
            now.extend(moved.stamps());
            for (path, stamp) in &now {
                if before.get(path) != Some(stamp) || moved.was_read(path, *stamp) {
                    continue;
                }
                let read = self.read_file(path, *stamp, &mut moved);
                if !read.map_err(|error| (path.clone(), error))? {
                    return Ok(());
                }
            }
            before = now;
            std::thread::sleep(SCAN_INTERVAL);
        }
        Ok(())
    }

    fn is_stopped(&self) -> bool {
        *self.stop.borrow() || self.work.is_closed()
    }

    /// Returns the files that may contain orders, sorted by name.
    fn scan(&self) -> io::Result<BTreeMap<PathBuf, FileStamp>> {
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(&self.path)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            if name.starts_with('.') || !EXTENSIONS.contains(&ending) {
                continue;
            }
            if let Some(stamp) = stamp_of(&path) {
                files.insert(path, stamp);
            }
        }
        Ok(files)
    }

    /// Reads the orders of a file and moves the file. Returns whether to continue.
    fn read_file(&self, path: &Path, stamp: FileStamp, moved: &mut MovedFiles) -> io::Result<bool> {
        let mut file = rejections::FileReplies::new(&self.replies);
        let mut sent = true;
        let source = moved.source(path);
        self.reader.read(&source, &mut |mut order, origin| {
            file.expect(&mut order, origin);
            sent = self.work.blocking_send(Work::Order(order)).is_ok();
            sent
        })?;
        file.end();
        if !sent || file.is_reply_missing {
            return Ok(false);
        }
        // If the file changed while it was read, it is read again once it is stable.
        match source {
            Source::Moved { path, from } => moved.record(path, from, stamp),
            _ if stamp_of(path) == Some(stamp) => {
                let place = self.move_to(path, if file.rejected { REJECTED } else { DONE })?;
                moved.record(place, path.to_owned(), stamp);
            }
            _ => {}
        }
        Ok(true)
    }

    /// Moves a file into a folder, under an unused name.
    fn move_to(&self, path: &Path, folder: &str) -> io::Result<PathBuf> {
        let folder = self.path.join(folder);
        std::fs::create_dir_all(&folder)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut place = folder.join(&*name);
        let mut number = 2;
        while place.exists() {
            place = folder.join(format!("{number}-{name}"));
            number += 1;
        }
        std::fs::rename(path, &place)?;
        Ok(place)
    }
}

/// Returns the size and time of a file, or `None` if it does not exist.
fn stamp_of(path: &Path) -> Option<FileStamp> {
    let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    Some((metadata.len(), metadata.modified().ok()))
}

/// Moved files: the current path, the previous path, and size and time at the last read.
#[derive(Default)]
struct MovedFiles(VecDeque<(PathBuf, PathBuf, FileStamp)>);

impl MovedFiles {
    fn stamps(&self) -> impl Iterator<Item = (PathBuf, FileStamp)> {
        self.0.iter().filter_map(|(path, ..)| Some((path.clone(), stamp_of(path)?)))
    }

    fn was_read(&self, path: &Path, stamp: FileStamp) -> bool {
        self.0.iter().any(|(moved, _, read)| moved == path && *read == stamp)
    }

    /// Returns the source for a file. A moved file keeps its previous name for the keys of its
    /// orders.
    fn source(&self, path: &Path) -> Source {
        match self.0.iter().find(|(moved, ..)| moved == path) {
            Some((path, from, _)) => Source::Moved { path: path.clone(), from: from.clone() },
            None => Source::File(path.to_owned()),
        }
    }

    fn record(&mut self, path: PathBuf, from: PathBuf, stamp: FileStamp) {
        self.0.retain(|(moved, ..)| *moved != path);
        self.0.push_back((path, from, stamp));
        if self.0.len() > MOVED_MAX {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_file_keeps_its_previous_name() {
        let (from, place) = (PathBuf::from("in/a.json"), PathBuf::from("in/done/a.json"));
        let mut moved = MovedFiles::default();
        moved.record(place.clone(), from.clone(), (1, None));
        assert!(moved.was_read(&place, (1, None)) && !moved.was_read(&place, (2, None)));
        let Source::Moved { path, from: previous } = moved.source(&place) else { panic!() };
        assert_eq!((path, previous), (place, from));
        assert!(matches!(moved.source(Path::new("in/b.json")), Source::File(_)));
    }

    #[test]
    fn only_the_latest_moved_files_are_watched() {
        let mut moved = MovedFiles::default();
        for number in 0..=MOVED_MAX {
            moved.record(PathBuf::from(number.to_string()), PathBuf::new(), (0, None));
        }
        assert_eq!(moved.0.len(), MOVED_MAX);
        assert!(!moved.was_read(Path::new("0"), (0, None)));
    }
}
