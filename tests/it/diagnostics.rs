//! The findings on invalid pipelines. Each file in `tests/diagnostics/` results in exactly the
//! report in the `.out` file next to it. Each example in the documentation results in the finding
//! that it documents. `OMS_UPDATE=1` rewrites the reports.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use oms_cli::DirectoryFiles;
use oms_engine::diagnostic::codes;
use oms_engine::document::{FileError, Files};
use oms_engine::plan::{Checker, Target};
use oms_engine::step::Registry;

use crate::harness::{files, oms, root, setting, with_stack};

/// Codes whose pages have no example that gives the code: the file would not be text, or the finding
/// needs a custom kind.
const WITHOUT_EXAMPLE: &[&str] = &["OMS0104", "OMS0414"];

fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

fn checker(target: Target) -> Checker {
    let registry = Registry::new(oms_steps::ALL.iter().copied()).unwrap();
    Checker::new(registry).unwrap().for_target(target)
}

/// Returns a target that a code applies to: `OMS07` codes do not apply to `local`.
fn target(code: &str) -> (&'static str, Target) {
    match code.starts_with("OMS07") {
        true => ("lambda", Target::Lambda),
        false => ("local", Target::Local),
    }
}

/// A folder with one additional file that exists only in memory.
struct FilesWithExample<'a> {
    text: &'a str,
    folder: DirectoryFiles,
}

const EXAMPLE_PATH: &str = "example.yaml";

impl Files for FilesWithExample<'_> {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, FileError> {
        if path == EXAMPLE_PATH { Ok(self.text.as_bytes().into()) } else { self.folder.read(path) }
    }

    fn list(&self, folder: &str) -> Vec<String> {
        self.folder.list(folder)
    }

    fn shown(&self, path: &str) -> Arc<str> {
        self.folder.shown(path)
    }
}

/// Checks a text as if it were a file in a folder of the workspace, and returns the reported codes.
fn codes_of(checker: &Checker, folder: &str, text: &str) -> BTreeSet<String> {
    let files = FilesWithExample { text, folder: DirectoryFiles::new(&root().join(folder)) };
    let report = checker.check(EXAMPLE_PATH, &files).report;
    report.diagnostics().iter().map(|diagnostic| diagnostic.code.to_string()).collect()
}

/// Returns the YAML code blocks of a page.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<String> = None;
    for line in page.lines() {
        match &mut block {
            None if line == "```yaml" => block = Some(String::new()),
            None => {}
            Some(_) if line == "```" => blocks.extend(block.take()),
            Some(text) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    blocks
}

#[test]
fn every_invalid_file_gives_exactly_its_report() {
    let mut wrong = Vec::new();
    for path in files(&root().join("tests/diagnostics"), ".out") {
        if !path.with_extension("yaml").exists() {
            wrong.push(format!("{}: the `.yaml` file is missing", name(&path)));
        }
    }
    for path in files(&root().join("tests/diagnostics"), ".yaml") {
        let name = name(&path);
        let code = name.split_once('-').unwrap().0;
        let file = format!("tests/diagnostics/{name}.yaml");
        let output = oms(["validate", "--target", target(code).0, &file]);
        let reported = path.with_extension("out");
        if setting("OMS_UPDATE").is_some() {
            std::fs::write(&reported, &output.stdout).unwrap();
        }
        if !output.stdout.contains(&format!("[{code}]")) {
            wrong.push(format!(
                "{name}: {code} is not reported\n{}{}",
                output.stdout, output.stderr
            ));
        }
        if !output.stderr.is_empty() || !matches!(output.code, 0 | 1) {
            wrong.push(format!("{name}: exit {} with\n{}", output.code, output.stderr));
        }
        match std::fs::read_to_string(&reported) {
            Ok(expected) if expected == output.stdout => {}
            Ok(expected) => {
                wrong.push(format!("{name}: expected\n{expected}\nbut got\n{}", output.stdout));
            }
            Err(_) => wrong.push(format!("{name}: the `.out` file is missing")),
        }
    }
    assert!(wrong.is_empty(), "{} files failed:\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn every_code_has_an_invalid_file() {
    let names: Vec<String> =
        files(&root().join("tests/diagnostics"), ".yaml").iter().map(|path| name(path)).collect();
    assert!(names.len() >= 80, "found only {} files", names.len());
    let shown: BTreeSet<&str> = names.iter().filter_map(|name| name.get(..7)).collect();
    for code in codes::ALL {
        let code = code.to_string();
        // `OMS06` codes are for orders and runs, not for files.
        let of_a_file = !code.starts_with("OMS06");
        if of_a_file {
            assert!(shown.contains(code.as_str()), "{code}");
        }
    }
}

#[test]
fn the_example_on_every_page_gives_only_its_code() {
    with_stack(check_the_examples);
}

fn check_the_examples() {
    let mut wrong = Vec::new();
    for path in files(&root().join("docs/errors"), ".md") {
        let code = name(&path);
        if code.starts_with("OMS06") {
            continue;
        }
        let page = std::fs::read_to_string(&path).unwrap();
        let found = blocks(&page)
            .first()
            .map(|block| codes_of(&checker(target(&code).1), "tests/diagnostics", block));
        let gives_its_code = found == Some(BTreeSet::from([code.clone()]));
        if gives_its_code == WITHOUT_EXAMPLE.contains(&code.as_str()) {
            wrong.push(format!("{code}: the first example gives {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_has_a_page() {
    for code in codes::ALL {
        assert!(root().join(format!("docs/errors/{code}.md")).exists(), "{code} has no page");
    }
}

#[test]
fn every_pipeline_in_the_documentation_is_valid() {
    let checker = checker(Target::Local);
    let mut pages = files(root(), ".md");
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_none_or(|name| name != "errors") {
                folders.push(path);
            }
        }
        pages.extend(files(&folder, ".md"));
    }
    let mut checked = 0;
    for page in pages {
        for block in blocks(&std::fs::read_to_string(&page).unwrap()) {
            if block.starts_with("oms: 1") {
                let found = codes_of(&checker, "pipelines", &block);
                assert!(found.is_empty(), "{}: {found:?} in\n{block}", page.display());
                checked += 1;
            }
        }
    }
    assert!(checked > 0, "the documentation contains no pipeline");
}

#[test]
fn the_shipped_pipelines_are_valid_without_warnings() {
    let mut checked = 0;
    for path in files(&root().join("pipelines"), ".yaml") {
        if path.to_string_lossy().ends_with(".test.yaml") {
            continue;
        }
        let path = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        let output = oms(["validate", "--deny", "warnings", &path]).exits(0);
        assert!(!output.stdout.contains("warning"), "{}", output.stdout);
        checked += 1;
    }
    assert!(checked >= 2, "found only {checked} pipelines");
}
