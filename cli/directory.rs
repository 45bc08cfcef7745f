//! The files of a pipeline in the local file system.

use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};

use oms_engine::document::{FileError, Files};

/// Maximum size of a file that a pipeline uses, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// The folders of `--allow-files`.
static ALLOWED: OnceLock<Vec<PathBuf>> = OnceLock::new();

/// Sets the folders of `--allow-files`.
pub(crate) fn allow(folders: Vec<PathBuf>) {
    // Called once at startup.
    let _first = ALLOWED.set(folders);
}

/// Reads files by their paths relative to the folder of a pipeline file.
///
/// A finding can quote a file, and CI may validate a pipeline from an untrusted pull request.
/// Therefore, only files of the project are read: the nearest parent folder with `.git` or else the
/// working directory, the pipeline's own folder, and the folders of `--allow-files`. Symbolic links
/// are resolved first.
pub struct DirectoryFiles {
    folder: PathBuf,
    /// The allowed folders, with symbolic links resolved.
    roots: Vec<PathBuf>,
}

impl DirectoryFiles {
    /// Returns the reader of files for a folder. Paths are relative to this folder.
    pub fn new(folder: &Path) -> Self {
        let allowed = ALLOWED.get().into_iter().flatten();
        let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let mut roots: Vec<PathBuf> =
            allowed.filter_map(|folder| folder.canonicalize().ok()).collect();
        if let Ok(here) = here.canonicalize() {
            roots.extend(project(&here));
            roots.push(here);
        }
        Self { folder: folder.to_owned(), roots }
    }

    /// Returns the reader of files for the folder of a pipeline file, and the file's name in it.
    pub fn of(pipeline: &Path) -> (Self, String) {
        let folder = pipeline.parent().unwrap_or(Path::new(""));
        let name = pipeline.file_name().map(|name| name.to_string_lossy().into_owned());
        (Self::new(folder), name.unwrap_or_default())
    }

    /// Returns whether a file or folder may be read, with symbolic links resolved.
    fn is_ours(&self, path: &Path) -> bool {
        path.canonicalize().is_ok_and(|real| self.roots.iter().any(|root| real.starts_with(root)))
    }
}

/// Returns the project that contains a folder. The root of the file system is not a project.
fn project(folder: &Path) -> Option<PathBuf> {
    let with_git = folder.ancestors().find(|above| above.join(".git").exists());
    let project = match with_git {
        Some(above) => above.to_owned(),
        None => Path::new(".").canonicalize().ok()?,
    };
    project.parent().is_some().then_some(project)
}

impl Files for DirectoryFiles {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, FileError> {
        let path = self.folder.join(path);
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => FileError::Missing,
            _ => FileError::Unreadable(system_message(&error)),
        };
        // Checked before opening: opening a pipe without a writer blocks.
        let kind = std::fs::metadata(&path).map_err(failed)?.file_type();
        if !kind.is_file() {
            let what = if kind.is_dir() { "it is a folder" } else { "it is not a regular file" };
            return Err(FileError::Unreadable(what.to_owned()));
        }
        if !self.is_ours(&path) {
            return Err(FileError::OutsideProject);
        }
        let file = std::fs::File::open(&path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(FileError::TooLarge(FILE_BYTES_MAX));
        }
        Ok(bytes.into())
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let folder = self.folder.join(folder);
        if !self.is_ours(&folder) {
            return Vec::new();
        }
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
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

/// Returns the system's error message without its number, and with a lower-case first letter.
fn system_message(error: &std::io::Error) -> String {
    let message = error.to_string();
    let message = message.split(" (os error").next().unwrap_or_default();
    let mut letters = message.chars();
    letters
        .next()
        .map_or_else(String::new, |first| format!("{}{}", first.to_lowercase(), letters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_reported_as_a_folder() {
        let files = DirectoryFiles::new(Path::new("."));
        assert_eq!(files.read(".").unwrap_err().to_string(), "it is a folder");
        let error = std::io::Error::from_raw_os_error(13);
        assert!(!system_message(&error).contains("os error"));
    }

    #[test]
    fn only_files_of_the_project_are_read() {
        let scratch = tempfile::tempdir().unwrap();
        let at = |path: &str| scratch.path().join(path);
        for folder in ["project/.git", "project/pipelines", "project/shared", "other"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        for file in ["project/pipelines/a", "project/shared/b", "other/c"] {
            std::fs::write(at(file), "text").unwrap();
        }
        std::os::unix::fs::symlink(at("other/c"), at("project/pipelines/link")).unwrap();
        std::os::unix::fs::symlink(at("project/shared"), at("project/pipelines/near")).unwrap();
        let files = DirectoryFiles::new(&at("project/pipelines"));
        for path in ["a", "../shared/b", "near/b", "../pipelines/a"] {
            assert!(files.read(path).is_ok(), "{path}");
        }
        for path in ["../../other/c", "link", "/proc/self/environ", "/etc/passwd"] {
            assert_eq!(files.read(path).unwrap_err(), FileError::OutsideProject, "{path}");
        }
        assert_eq!(files.list("../shared"), ["b"]);
        assert!(files.list("../../other").is_empty());
        assert!(files.list("/etc").is_empty());
        let error = files.read("/dev/null").unwrap_err();
        assert_eq!(error.to_string(), "it is not a regular file");
    }

    #[test]
    fn paths_are_shown_normalized() {
        let (files, name) = DirectoryFiles::of(Path::new("pipelines/a.yaml"));
        assert_eq!(name, "a.yaml");
        assert_eq!(files.shown("../templates/./x.hbs").as_ref(), "templates/x.hbs");
        let (files, _) = DirectoryFiles::of(Path::new("a.yaml"));
        assert_eq!(files.shown("../x").as_ref(), "../x");
    }
}
