//! The files that a pipeline refers to. They are read through a trait, so that the same checks run
//! on a folder and on a stored bundle.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The file does not exist.
    #[error("the file does not exist")]
    Missing,
    /// The file exceeds the maximum size.
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    /// The file is outside the project.
    #[error(
        "the file is outside the project (the nearest parent folder with `.git`, or else the working directory); allow its folder with `--allow-files DIR`"
    )]
    OutsideProject,
    /// The operating system reported an error.
    #[error("{0}")]
    Unreadable(String),
}

/// Access to files by their path relative to the pipeline file, with `/` as the separator.
pub trait Files {
    /// Returns a file's bytes.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read.
    fn read(&self, path: &str) -> Result<Arc<[u8]>, FileError>;

    /// Returns the sorted names in a folder, without those in its subfolders. Names of subfolders
    /// end in `/`. The list is empty if the folder does not exist.
    fn list(&self, folder: &str) -> Vec<String>;

    /// Returns the display form of a path.
    fn shown(&self, path: &str) -> Arc<str>;
}

/// Files in memory: a stored bundle, or the files of a test.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles {
    files: BTreeMap<String, Arc<[u8]>>,
}

impl MemoryFiles {
    /// Creates a set of files from paths and contents.
    pub fn new(files: impl IntoIterator<Item = (String, Arc<[u8]>)>) -> Self {
        Self { files: files.into_iter().collect() }
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, FileError> {
        self.files.get(path).cloned().ok_or(FileError::Missing)
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let prefix = format!("{}/", folder.trim_end_matches('/'));
        let mut names: Vec<String> = self
            .files
            .keys()
            .filter_map(|path| path.strip_prefix(&prefix))
            .map(|rest| match rest.split_once('/') {
                Some((name, _)) => format!("{name}/"),
                None => rest.to_owned(),
            })
            .collect();
        names.dedup();
        names
    }

    fn shown(&self, path: &str) -> Arc<str> {
        Arc::from(path)
    }
}

/// Reads from other files and records every file that was read. The recorded files form a bundle.
pub struct Recorder<'f> {
    files: &'f dyn Files,
    read: RefCell<BTreeMap<String, Arc<[u8]>>>,
}

impl<'f> Recorder<'f> {
    /// Creates a recorder without any recorded files.
    pub fn new(files: &'f dyn Files) -> Self {
        Self { files, read: RefCell::default() }
    }

    /// Records a file that does not exist outside of the bundle.
    pub fn record(&self, path: &str, bytes: Arc<[u8]>) {
        self.read.borrow_mut().insert(path.to_owned(), bytes);
    }

    /// Returns the recorded files.
    pub fn into_read(self) -> BTreeMap<String, Arc<[u8]>> {
        self.read.into_inner()
    }
}

impl Files for Recorder<'_> {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, FileError> {
        let bytes = self.files.read(path)?;
        self.read.borrow_mut().insert(path.to_owned(), Arc::clone(&bytes));
        Ok(bytes)
    }

    fn list(&self, folder: &str) -> Vec<String> {
        self.files.list(folder)
    }

    fn shown(&self, path: &str) -> Arc<str> {
        self.files.shown(path)
    }
}
