//! Collects the sources of the crates that generated handlers link, so that `oms generate lambda`
//! can write them without a checkout of the project.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The crates that handlers link, directly or through each other, and the pages of the findings,
/// which `oms-core` includes.
const FOLDERS: [&str; 10] = [
    "adapters/aws",
    "adapters/clock",
    "adapters/sql",
    "docs/errors",
    "engine",
    "engine/core",
    "engine/expression",
    "engine/template",
    "lambda/runtime",
    "steps",
];
/// The dependencies of handlers that inherit from the workspace.
const OF_HANDLERS: [&str; 5] = ["oms-aws", "oms-lambda", "oms-sql", "oms-steps", "tokio"];
/// Files of the project that are written, too.
const LICENSES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];
/// Sections of a crate's manifest that only its own tests need.
const TEST_SECTIONS: [&str; 3] = ["dev-dependencies", "[test]", "lints"];

#[expect(clippy::disallowed_methods, reason = "Cargo passes the output folder like this")]
fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let watch = |path: &str| println!("cargo::rerun-if-changed={}", root.join(path).display());
    let mut files = Vec::new();
    let mut members = Vec::new();
    let mut shared = BTreeSet::new();
    watch("Cargo.toml");
    for folder in FOLDERS {
        let manifest = root.join(folder).join("Cargo.toml");
        let sources = if manifest.exists() {
            watch(&format!("{folder}/Cargo.toml"));
            let text = without_tests(&fs::read_to_string(&manifest)?);
            shared.extend(inherited(&text));
            files.push((format!("{folder}/Cargo.toml"), format!("{text:?}")));
            members.push(folder);
            format!("{folder}/src")
        } else {
            folder.to_owned()
        };
        watch(&sources);
        for path in files_below(&root.join(&sources))? {
            files.push((relative(&root, &path), format!("include_str!({path:?})")));
        }
    }
    for license in LICENSES {
        watch(license);
        files.push((license.to_owned(), format!("include_str!({:?})", root.join(license))));
    }
    files.sort();
    let mut code = String::from("&[\n");
    for (path, content) in &files {
        let _written = writeln!(code, "    ({path:?}, {content}),");
    }
    code.push_str("]\n");
    let output = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(output.join("sources.rs"), code)?;
    let workspace = workspace(&fs::read_to_string(root.join("Cargo.toml"))?, &shared);
    fs::write(output.join("workspace.toml"), workspace)?;
    fs::write(output.join("members.rs"), format!("&{members:?}\n"))
}

/// Returns a manifest without the sections that only tests need.
fn without_tests(manifest: &str) -> String {
    let mut kept = String::new();
    let mut skips = false;
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            skips = TEST_SECTIONS.iter().any(|test| section.starts_with(test));
        }
        if !skips && !line.starts_with("autotests") {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// Returns the dependencies whose versions a manifest takes from the workspace.
fn inherited(manifest: &str) -> impl Iterator<Item = String> + '_ {
    let names = manifest.lines().filter_map(|line| {
        let (name, value) = line.split_once(['.', ' '])?;
        let inherits = value.starts_with("workspace = true") || value.contains("workspace = true,");
        (inherits && !["version", "edition", "license", "publish"].contains(&name)).then_some(name)
    });
    names.filter(|name| *name != "rust-version").map(str::to_owned)
}

/// Returns the package data and the dependencies of the project's workspace that the crates need.
fn workspace(manifest: &str, shared: &BTreeSet<String>) -> String {
    let mut kept = String::new();
    let mut section = "";
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        }
        let (name, value) = line.split_once(" = ").unwrap_or_default();
        let needed = match section {
            "[workspace.package]" => true,
            "[workspace.dependencies]" => {
                line == section || shared.contains(name) || OF_HANDLERS.contains(&name)
            }
            _ => false,
        };
        if needed {
            // The crates are in a folder of the generated workspace.
            let value = value.replace("path = \"", "path = \"crates/");
            let line = if value.is_empty() { line.to_owned() } else { format!("{name} = {value}") };
            kept.push_str(&line);
            kept.push('\n');
        }
    }
    kept
}

/// Returns all files with sources or data below a folder.
fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let extension = path.extension().and_then(|extension| extension.to_str());
            if path.is_dir() {
                folders.push(path);
            } else if matches!(extension, Some("rs" | "csv" | "txt" | "md")) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// Returns a path relative to the project, with `/` as the separator.
fn relative(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}
