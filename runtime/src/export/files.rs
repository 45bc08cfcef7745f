//! The files of objects and e-mails.

use std::path::Path;

use oms_engine::mail::Mail;
use oms_sqlite::{Error, private};

use super::file_name;

/// Writes an object as the file `bucket/key` in a directory. If the key is not a valid path, or is
/// also the folder of other keys, the file has a different name that is derived from the key. Every
/// object has its own file.
///
/// # Errors
/// Returns an error if the file cannot be written.
pub fn write_object(
    directory: &Path,
    bucket: &str,
    key: &str,
    content: &[u8],
) -> Result<(), Error> {
    file_name::write(&directory.join(&*file_name::of(bucket)), key, content)
}

/// Writes an e-mail to the `new` folder of a Maildir. The file name is derived from the Message-ID,
/// so that a repeated write changes nothing.
///
/// # Errors
/// Returns an error if the file cannot be written.
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
    // The file is renamed when it is complete, so that a reader of the Maildir never sees a partial
    // message.
    let (written, placed) = (directory.join("tmp").join(name), directory.join("new").join(name));
    private::write(&written, &message).map_err(Error::directory(&written))?;
    std::fs::rename(&written, &placed).map_err(Error::directory(&placed))
}
