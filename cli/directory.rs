//! A pipeline's files in a folder of this machine.

use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use oms_engine::document::{FileError, Files};

/// Bytes of a file that a pipeline names at the most.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// The files below and around the folder of a pipeline file.
pub struct DirectoryFiles {
    folder: PathBuf,
}

impl DirectoryFiles {
    /// Takes the folder that paths are relative to.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Takes the folder of a pipeline file, and returns the file's name in it.
    pub fn of(pipeline: &Path) -> (Self, String) {
        let folder = pipeline.parent().map_or_else(PathBuf::new, Path::to_owned);
        let name = pipeline.file_name().map(|name| name.to_string_lossy().into_owned());
        (Self { folder }, name.unwrap_or_default())
    }
}

impl Files for DirectoryFiles {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, FileError> {
        let path = self.folder.join(path);
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => FileError::Missing,
            _ => FileError::Unreadable(in_words(&error)),
        };
        let file = std::fs::File::open(&path).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(FileError::Unreadable("it is a folder".to_owned()));
        }
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(FileError::TooLarge(FILE_BYTES_MAX));
        }
        Ok(bytes.into())
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.folder.join(folder)) else { return Vec::new() };
        let mut names: Vec<String> = entries
            .filter_map(Result::ok)
            .map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                if entry.path().is_dir() { format!("{name}/") } else { name }
            })
            .collect();
        names.sort();
        names
    }

    fn shown(&self, path: &str) -> Arc<str> {
        let mut shown = PathBuf::new();
        for part in self.folder.join(path).components() {
            let up = part == Component::ParentDir
                && matches!(shown.components().next_back(), Some(Component::Normal(_)));
            if up {
                shown.pop();
            } else if part != Component::CurDir {
                shown.push(part);
            }
        }
        Arc::from(shown.to_string_lossy().replace('\\', "/"))
    }
}

/// Returns what the system said, without its number and in the manner of our messages.
fn in_words(error: &std::io::Error) -> String {
    let said = error.to_string();
    let said = said.split(" (os error").next().unwrap_or_default();
    let mut letters = said.chars();
    letters
        .next()
        .map_or_else(String::new, |first| format!("{}{}", first.to_lowercase(), letters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_told_as_such() {
        let files = DirectoryFiles::new(Path::new("."));
        assert_eq!(files.read(".").unwrap_err().to_string(), "it is a folder");
        let error = std::io::Error::from_raw_os_error(13);
        assert!(!in_words(&error).contains("os error"));
    }

    #[test]
    fn paths_are_shown_without_detours() {
        let (files, name) = DirectoryFiles::of(Path::new("pipelines/a.yaml"));
        assert_eq!(name, "a.yaml");
        assert_eq!(files.shown("../templates/./x.hbs").as_ref(), "templates/x.hbs");
        let (files, _) = DirectoryFiles::of(Path::new("a.yaml"));
        assert_eq!(files.shown("../x").as_ref(), "../x");
    }
}
