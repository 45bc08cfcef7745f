//! `cargo xtask mails`: checks the example e-mails in every language with other tools: the HTML
//! with npm's `html-validate`, the message with Python's parser. It also compares amounts and
//! plural forms with Node's Intl, and bidirectional text with `python-bidi`.

use crate::npm;
use xtask::python;
use xtask::workspace::{build, has, root, run as execute, run_silently, say, scratch};

/// Render the example e-mails, and check them with html-validate and Python's e-mail parser
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Each pipeline, and its orders if they are not the samples.
const PIPELINES: [(&str, Option<&str>); 3] = [
    ("order-management", None),
    ("storefront", None),
    ("storefront", Some("pipelines/storefront/edge-cases.ndjson")),
];
const LOCALES: [&str; 6] = ["en", "de", "fr", "es", "ja", "ar"];

pub(crate) fn run(_: &Args) -> anyhow::Result<()> {
    check()
}

/// Runs the checks. Without Python or npm, some are skipped with a message; in CI that is an error.
pub(crate) fn check() -> anyhow::Result<()> {
    let oms = build()?;
    let folder = scratch("mails");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    for (position, (pipeline, orders)) in PIPELINES.iter().enumerate() {
        for locale in LOCALES {
            let file = root().join(format!("pipelines/{pipeline}.yaml"));
            let out = folder.join(position.to_string()).join(locale);
            let [file, out] = [file, out].map(|path| path.to_string_lossy().into_owned());
            let mut words = vec!["render-email", "preview", &file, "--locale", locale];
            words.extend(["--out", &out, "--format", "json"]);
            words.extend(orders.iter().flat_map(|orders| ["--order", orders]));
            run_silently(oms, &words)?;
        }
    }
    let all = folder.to_string_lossy();
    if has("python3", &["--version"]) {
        let script = root().join("tests/mails/read.py");
        execute("python3", &[&script.to_string_lossy(), &all])?;
    } else {
        say("skipped: parsing e-mails with Python, because python3 is not installed");
    }
    if let Some(environment) = python::environment(python::BIDI)? {
        let python = environment.join("bin/python3");
        let script = root().join("tests/mails/directions.py");
        let out = scratch("mails-bidi");
        let words = [&script, &out].map(|path| path.to_string_lossy().into_owned());
        execute(&python.to_string_lossy(), &[&words[0], oms, &words[1]])?;
    }
    if has("node", &["--version"]) {
        let script = root().join("tests/mails/locales.mjs");
        let out = scratch("mails-locales");
        let words = [&script, &out].map(|path| path.to_string_lossy().into_owned());
        execute("node", &[&words[0], oms, &words[1]])?;
    } else {
        say("skipped: comparing locales with Node's Intl, because node is not installed");
    }
    let validator = npm::program("the HTML test of e-mails", "html-validate", "10.17.0")?;
    let Some(validator) = validator else { return Ok(()) };
    let rules = root().join("tests/mails/html-validate.json");
    let rules = rules.to_string_lossy();
    execute(&validator.to_string_lossy(), &["--config", &rules, "--ext", "html", &all])
}
