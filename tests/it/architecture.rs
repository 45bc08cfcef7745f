//! Architecture rules: which packages and modules may use which, with which packages a package must
//! not be linked, and the maximum length of a file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

use crate::harness::root;

/// The workspace packages that each workspace package may use.
const IMPORTS: &[(&str, &[&str])] = &[
    ("oms-core", &[]),
    ("oms-expression", &["oms-core"]),
    ("oms-template", &["oms-core"]),
    ("oms-engine", &["oms-core", "oms-expression", "oms-template"]),
    ("oms-steps", &["oms-engine"]),
    ("oms-clock", &["oms-core"]),
    ("oms-http", &["oms-core"]),
    ("oms-smtp", &["oms-core"]),
    ("oms-sql", &["oms-core"]),
    ("oms-postgres", &["oms-core", "oms-sql"]),
    ("oms-aws", &["oms-core", "oms-sql"]),
    ("oms-sqlite", &["oms-core"]),
    ("oms-runtime", &["oms-engine", "oms-clock", "oms-sqlite"]),
    ("oms-serve", &["oms-engine", "oms-clock", "oms-runtime", "oms-sqlite"]),
    ("oms-lambda", &["oms-engine", "oms-clock"]),
    ("oms-lambda-generate", &["oms-engine", "oms-sql", "oms-steps"]),
    (
        "oms",
        &[
            "oms-engine",
            "oms-steps",
            "oms-clock",
            "oms-http",
            "oms-smtp",
            "oms-sql",
            "oms-postgres",
            "oms-aws",
            "oms-sqlite",
            "oms-runtime",
            "oms-serve",
            "oms-lambda-generate",
        ],
    ),
];

/// The modules of a crate in the order of their dependencies. A module may only use the modules
/// before it.
const MODULES: &[(&str, &[&str])] = &[
    (
        "engine/core/src",
        &["diagnostic", "document", "money", "value", "time_zone", "table", "mail", "effects"],
    ),
    ("engine/src", &["schema", "pipeline", "step", "plan", "run", "intake"]),
    (
        "stores/sqlite/src",
        &[
            "error",
            "failpoint",
            "state",
            "tables",
            "runs",
            "access",
            "customers",
            "setup",
            "writer",
            "store",
        ],
    ),
    (
        "runtime/src",
        &[
            "targets",
            "bundles",
            "export",
            "admission",
            "run",
            "runner",
            "scheduling",
            "operations",
            "control",
        ],
    ),
    (
        "serve/src",
        &["format", "telemetry", "http", "state", "intake", "admin", "console", "server"],
    ),
    (
        "cli",
        &[
            "exit",
            "runtime",
            "signals",
            "directory",
            "graph",
            "render",
            "output",
            "check",
            "targets",
            "orders",
            "emails",
            "live",
            "commands",
            "args",
        ],
    ),
];

/// Packages that may use every other package.
const FREE: &[&str] =
    &["xtask", "xtask-engine", "custom-kind", "oms-test-servers", "oms-fuzz-targets"];

/// Packages with which a package must not be linked, directly or indirectly.
const NOT_LINKED: &[(&str, &[&str])] = &[
    ("oms-engine", &["rusqlite", "libsqlite3-sys", "clap", "tokio", "hyper", "reqwest", "chrono"]),
    ("oms-core", HEAVY),
    ("oms-smtp", HEAVY),
    ("oms-sql", HEAVY),
    ("oms-postgres", HEAVY),
    ("oms-aws", HEAVY),
    ("oms-sqlite", HEAVY),
];

