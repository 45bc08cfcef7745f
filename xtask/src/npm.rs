//! npm programs that checks use, each in a fixed version below `target/`.

use std::path::PathBuf;

use xtask::workspace::{has, run as execute, say, scratch, variable};

/// Returns a program of a package, and installs it if it is missing. Returns `None` without npm,
/// which is an error in CI.
pub(crate) fn program(
    check: &str,
    package: &str,
    version: &str,
) -> anyhow::Result<Option<PathBuf>> {
    let folder = self::package(check, package, version)?;
    Ok(folder.map(|folder| folder.join("node_modules/.bin").join(package)))
}

/// Returns the folder with a package in its `node_modules`, and installs the package if it is
/// missing. Returns `None` without npm, which is an error in CI.
pub(crate) fn package(
    check: &str,
    package: &str,
    version: &str,
) -> anyhow::Result<Option<PathBuf>> {
    if !has("npm", &["--version"]) || !has("node", &["--version"]) {
        let ci = variable("CI").is_some_and(|value| value == "true");
        anyhow::ensure!(!ci, "{check} needs node and npm");
        say(&format!("skipped: {check}, because node or npm is not installed"));
        return Ok(None);
    }
    let folder = scratch("npm").join(format!("{package}-{version}"));
    if !folder.join("node_modules").join(package).exists() {
        std::fs::create_dir_all(&folder)?;
        let (folder, wanted) = (folder.to_string_lossy(), format!("{package}@{version}"));
        let quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
        execute("npm", &[&["install", "--prefix", &folder][..], &quiet, &[&wanted]].concat())?;
    }
    Ok(Some(folder))
}
