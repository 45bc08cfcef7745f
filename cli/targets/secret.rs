//! The secrets that a pipeline names with `{ secret: NAME }`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// The environment variable with the folder of secrets (systemd.exec(5), "Credentials").
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// Reads a secret: the file `$CREDENTIALS_DIRECTORY/NAME`, or the file that the environment variable
/// `NAME_FILE` names, or the environment variable `NAME`.
///
/// # Errors
/// Returns an error if none of them exists, or the file cannot be read.
#[expect(clippy::disallowed_methods, reason = "the pipeline names the variables")]
pub(crate) fn read(name: &str) -> anyhow::Result<String> {
    let folder = std::env::var_os(CREDENTIALS_DIRECTORY).map(PathBuf::from);
    let in_folder = folder.map(|folder| folder.join(name)).filter(|path| path.exists());
    let file = || std::env::var_os(format!("{name}_FILE")).map(PathBuf::from);
    if let Some(path) = in_folder.or_else(file) {
        return read_file(&path);
    }
    std::env::var(name).with_context(|| {
        format!(
            "the secret `{name}` does not exist; create the file `${CREDENTIALS_DIRECTORY}/{name}`, set the environment variable `{name}_FILE` to the path of a file, or set `{name}`"
        )
    })
}

/// Reads a file with a secret, without the line break at its end.
fn read_file(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
