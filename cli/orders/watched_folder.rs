//! `run --watch`: files of orders in a watched folder.
//!
//! A file is read once it has not changed for a moment. When every order in it is on disk, it is moved to `done`, or to `refused` if an order was not
//! accepted. If the process ends before that, the next call reads the file again and recognizes its orders by their keys.
//! A file that grows after it was read is read again, even after it was moved, because its writer may have paused.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use oms_runtime::Work;
use tokio::sync::{mpsc, watch};

use crate::orders::input::{Reader, Source};
use crate::orders::rejections::{self, AnswerQueue};

/// Interval between two scans of the folder. A file that is unchanged in both is complete.
const LOOK: Duration = Duration::from_millis(500);
/// The extensions of files of orders.
const ENDINGS: [&str; 3] = ["json", "jsonl", "ndjson"];

/// Maximum number of moved files that are still watched.
const MOVED_MAX: usize = 1_000;

/// The folders for files that were read.
const DONE: &str = "done";
const REFUSED: &str = "refused";

/// A watched folder.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) reader: Reader,
    pub(crate) work: mpsc::Sender<Work>,
    pub(crate) answers: AnswerQueue,
    pub(crate) stop: watch::Receiver<bool>,
}

/// The size and the modification time of a file.
type Look = (u64, Option<SystemTime>);

impl Folder {
    /// Reads files until the command is interrupted.
    ///
    /// # Errors
    /// When the folder or a file in it cannot be used.
    pub(crate) fn watch(&self) -> Result<(), (PathBuf, io::Error)> {
        let mut before = BTreeMap::new();
        let mut moved = Moved::default();
        while !self.is_stopped() {
            let mut now = self.look().map_err(|error| (self.path.clone(), error))?;
            now.extend(moved.look());
            for (path, look) in &now {
                if before.get(path) != Some(look) || moved.was_read(path, *look) {
                    continue;
                }
                let taken = self.take(path, *look, &mut moved);
                if !taken.map_err(|error| (path.clone(), error))? {
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

    /// Returns the files that may contain orders, sorted by name.
    fn look(&self) -> io::Result<BTreeMap<PathBuf, Look>> {
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(&self.path)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            if name.starts_with('.') || !ENDINGS.contains(&ending) {
                continue;
            }
            if let Some(look) = look_at(&path) {
                files.insert(path, look);
            }
        }
        Ok(files)
    }

    /// Reads the orders of a file and moves the file. Returns whether to continue.
    fn take(&self, path: &Path, look: Look, moved: &mut Moved) -> io::Result<bool> {
        let mut file = rejections::File::new(&self.answers);
        let mut sent = true;
        let source = moved.source(path);
        self.reader.read(&source, &mut |mut order, origin| {
            file.note(&mut order, origin);
            sent = self.work.blocking_send(Work::Order(order)).is_ok();
            sent
        })?;
        file.end();
        if !sent || file.unanswered {
            return Ok(false);
        }
        // If the file changed while it was read, it is read again once it is stable.
        match source {
            Source::Moved { path, from } => moved.note(path, from, look),
            _ if look_at(path) == Some(look) => {
                let place = self.put_away(path, if file.refused { REFUSED } else { DONE })?;
                moved.note(place, path.to_owned(), look);
            }
            _ => {}
        }
        Ok(true)
    }

    /// Moves a file into a folder, under an unused name.
    fn put_away(&self, path: &Path, folder: &str) -> io::Result<PathBuf> {
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
fn look_at(path: &Path) -> Option<Look> {
    let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    Some((metadata.len(), metadata.modified().ok()))
}

/// Moved files: the current path, the previous path, and size and time at the last read.
#[derive(Default)]
struct Moved(VecDeque<(PathBuf, PathBuf, Look)>);

impl Moved {
    fn look(&self) -> impl Iterator<Item = (PathBuf, Look)> {
        self.0.iter().filter_map(|(path, ..)| Some((path.clone(), look_at(path)?)))
    }

    fn was_read(&self, path: &Path, look: Look) -> bool {
        self.0.iter().any(|(moved, _, read)| moved == path && *read == look)
    }

    /// Returns the source for a file. A moved file keeps its previous name for the keys of its orders.
    fn source(&self, path: &Path) -> Source {
        match self.0.iter().find(|(moved, ..)| moved == path) {
            Some((path, from, _)) => Source::Moved { path: path.clone(), from: from.clone() },
            None => Source::File(path.to_owned()),
        }
    }

    fn note(&mut self, path: PathBuf, from: PathBuf, look: Look) {
        self.0.retain(|(moved, ..)| *moved != path);
        self.0.push_back((path, from, look));
        if self.0.len() > MOVED_MAX {
            self.0.pop_front();
        }
    }
}
