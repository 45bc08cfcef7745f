//! Architecture rules: which packages may use which, what the engine must not link, and the maximum
//! length of a file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

use crate::harness::root;

/// The workspace packages that each workspace package may use.
const IMPORTS: &[(&str, &[&str])] = &[
    (
        "oms",
        &[
            "oms-engine",
            "oms-steps",
            "oms-local",
            "oms-postgres",
            "oms-smtp",
            "oms-sql",
            "oms-aws",
            "oms-serve",
            "oms-lambda-generate",
        ],
    ),
    ("oms-lambda", &["oms-engine"]),
    ("oms-lambda-generate", &["oms-engine", "oms-sql", "oms-steps"]),
    ("oms-serve", &["oms-engine", "oms-local"]),
    ("oms-steps", &["oms-engine"]),
    ("oms-local", &["oms-engine"]),
    ("oms-postgres", &["oms-engine", "oms-sql"]),
    ("oms-smtp", &["oms-engine"]),
    ("oms-aws", &["oms-engine", "oms-sql"]),
    ("oms-sql", &["oms-engine"]),
    ("oms-engine", &[]),
];

/// Packages that may use every other package.
const FREE: &[&str] = &["xtask", "custom-kind", "oms-test-servers"];

/// Packages that the engine must not be linked with, directly or indirectly.
const NOT_IN_THE_ENGINE: &[&str] =
    &["rusqlite", "libsqlite3-sys", "clap", "tokio", "hyper", "reqwest", "chrono"];

/// Maximum number of lines in a source file.
const LINES_MAX: usize = 600;

fn metadata() -> Json {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn texts(values: &Json) -> impl Iterator<Item = &str> {
    values.as_array().into_iter().flatten().filter_map(Json::as_str)
}

#[test]
fn packages_import_only_what_they_may() {
    let metadata = metadata();
    let members: BTreeSet<&str> = texts(&metadata["workspace_members"]).collect();
    let packages = metadata["packages"].as_array().unwrap();
    let ours: Vec<&Json> = packages
        .iter()
        .filter(|package| members.contains(package["id"].as_str().unwrap()))
        .collect();
    let names: BTreeSet<&str> =
        ours.iter().filter_map(|package| package["name"].as_str()).collect();
    assert!(names.contains("oms-engine") && names.contains("oms"));
    for package in ours {
        let name = package["name"].as_str().unwrap();
        if FREE.contains(&name) {
            continue;
        }
        let Some((_, allowed)) = IMPORTS.iter().find(|(known, _)| *known == name) else {
            panic!("`{name}` has no rule; add one here and to docs/ARCHITECTURE.md");
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let used = dependency["name"].as_str().unwrap();
            // Tests may use any package.
            if names.contains(used) && dependency["kind"] != "dev" {
                assert!(allowed.contains(&used), "`{name}` must not use `{used}`");
            }
        }
    }
}

#[test]
fn the_engine_links_no_cloud_database_or_terminal_package() {
    // Only the engine's own tree: feature unification with other crates must not count.
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["tree", "--package", "oms-engine", "--edges", "normal", "--prefix", "none"])
        .args(["--format", "{p}", "--offline"])
        .current_dir(root());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let linked: BTreeSet<&str> =
        tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(linked.contains("jiff"), "`cargo tree` listed no dependencies: {linked:?}");
    for name in linked {
        let forbidden = NOT_IN_THE_ENGINE.contains(&name)
            || name.starts_with("aws-")
            || name.starts_with("lambda_");
        assert!(!forbidden, "the engine is linked with `{name}`");
    }
}

/// Returns the files of the workspace, without build output, fetched packages and state
/// directories.
fn tree() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !matches!(name.as_str(), "target" | ".git" | ".oms" | "node_modules") {
                    folders.push(path);
                }
            } else if name != ".git" {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()
}

#[test]
fn no_source_file_is_too_long() {
    let code = ["rs", "hbs", "css", "js"];
    let long: Vec<String> = tree()
        .iter()
        .filter(|path| {
            path.extension().is_some_and(|ending| code.iter().any(|code| ending == *code))
        })
        .filter_map(|path| {
            // Read bytes: some fixtures are deliberately not UTF-8.
            let bytes = std::fs::read(path).unwrap();
            let count = bytes.iter().filter(|byte| **byte == b'\n').count();
            (count > LINES_MAX).then(|| format!("{}: {count} lines", shown(path)))
        })
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn no_file_names_a_machine_specific_path() {
    // Split into parts because this file is checked too.
    let places = [["/wor", "k/"], ["/ro", "ot/"], ["/home", "/"], ["/Us", "ers/"]]
        .map(|parts| parts.concat());
    let mut found = Vec::new();
    for path in tree() {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for (at, line) in text.lines().enumerate() {
            let named = places.iter().any(|place| {
                line.match_indices(place.as_str()).any(|(at, _)| {
                    let before = line.get(..at).and_then(|before| before.chars().next_back());
                    // `pipelines/home/x` and `https://x/home/` are not absolute paths.
                    before
                        .is_none_or(|before| !before.is_alphanumeric() && !"/.-_}".contains(before))
                })
            });
            if named {
                found.push(format!("{}:{}: {line}", shown(&path), at + 1));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_module_file_only_lists_and_re_exports() {
    for path in tree().iter().filter(|path| path.ends_with("mod.rs") || path.ends_with("lib.rs")) {
        let shown = shown(path);
        // `cli/lib.rs` holds the entry point; `steps/src/lib.rs` holds the list of kinds.
        if shown == "cli/lib.rs" || shown == "steps/src/lib.rs" {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        let logic: Vec<&str> = text
            .lines()
            .filter(|line| {
                line.starts_with("fn ") || line.starts_with("impl") || line.starts_with("pub fn ")
            })
            .collect();
        assert!(
            logic.is_empty() || MODULES_WITH_LOGIC.contains(&shown.as_str()),
            "{shown}: {logic:?}"
        );
    }
}

/// Module files that contain logic today. Do not add to this list.
const MODULES_WITH_LOGIC: &[&str] = &[
    // The `check` that all cases share.
    "engine/src/expression/tests/mod.rs",
    "cli/graph/mod.rs",
    "cli/render/mod.rs",
    "engine/src/table/mod.rs",
];