/// Packages for expressions, templates and locale data, which only the engine needs.
const HEAVY: &[&str] =
    &["cel", "handlebars", "mrml", "html5ever", "icu_experimental", "icu_datetime"];

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
fn packages_use_only_allowed_packages() {
    let metadata = metadata();
    let members: BTreeSet<&str> = texts(&metadata["workspace_members"]).collect();
    let packages = metadata["packages"].as_array().unwrap();
    let ours: Vec<&Json> = packages
        .iter()
        .filter(|package| members.contains(package["id"].as_str().unwrap()))
        .collect();
    let names: BTreeSet<&str> =
        ours.iter().filter_map(|package| package["name"].as_str()).collect();
    for known in IMPORTS.iter().map(|(name, _)| name).chain(FREE) {
        assert!(names.contains(known), "the package `{known}` has a rule and does not exist");
    }
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
fn no_package_is_linked_with_a_forbidden_package() {
    for (package, forbidden) in NOT_LINKED {
        // Examines the package alone, so that features that other packages enable do not count.
        let mut command = Command::new(env!("CARGO"));
        command
            .args(["tree", "--package", package, "--edges", "normal", "--prefix", "none"])
            .args(["--format", "{p}", "--offline"])
            .current_dir(root());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let tree = String::from_utf8(output.stdout).unwrap();
        let linked: BTreeSet<&str> =
            tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert!(linked.contains("jiff"), "`cargo tree` lists no dependencies: {linked:?}");
        for name in linked {
            let is_cloud = name.starts_with("aws-") || name.starts_with("lambda_");
            let is_forbidden = forbidden.contains(&name) || *package == "oms-engine" && is_cloud;
            assert!(!is_forbidden, "`{package}` is linked with `{name}`");
        }
    }
}

#[test]
fn modules_import_only_modules_before_them() {
    let mut upward = Vec::new();
    for (source, order) in MODULES {
        let source_folder = root().join(source);
        let place = |module: &str| order.iter().position(|known| *known == module);
        let mut unseen: BTreeSet<&str> = order.iter().copied().collect();
        for path in tree().iter().filter(|path| path.starts_with(&source_folder)) {
            let relative = path.strip_prefix(&source_folder).unwrap();
            let module = relative.iter().next().unwrap().to_string_lossy();
            let module = module.trim_end_matches(".rs");
            if matches!(module, "lib" | "main")
                || path.extension().is_none_or(|ending| ending != "rs")
            {
                continue;
            }
            let Some(own) = place(module) else {
                panic!(
                    "`{source}/{module}` is missing from the order of modules; add it to `MODULES`"
                );
            };
            unseen.remove(module);
            for imported in imports(&std::fs::read_to_string(path).unwrap()) {
                // An unknown name is an item of the crate's root, such as a macro.
                let Some(other) = place(&imported) else { continue };
                if other > own {
                    upward.push(format!("{}: `{module}` must not use `{imported}`", shown(path)));
                }
            }
        }
        assert!(unseen.is_empty(), "`{source}` has no files of the modules {unseen:?}");
    }
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

/// Returns the top-level modules that a file imports from its crate, except in its unit tests.
fn imports(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let mut found = BTreeSet::new();
    for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for part in line.split("crate::").skip(1) {
            let names = part.strip_prefix('{').map_or(part, |list| list);
            for name in names.split(',') {
                let is_letter = |letter: char| letter.is_ascii_lowercase() || letter == '_';
                let end = name.trim().find(|letter| !is_letter(letter));
                let name = name.trim();
                found.insert(end.and_then(|end| name.get(..end)).unwrap_or(name).to_owned());
                if !part.starts_with('{') {
                    break;
                }
            }
        }
    }
    found
}

#[test]
fn run_logic_contains_no_sql() {
    let words = ["select ", "insert into ", "update ", "delete from "];
    let folder = root().join("runtime/src");
    let mut literals = 0;
    for path in tree().iter().filter(|path| path.starts_with(&folder)) {
        let text = std::fs::read_to_string(path).unwrap();
        for literal in text.split('"').skip(1).step_by(2) {
            literals += 1;
            assert!(
                !words.iter().any(|word| literal.trim_start().starts_with(word)),
                "{}: {literal}",
                shown(path)
            );
        }
    }
    assert!(literals > 100, "found only {literals} literals");
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
                // Cargo marks its output folders, whatever their name.
                let is_built = path.join("CACHEDIR.TAG").is_file();
                if !is_built && !matches!(name.as_str(), ".git" | ".oms" | "node_modules") {
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
fn module_files_contain_only_declarations_and_re_exports() {
    let mut clean: BTreeSet<&str> = MODULES_WITH_LOGIC.iter().copied().collect();
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
        let is_listed = MODULES_WITH_LOGIC.contains(&shown.as_str());
        assert!(logic.is_empty() || is_listed, "{shown}: {logic:?}");
        if !logic.is_empty() {
            clean.remove(shown.as_str());
        }
    }
    assert!(clean.is_empty(), "remove the files {clean:?} from `MODULES_WITH_LOGIC`");
}

/// Module files that contain logic today. This list may only become shorter.
const MODULES_WITH_LOGIC: &[&str] = &[
    // The `check` that all cases share.
    "engine/expression/src/tests/mod.rs",
];
