//! The files of objects and mails.

use std::path::Path;

use oms_engine::mail::Mail;
use oms_sqlite::{Error, private};

use super::file_name;

/// Writes an object below a directory as `bucket/key`. A key that cannot be a path, and one that is also the folder of other keys, has
/// another name that follows from the key, so that each object has a file of its own.
///
/// # Errors
/// The file cannot be written.
pub fn write_object(
    directory: &Path,
    bucket: &str,
    key: &str,
    content: &[u8],
) -> Result<(), Error> {
    file_name::write(&directory.join(&*file_name::of(bucket)), key, content)
}

/// Writes the message into a Maildir (its `new` folder), under a name that follows from the Message-ID, so that writing it
/// again changes nothing.
///
/// # Errors
/// When the file cannot be written.
pub fn write_mail(directory: &Path, mail: &Mail) -> Result<(), Error> {
    for folder in ["cur", "new", "tmp"] {
        let path = directory.join(folder);
        private::create_directory(&path)?;
    }
    let name = mail.message_id.replace(['/', '@', ':'], ".");
    let name = &*file_name::of(&name);
    let message = mail.to_rfc5322().map_err(|error| Error::Directory {
        path: directory.to_owned(),
        source: std::io::Error::other(error),
    })?;
    // A reader of the Maildir never sees half a message: it is moved into place.
    let (written, placed) = (directory.join("tmp").join(name), directory.join("new").join(name));
    private::write(&written, &message).map_err(Error::directory(&written))?;
    std::fs::rename(&written, &placed).map_err(Error::directory(&placed))
}
