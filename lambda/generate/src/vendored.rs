//! The sources of the crates that handlers link, and the lock file with their dependencies.
//!
//! The generated workspace contains them, because no registry has them. So it builds wherever Cargo
//! runs, with the versions with which `oms` itself was tested.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The files of the crates, by their paths in the project.
const SOURCES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sources.rs"));
/// The folders of the crates in the project.
const MEMBERS: &[&str] = include!(concat!(env!("OUT_DIR"), "/members.rs"));
/// The sections of the workspace's manifest from which the crates inherit.
const WORKSPACE: &str = include_str!(concat!(env!("OUT_DIR"), "/workspace.toml"));
/// The packages of the crates and of their dependencies. `cargo xtask generate` writes the file.
const LOCK: &str = include_str!("../../../templates/lambda/Cargo.lock");
/// The folder of the crates in a generated workspace.
const FOLDER: &str = "crates";
const PACKAGE: &str = "\n[[package]]\n";

/// The package of a handler.
pub(crate) struct Package<'a> {
    pub(crate) name: &'a str,
    /// The names of its dependencies.
    pub(crate) dependencies: Vec<&'static str>,
}

/// Returns the files of the crates, by their paths in a generated workspace.
pub(crate) fn files() -> impl Iterator<Item = (String, &'static str)> {
    SOURCES.iter().map(|(path, text)| (format!("{FOLDER}/{path}"), *text))
}

/// Returns the folders of the crates in a generated workspace.
pub(crate) fn members() -> impl Iterator<Item = String> {
    MEMBERS.iter().map(|member| format!("{FOLDER}/{member}"))
}

/// Returns the sections from which the crates inherit.
pub(crate) const fn workspace() -> &'static str {
    WORKSPACE
}

/// Returns the lock file of a workspace with these handlers.
pub(crate) fn lock(handlers: &[Package<'_>]) -> String {
    let mut parts = LOCK.split(PACKAGE);
    let mut lock = parts.next().unwrap_or_default().to_owned();
    let mut packages: Vec<String> = parts.map(|part| part.trim_end().to_owned()).collect();
    for handler in handlers {
        let mut package =
            format!("name = \"{}\"\nversion = \"0.1.0\"\ndependencies = [\n", handler.name);
        for dependency in &handler.dependencies {
            let _written = writeln!(package, " \"{dependency}\",");
        }
        package.push(']');
        packages.push(package);
    }
    // Cargo sorts packages by name, then by version.
    packages.sort_by(|a, b| name(a).cmp(name(b)));
    for package in &packages {
        lock.push_str(PACKAGE);
        lock.push_str(package);
        lock.push('\n');
    }
    lock
}

/// Returns whether the lock file has a package with this name, so that a handler cannot have it.
pub(crate) fn has_package(wanted: &str) -> bool {
    LOCK.split(PACKAGE).any(|package| name(package) == wanted)
}

/// Returns the name of a package in the lock file.
fn name(package: &str) -> &str {
    let rest = package.strip_prefix("name = \"").unwrap_or_default();
    rest.split('"').next().unwrap_or_default()
}

/// Returns the crates as a workspace without handlers, by path. Its lock file is the one that
/// generated workspaces start from.
pub fn crates() -> BTreeMap<String, String> {
    let members: Vec<String> = members().collect();
    let manifest = format!("[workspace]\nresolver = \"3\"\nmembers = {members:?}\n\n{WORKSPACE}");
    let sources = files().map(|(path, text)| (path, text.to_owned()));
    sources.chain([("Cargo.toml".to_owned(), manifest)]).collect()
}
