//! The files, from the templates in `templates/lambda/` and the plan's own.

use std::collections::BTreeMap;

use handlebars::{Handlebars, no_escape};
use oms_engine::plan::Plan;
use serde::Serialize;

use crate::GenerateError;
use crate::resources::{BranchView, View};

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../templates/lambda/", $name, ".hbs")))),*]
    };
}

/// The templates, by the file that they make.
const TEMPLATES: &[(&str, &str)] = templates![
    "Cargo.toml",
    "README.md",
    "branch_main.rs",
    "handler.Cargo.toml",
    "iam.md",
    "intake_main.rs",
    "pipeline.Cargo.toml",
    "pipeline.rs",
    "samconfig.toml",
    "template/alarms.yaml",
    "template/branches.yaml",
    "template/database.yaml",
    "template/intake.yaml",
    "template/parameters.yaml",
];

/// What a template of one handler reads.
#[derive(Serialize)]
struct Handler<'a> {
    all: &'a View,
    name: &'a str,
    branch: Option<&'a BranchView>,
}

/// A file that is embedded in the handlers.
#[derive(Serialize)]
struct Embedded<'a> {
    /// Its path relative to the pipeline.
    path: &'a str,
    /// Where it lies below `pipeline/files`.
    place: String,
}

/// What the template of the embedded pipeline reads.
#[derive(Serialize)]
struct Pipeline<'a> {
    all: &'a View,
    files: &'a [Embedded<'a>],
}

pub(crate) fn write(plan: &Plan, view: &View) -> Result<BTreeMap<String, Vec<u8>>, GenerateError> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(no_escape);
    for (name, text) in TEMPLATES {
        registry.register_template_string(name, text).map_err(Box::new)?;
    }
    let mut files = BTreeMap::new();
    let mut add = |path: &str, text: String| files.insert(path.to_owned(), text.into_bytes());
    for name in ["Cargo.toml", "README.md", "iam.md", "samconfig.toml"] {
        add(name, registry.render(name, view)?);
    }
    let mut template = String::new();
    for part in ["parameters", "intake", "branches", "database", "alarms"] {
        template.push_str(&registry.render(&format!("template/{part}.yaml"), view)?);
    }
    add("template.yaml", template);
    let intake = Handler { all: view, name: "intake", branch: None };
    let branches = view.branches.iter();
    let branches =
        branches.map(|branch| Handler { all: view, name: &branch.name, branch: Some(branch) });
    for handler in std::iter::once(intake).chain(branches) {
        let folder = format!("handlers/{}", handler.name);
        let main = if handler.branch.is_some() { "branch_main.rs" } else { "intake_main.rs" };
        add(&format!("{folder}/Cargo.toml"), registry.render("handler.Cargo.toml", &handler)?);
        add(&format!("{folder}/src/main.rs"), registry.render(main, &handler)?);
    }
    let embedded: Vec<Embedded<'_>> = plan
        .files()
        .keys()
        .map(|path| Embedded { path, place: path.replace("../", "parent/") })
        .collect();
    add("pipeline/Cargo.toml", registry.render("pipeline.Cargo.toml", view)?);
    let pipeline = Pipeline { all: view, files: &embedded };
    add("pipeline/src/lib.rs", registry.render("pipeline.rs", &pipeline)?);
    for Embedded { path, place } in &embedded {
        if let Some(bytes) = plan.files().get(*path) {
            files.insert(format!("pipeline/files/{place}"), bytes.to_vec());
        }
    }
    Ok(files)
}
