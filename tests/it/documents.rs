//! Statements in the documents that must agree with the code: paths and the list of kinds.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::harness::root;

/// Placeholders in the paths of `docs/ARCHITECTURE.md`, each with an example.
const PLACEHOLDERS: &[(&str, &str)] = &[
    ("noun_verb", "object_put"),
    ("noun.verb", "object.put"),
    ("OMSnnnn", "OMS0706"),
    ("OMS07nn", "OMS0706"),
    ("<mail>", "order-confirmation"),
    ("<locale>", "de"),
    ("cli/commands/x", "cli/commands/runs"),
];

fn document(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// Returns the texts between backticks.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

#[test]
fn paths_in_the_architecture_document_exist() {
    let (mut count, mut missing) = (0, Vec::new());
    let mut unused: BTreeSet<&str> =
        PLACEHOLDERS.iter().map(|(placeholder, _)| *placeholder).collect();
    for line in document("docs/ARCHITECTURE.md").lines() {
        // Further paths of a line may be relative to the folder of its first path.
        let mut base: Option<PathBuf> = None;
        for text in quoted(line) {
            let is_path = text.contains('/') && !text.starts_with(['/', '.']);
            let is_path = is_path && !text.contains([' ', ':', '(']);
            if !(is_path || text.ends_with(".rs") && base.is_some()) {
                continue;
            }
            let mut path = text.to_owned();
            for (placeholder, example) in PLACEHOLDERS {
                if path.contains(placeholder) {
                    unused.remove(placeholder);
                    path = path.replace(placeholder, example);
                }
            }
            let whole = root().join(&path);
            let relative = base.as_ref().map(|base| base.join(&path));
            if !whole.exists() && !relative.is_some_and(|relative| relative.exists()) {
                missing.push(text.to_owned());
            }
            base.get_or_insert_with(|| match whole.extension() {
                Some(_) => whole.parent().unwrap_or(&whole).to_owned(),
                None => whole,
            });
            count += 1;
        }
    }
    assert!(missing.is_empty(), "docs/ARCHITECTURE.md names missing files: {missing:?}");
    assert!(count > 100, "only {count} paths were found");
    assert!(unused.is_empty(), "docs/ARCHITECTURE.md does not use the placeholders {unused:?}");
}

#[test]
fn lists_of_step_kinds_are_complete() {
    let kinds: BTreeSet<&str> = oms_steps::ALL.iter().map(|kind| kind.name()).collect();
    // Generated handlers name the type of a kind: `TextUpper` for `text.upper`.
    let source = document("steps/src/lib.rs");
    for kind in &kinds {
        let words = kind.split('.').flat_map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(letters)
        });
        let name: String = words.collect();
        assert!(source.contains(&format!("::{name};")), "the type of `{kind}` must be `{name}`");
    }
    let readme = document("README.md");
    let list = readme.split_once("The step kinds are ").unwrap().1;
    let listed: BTreeSet<&str> = quoted(list.split_once(". `oms steps`").unwrap().0).collect();
    assert_eq!(listed, kinds, "README.md");
    let folder = std::fs::read_dir(root().join("docs/steps")).unwrap();
    let pages = folder.map(|page| page.unwrap().file_name().into_string().unwrap());
    let pages: BTreeSet<String> = pages.collect();
    let expected = kinds.iter().map(|kind| format!("{kind}.md")).collect();
    assert_eq!(pages, expected, "docs/steps");
}
