//! File names for object keys and for other texts, which may not be valid file names.
//!
//! Every key has exactly one file, and no two keys share a file. The parts of a key between slashes
//! are the names of the folders and the file. A part that is not a valid name gets a marked name:
//! the part, shortened if needed, followed by `%` and 32 hexadecimal digits of its SHA-256 digest.
//! A part that looks like a marked name gets a marked name as well, so that an unmarked part never
//! collides with one.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use oms_engine::value::Digest;
use oms_sqlite::{Error, private};

/// Maximum length of a file name in bytes on common file systems.
const NAME_BYTES_MAX: usize = 255;
/// Hexadecimal digits of the digest in a marked name: 128 bits, so that collisions cannot be
/// constructed.
const DIGITS: usize = 32;
/// Maximum length in bytes of the path for a key, because systems limit whole paths to 4096 bytes.
const PATH_BYTES_MAX: usize = 2048;
/// Maximum number of retries to create a folder while other threads create files with its name.
const TRIES_MAX: u32 = 8;

/// The role of a key part. The marked names of a folder and a file always differ, so that both can
/// exist.
#[derive(Clone, Copy)]
enum Role {
    Folder,
    File,
    /// The file of a key that is too long for folders.
    Key,
}

/// Writes a file for a key below a folder.
///
/// If a key is also the folder of other keys (`a` and `a/b`), its file has the marked name,
/// regardless of their order.
///
/// # Errors
/// Returns an error if a folder or the file cannot be written.
pub(crate) fn write(directory: &Path, key: &str, content: &[u8]) -> Result<(), Error> {
    let mut parts: Vec<&str> = key.split('/').collect();
    let file = parts.pop().unwrap_or_default();
    let folders: Vec<Cow<'_, str>> = parts.iter().map(|part| name(part, Role::Folder)).collect();
    let bytes: usize = folders.iter().map(|name| name.len() + 1).sum();
    private::create_directory(directory)?;
    if bytes + NAME_BYTES_MAX > PATH_BYTES_MAX {
        return put(&directory.join(marked(key, Role::Key)), content);
    }
    let mut folder = directory.to_owned();
    for (part, name) in parts.iter().zip(folders) {
        folder = enter(&folder, part, &name)?;
    }
    let (plain, marked) =
        (folder.join(&*name(file, Role::File)), folder.join(marked(file, Role::File)));
    if plain.is_dir() || marked.exists() {
        return put(&marked, content);
    }
    match private::write(&plain, content) {
        // Another thread created a folder with this name in the meantime.
        Err(_) if plain.is_dir() => put(&marked, content),
        written => written.map_err(Error::directory(&plain)),
    }
}

/// Returns a file name for a text: the text itself if it is a valid file name.
pub(crate) fn of(text: &str) -> Cow<'_, str> {
    name(text, Role::File)
}

fn put(path: &Path, content: &[u8]) -> Result<(), Error> {
    private::write(path, content).map_err(Error::directory(path))
}

/// Creates a folder. If a file with this name exists, its key ends here, and the file is renamed to
/// its marked name.
fn enter(folder: &Path, part: &str, name: &str) -> Result<PathBuf, Error> {
    let path = folder.join(name);
    let mut tries = 0;
    loop {
        let made = private::create_directory(&path);
        if made.is_ok() || tries == TRIES_MAX || !path.is_file() {
            return made.map(|()| path);
        }
        tries += 1;
        // If another thread has already moved the file, the rename fails with `NotFound`.
        match std::fs::rename(&path, folder.join(marked(part, Role::File))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::directory(&path)(error));
            }
            _ => {}
        }
    }
}

fn name(part: &str, role: Role) -> Cow<'_, str> {
    let is_plain = !matches!(part, "" | "." | "..")
        && part.len() <= NAME_BYTES_MAX
        && !part.contains('\0')
        && !is_marked(part);
    if is_plain { Cow::Borrowed(part) } else { Cow::Owned(marked(part, role)) }
}

/// Returns whether a part has the form of a marked name.
fn is_marked(part: &str) -> bool {
    part.rsplit_once('%').is_some_and(|(_, digits)| {
        digits.len() == DIGITS
            && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn marked(part: &str, role: Role) -> String {
    let distinct = match role {
        Role::File => part.to_owned(),
        Role::Folder => format!("{part}/"),
        Role::Key => format!("{part}//"),
    };
    let digest = Digest::of(distinct.as_bytes()).to_string();
    let readable = match part {
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        part => part.replace('/', "%2F").replace('\0', "%00"),
    };
    let mut length = readable.len().min(NAME_BYTES_MAX - DIGITS - 1);
    while !readable.is_char_boundary(length) {
        length -= 1;
    }
    let (readable, digits) = (readable.get(..length), digest.get(..DIGITS));
    format!("{}%{}", readable.unwrap_or_default(), digits.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, found);
            } else {
                found.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn every_key_has_its_own_file_in_any_order() {
        let long = "é".repeat(200);
        let marked_name = marked("..", Role::File);
        let mut keys = vec![
            "a",
            "a/b",
            "a/b/c",
            "",
            "/",
            "//",
            "a/",
            "a//",
            "a//b",
            "a/_/b",
            "a/./b",
            "a/../b",
            ".",
            "..",
            "_",
            "%2E%2E",
            "../../../../x",
            "\0",
            "x\0",
            "%00",
            &marked_name,
            &long,
            "CON",
            "-rf",
            "a\\b",
        ]
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>();
        keys.extend([format!("{long}/a"), format!("{long}b"), "k".repeat(1024), "k".repeat(1023)]);
        keys.extend(["/".repeat(1024), "/".repeat(1023), "a/".repeat(512), "a/".repeat(511)]);
        let mut expected = keys.clone();
        expected.sort();
        for backwards in [false, true] {
            let scratch = tempfile::tempdir().unwrap();
            let folder = scratch.path().join("1/2/3/4/5/6");
            if backwards {
                keys.reverse();
            }
            // The second pass finds the files of the first.
            for key in keys.iter().chain(&keys) {
                write(&folder, key, key.as_bytes()).unwrap();
            }
            let mut found = Vec::new();
            files(scratch.path(), &mut found);
            found.sort();
            assert_eq!(found, expected, "{backwards}");
        }
    }

    #[test]
    fn a_key_that_is_a_valid_path_is_the_path_of_its_file() {
        let scratch = tempfile::tempdir().unwrap();
        for key in ["orders/NW-1.json", "ü b/%41 c", "100%", "..a/b..", &"k".repeat(255)] {
            write(scratch.path(), key, b"x").unwrap();
            assert!(scratch.path().join(key).is_file(), "{key}");
        }
    }
}
