//! The secrets that a pipeline names with `{ secret: NAME }`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use oms_engine::pipeline::SettingSource;

/// The environment variable with the folder of secrets (systemd.exec(5), "Credentials").
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// Reads a text, an environment variable or a secret.
///
/// # Errors
/// Returns an error if the variable or the secret does not exist.
pub(crate) fn read_source(source: &SettingSource) -> anyhow::Result<String> {
    match source {
        SettingSource::Text(text) => Ok(text.clone()),
        SettingSource::Env(name) => {
            variable(name)?.with_context(|| format!("the environment variable `{name}` is not set"))
        }
        SettingSource::Secret(name) => read(name),
    }
}

/// Reads a secret: the file `$CREDENTIALS_DIRECTORY/NAME`, or the file that the environment variable
/// `NAME_FILE` names, or the environment variable `NAME`.
///
/// # Errors
/// Returns an error if none of them exists, or the file cannot be read.
pub(crate) fn read(name: &str) -> anyhow::Result<String> {
    let folder = variable_os(CREDENTIALS_DIRECTORY).map(PathBuf::from);
    let in_folder = folder.map(|folder| folder.join(name)).filter(|path| path.exists());
    let file = || variable_os(&format!("{name}_FILE")).map(PathBuf::from);
    if let Some(path) = in_folder.or_else(file) {
        return read_file(&path);
    }
    variable(name)?.with_context(|| {
        format!(
            "the secret `{name}` does not exist; create the file `${CREDENTIALS_DIRECTORY}/{name}`, set the environment variable `{name}_FILE` to the path of a file, or set `{name}`"
        )
    })
}

/// Returns the value of an environment variable, or `None` if it is not set.
///
/// # Errors
/// Returns an error if the value is not UTF-8.
fn variable(name: &str) -> anyhow::Result<Option<String>> {
    let Some(value) = variable_os(name) else { return Ok(None) };
    // The error of `into_string` would contain the secret.
    let text = value.into_string().ok();
    text.map(Some).with_context(|| format!("the environment variable `{name}` is not UTF-8"))
}

/// Returns the value of an environment variable. Not every tool can unset a variable, so an empty
/// one counts as not set.
#[expect(clippy::disallowed_methods, reason = "the pipeline names the variables")]
fn variable_os(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Reads a file with a secret, without the line break at its end.
fn read_file(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
