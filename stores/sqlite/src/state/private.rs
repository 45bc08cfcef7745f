//! Files and directories that only their owner can access, regardless of the umask.
//!
//! A state contains orders, e-mails and addresses. Without an explicit mode, the umask would
//! determine who can read new files.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::Path;

use crate::error::Error;
use crate::state::database::{DATABASE_FILE, INDEX_FILE};
use crate::state::marker::MARKER_FILE;

const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// The permission bits for users other than the owner.
const OTHER_USERS: u32 = 0o077;

/// Prefixes of the file names in a state directory.
const STATE_FILES: [&str; 10] = [
    DATABASE_FILE,
    INDEX_FILE,
    MARKER_FILE,
    "oms.lock",
    "keys.json",
    "keys.lock",
    "control.sock",
    "restoring.db",
    "before-restore-",
    "preview",
];

/// Creates a directory and its missing parents with the mode 0700. Existing directories keep their
/// modes.
///
/// # Errors
/// Returns an error if the directory cannot be created.
pub fn create_directory(path: &Path) -> Result<(), Error> {
    let mut missing: Vec<&Path> = path.ancestors().take_while(|path| !path.is_dir()).collect();
    missing.retain(|path| !path.as_os_str().is_empty());
    for path in missing.into_iter().rev() {
        match DirBuilder::new().mode(DIRECTORY_MODE).create(path) {
            // Another process created the directory in the meantime.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            Err(error) => return Err(Error::directory(path)(error)),
            // The umask may have removed a permission of the owner.
            Ok(()) => std::fs::set_permissions(path, Permissions::from_mode(DIRECTORY_MODE))
                .map_err(Error::directory(path))?,
        }
    }
    Ok(())
}

/// Opens a file, and creates it if `options` allow it. Afterwards, only its owner can access it,
/// even if it existed with another mode.
pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = options.mode(FILE_MODE).open(path)?;
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o777 != FILE_MODE {
        match file.set_permissions(Permissions::from_mode(FILE_MODE)) {
            // The file belongs to another user, who controls its mode.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            changed => changed?,
        }
    }
    Ok(file)
}

/// Writes a file that only its owner can access.
///
/// # Errors
/// Returns an error if the file cannot be written.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = open(path, OpenOptions::new().write(true).create(true).truncate(true))?;
    io::Write::write_all(&mut file, content)
}

/// Creates a state directory that only its owner can access. In an existing directory, the files of
/// a state become private. The directory itself becomes private only if it contains no other files,
/// because it may be `.` or `/tmp`.
///
/// # Errors
/// Returns an error if the directory cannot be created or read.
pub(crate) fn state_directory(path: &Path) -> Result<(), Error> {
    create_directory(path)?;
    let mut is_state = true;
    for entry in std::fs::read_dir(path).map_err(Error::directory(path))? {
        let entry = entry.map_err(Error::directory(path))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if STATE_FILES.iter().any(|known| name.starts_with(known)) {
            tighten(&entry.path());
        } else {
            is_state = false;
        }
    }
    if is_state {
        // The path may be a symbolic link to the directory.
        let directory = std::fs::canonicalize(path).map_err(Error::directory(path))?;
        tighten(&directory);
    }
    Ok(())
}

/// Removes the permissions of other users. A file that another user owns keeps its mode.
fn tighten(path: &Path) {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return };
    if !metadata.is_symlink() && metadata.mode() & OTHER_USERS != 0 {
        let mode = if metadata.is_dir() { DIRECTORY_MODE } else { FILE_MODE };
        let _not_ours = std::fs::set_permissions(path, Permissions::from_mode(mode));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn new_and_existing_files_are_private() {
        let folder = tempfile::tempdir().unwrap();
        let nested = folder.path().join("a/b");
        create_directory(&nested).unwrap();
        create_directory(&nested).unwrap();
        assert_eq!((mode(&nested), mode(&folder.path().join("a"))), (0o700, 0o700));
        let file = nested.join("oms.db");
        write(&file, b"old").unwrap();
        assert_eq!(mode(&file), 0o600);
        let before = nested.join("before-restore-1");
        create_directory(&before).unwrap();
        for path in [&nested, &file, &before] {
            std::fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
        }
        state_directory(&nested).unwrap();
        assert_eq!((mode(&nested), mode(&file), mode(&before)), (0o700, 0o600, 0o700));
        std::fs::set_permissions(&nested, Permissions::from_mode(0o777)).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&nested, &link).unwrap();
        state_directory(&link).unwrap();
        assert_eq!(mode(&nested), 0o700);
        std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        write(&file, b"new").unwrap();
        assert_eq!((mode(&file), std::fs::read(&file).unwrap()), (0o600, b"new".to_vec()));
    }

    #[test]
    fn a_directory_with_other_files_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["oms.db-wal", "pipeline.yaml"] {
            std::fs::write(folder.path().join(name), "").unwrap();
            let open = Permissions::from_mode(0o644);
            std::fs::set_permissions(folder.path().join(name), open).unwrap();
        }
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        state_directory(folder.path()).unwrap();
        assert_eq!(mode(folder.path()), 0o755);
        assert_eq!(mode(&folder.path().join("oms.db-wal")), 0o600);
        assert_eq!(mode(&folder.path().join("pipeline.yaml")), 0o644);
    }
}
