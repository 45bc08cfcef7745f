//! The files that a pipeline names: read through a trait, so that the same checks run over a folder and over a
//! stored bundle.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// There is none.
    #[error("there is no such file")]
    Missing,
    /// It is larger than files may be.
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    /// The file is outside of the project.
    #[error(
        "it is outside of the project (the nearest parent folder with `.git`, or else the working directory); use `--allow-files DIR` to allow a folder"
    )]
    Outside,
    /// The system refused.
    #[error("{0}")]
    Unreadable(String),
}

/// Files by their path relative to the pipeline file, with `/` between the parts.
pub trait Files {
    /// Returns a file's bytes.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(&self, path: &str) -> Result<Arc<[u8]>, FileError>;

    /// Returns the names directly in a folder, sorted; sub-folders end in `/`. Nothing if there is no such folder.
    fn list(&self, folder: &str) -> Vec<String>;

    /// Returns a path as it is shown to people.
    fn shown(&self, path: &str) -> Arc<str>;
}

/// Files kept in memory: a stored bundle, or a test's.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles {
    files: BTreeMap<String, Arc<[u8]>>,
}

impl MemoryFiles {
    /// Takes these files.
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

/// Reads through to other files and remembers what was read: the content of a bundle.
pub struct Recorder<'f> {
    files: &'f dyn Files,
    read: RefCell<BTreeMap<String, Arc<[u8]>>>,
}

impl<'f> Recorder<'f> {
    /// Starts with nothing read.
    pub fn new(files: &'f dyn Files) -> Self {
        Self { files, read: RefCell::default() }
    }

    /// Returns what was read.
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
