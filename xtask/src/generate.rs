//! `cargo xtask generate`: writes the committed files that are generated from the code. The output
//! is deterministic.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context as _;
use oms_cli::render::ReportOutput;
use oms_engine::plan::Checker;
use oms_engine::step::Registry;
use serde_json::Value as Json;

use crate::workspace::{root, say};

/// Write the generated files: `schema/` and `docs/steps/`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail if a file is not up to date
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if args.check { check() } else { write() }
}

/// Folders in which every file is generated. A file without a source is left over.
const FOLDERS: [&str; 2] = ["docs/steps", "schema"];
/// Maximum number of lines that are shown of a difference.
const DIFFERENCE_LINES: usize = 12;

/// Fails if a committed file is not up to date.
pub(crate) fn check() -> anyhow::Result<()> {
    let files = files()?;
    let mut stale = 0_usize;
    for (path, wanted) in &files {
        let present = std::fs::read_to_string(root().join(path)).unwrap_or_default();
        if present != *wanted {
            say(&difference(path, &present, wanted));
            stale += 1;
        }
    }
    for path in left_over(&files)? {
        say(&format!("{path}: this file is not generated any more"));
        stale += 1;
    }
    anyhow::ensure!(stale == 0, "{stale} generated files are stale; run `cargo xtask generate`");
    Ok(())
}

fn write() -> anyhow::Result<()> {
    let files = files()?;
    for (path, content) in &files {
        let target = root().join(path);
        if std::fs::read_to_string(&target).is_ok_and(|present| present == *content) {
            continue;
        }
        std::fs::create_dir_all(target.parent().unwrap_or(root()))?;
        std::fs::write(&target, content).with_context(|| format!("`{path}` cannot be written"))?;
        say(&format!("wrote {path}"));
    }
    for path in left_over(&files)? {
        std::fs::remove_file(root().join(&path))?;
        say(&format!("removed {path}"));
    }
    Ok(())
}

/// Returns the generated files by their paths in the project.
fn files() -> anyhow::Result<BTreeMap<String, String>> {
    let registry = Registry::new(oms_steps::ALL.iter().copied())?;
    let checker = Checker::new(registry).map_err(anyhow::Error::msg)?;
    let report = schemars::schema_for!(ReportOutput).to_value();
    let mut files = BTreeMap::from([
        ("schema/pipeline.schema.json".to_owned(), pretty(checker.schema())?),
        ("schema/validate.schema.json".to_owned(), pretty(&report)?),
    ]);
    for kind in oms_steps::ALL {
        let page = oms_cli::kind_page(kind);
        let page = page.trim_end();
        let note = "<!-- Made by `cargo xtask generate` from the kind's types. -->";
        files.insert(format!("docs/steps/{}.md", kind.name()), format!("{note}\n{page}\n"));
    }
    Ok(files)
}

fn pretty(schema: &Json) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(schema)? + "\n")
}

/// Returns files in the generated folders that are not generated any more.
fn left_over(files: &BTreeMap<String, String>) -> anyhow::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for folder in FOLDERS {
        let Ok(entries) = std::fs::read_dir(root().join(folder)) else { continue };
        for entry in entries {
            let name = entry?.file_name();
            let path = Path::new(folder).join(name).to_string_lossy().into_owned();
            if !files.contains_key(&path) {
                found.insert(path);
            }
        }
    }
    Ok(found)
}

/// Returns the lines between the common beginning and the common end of two texts.
fn difference(path: &str, present: &str, wanted: &str) -> String {
    let old: Vec<&str> = present.lines().collect();
    let new: Vec<&str> = wanted.lines().collect();
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b);
    let tail = tail.count();
    let mut shown =
        format!("--- {path} (current)\n+++ {path} (generated)\n@@ line {} @@", head + 1);
    for (sign, lines) in [('-', &old), ('+', &new)] {
        let between = lines.len() - tail - head;
        for line in lines.iter().skip(head).take(between.min(DIFFERENCE_LINES)) {
            shown.push_str(&format!("\n{sign}{line}"));
        }
        if between > DIFFERENCE_LINES {
            shown.push_str(&format!("\n{sign}... {} more lines", between - DIFFERENCE_LINES));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_leaves_out_the_common_beginning_and_end() {
        let shown = difference("a.md", "one\ntwo\nfour\n", "one\nthree\nfour\n");
        assert!(shown.ends_with("@@ line 2 @@\n-two\n+three"), "{shown}");
    }

    #[test]
    fn an_added_repetition_of_a_line_is_shown_once() {
        let shown = difference("a.md", "one\none\n", "one\none\none\n");
        assert!(shown.ends_with("@@ line 3 @@\n+one"), "{shown}");
    }

    #[test]
    fn generation_is_deterministic() {
        assert_eq!(files().unwrap(), files().unwrap());
    }
}
