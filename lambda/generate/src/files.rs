//! Renders the generated files from the templates in `templates/lambda/`, and adds the embedded
//! files.

use std::collections::{BTreeMap, BTreeSet};

use handlebars::{Handlebars, no_escape};
use oms_engine::value::Digest;
use serde::Serialize;

use crate::GenerateError;
use crate::cost::{self, Cost};
use crate::embed::Bundles;
use crate::limits;
use crate::prices::Prices;
use crate::rendered::Rendered;
use crate::resources::{BranchView, View};
use crate::schema::Schema;
use crate::usage::Usage;
use crate::vendored::{self, Package};

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../templates/lambda/", $name, ".hbs")))),*]
    };
}

/// The templates, by the name of the file that they generate.
const TEMPLATES: &[(&str, &str)] = templates![
    "Cargo.toml",
    "README.md",
    "branch_main.rs",
    "bundle.rs",
    "handler.Cargo.toml",
    "iam.md",
    "intake_main.rs",
    "mail_events_main.rs",
    "policy.md",
    "reconcile_main.rs",
    "refresh_main.rs",
    "samconfig.toml",
    "schema.sql",
    "template/alarms.yaml",
    "template/branches.yaml",
    "template/bucket.yaml",
    "template/database.yaml",
    "template/direct.yaml",
    "template/handler.yaml",
    "template/intake.yaml",
    "template/mail.yaml",
    "template/parameters.yaml",
    "template/policy.yaml",
    "template/rates.yaml",
    "template/reconcile.yaml",
    "template/role.yaml",
    "template/statements.yaml",
];

/// The crates that handlers link, and their folders in the project.
const CRATES: [(&str, &str); 4] = [
    ("oms-aws", "adapters/aws"),
    ("oms-lambda", "lambda/runtime"),
    ("oms-sql", "adapters/sql"),
    ("oms-steps", "steps"),
];

/// The parts of the stack's template.
const PARTS: [&str; 9] = [
    "parameters",
    "intake",
    "bucket",
    "branches",
    "reconcile",
    "rates",
    "database",
    "mail",
    "alarms",
];

/// Files that no handler is built from.
const NOT_SOURCES: [&str; 4] = ["README.md", "iam.md", "samconfig.toml", "schema.sql"];

/// Data for the template of the stack.
#[derive(Serialize)]
struct Stack<'a> {
    #[serde(flatten)]
    all: &'a View,
    /// A digest of the sources. A new digest publishes new versions of the handlers.
    build: String,
}

/// Data for the template of the README.
#[derive(Serialize)]
struct Readme<'a> {
    #[serde(flatten)]
    all: &'a View,
    cost: Cost<'a>,
}

/// Data for the template of the workspace.
#[derive(Serialize)]
struct Workspace<'a> {
    all: &'a View,
    /// The names of the handlers.
    handlers: Vec<&'a str>,
    /// The folders of the vendored crates.
    crates: Vec<String>,
    /// The sections with the dependencies.
    workspace: String,
}

/// Data for the template of one handler.
#[derive(Serialize)]
struct Handler<'a> {
    all: &'a View,
    name: &'a str,
    branch: Option<&'a BranchView>,
    /// The features of `oms-aws` that the handler needs.
    features: Vec<&'static str>,
    database: bool,
    /// Whether the handler updates exchange rates.
    refresh: bool,
    /// Whether the handler embeds the pipeline.
    bundle: bool,
}

impl<'a> Handler<'a> {
    fn of_branch(all: &'a View, branch: &'a BranchView) -> Self {
        let mut features = vec!["s3", "sqs"];
        features.extend(branch.database.then_some("rdsdata"));
        features.extend(branch.mail.then_some("sesv2"));
        Self {
            all,
            name: &branch.name,
            branch: Some(branch),
            features,
            database: branch.database,
            refresh: false,
            bundle: true,
        }
    }

    /// Returns the handler's package with the dependencies of `handler.Cargo.toml`.
    fn package(&self) -> Package<'a> {
        let mut dependencies = vec!["oms-aws", "oms-lambda"];
        dependencies.extend(self.database.then_some("oms-sql"));
        dependencies.extend(self.bundle.then_some("oms-steps"));
        dependencies.push("tokio");
        Package { name: self.name, dependencies }
    }
}

/// A file that is embedded in a handler.
#[derive(Serialize)]
struct Embedded<'a> {
    /// Its path relative to the pipeline.
    path: &'a str,
    /// Its path below the handler's `bundle` folder.
    place: String,
}

/// Data for the template of an embedded pipeline.
#[derive(Serialize)]
struct Bundle<'a> {
    all: &'a View,
    files: Vec<Embedded<'a>>,
    /// The embedded files with exchange rates that are updated.
    rates: &'a [String],
    /// The Rust types of the step kinds.
    kinds: &'a BTreeSet<String>,
}

pub(crate) fn write(
    view: &View,
    schema: &Schema<'_>,
    bundles: &Bundles,
    prices: &Prices,
) -> Result<BTreeMap<String, Vec<u8>>, GenerateError> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(no_escape);
    for (name, text) in TEMPLATES {
        registry.register_template_string(name, text).map_err(Box::new)?;
    }
    let mut files = BTreeMap::new();
    for name in ["iam.md", "samconfig.toml"] {
        insert(&mut files, name, registry.render(name, view)?);
    }
    insert(&mut files, "schema.sql", registry.render("schema.sql", schema)?);
    let own = |name, features, database| Handler {
        all: view,
        name,
        branch: None,
        features,
        database,
        refresh: name == "refresh",
        bundle: !["mail-events", "refresh"].contains(&name),
    };
    let intake = ("intake_main.rs", own("intake", vec!["s3"], false));
    let intake = view.intake.direct.is_none().then_some(intake);
    let reconcile = ("reconcile_main.rs", own("reconcile", vec!["rdsdata", "s3", "sqs"], true));
    let refresh = ("refresh_main.rs", own("refresh", vec!["s3"], false));
    let refresh = view.rates.is_some().then_some(refresh);
    let mail_events = ("mail_events_main.rs", own("mail-events", vec!["rdsdata"], true));
    let mail_events = view.mail.is_some().then_some(mail_events);
    let branches = view.branches.iter();
    let branches = branches.map(|branch| ("branch_main.rs", Handler::of_branch(view, branch)));
    let reconcile = view.reconcile.is_some().then_some(reconcile);
    let handlers: Vec<(&str, Handler<'_>)> = {
        let others = reconcile.into_iter().chain(mail_events).chain(refresh);
        intake.into_iter().chain(branches).chain(others).collect()
    };
    let names: Vec<&str> = handlers.iter().map(|(_, handler)| handler.name).collect();
    let vendors = view.checkout.is_none();
    let workspace = Workspace {
        all: view,
        handlers: names,
        crates: if vendors { vendored::members().collect() } else { Vec::new() },
        workspace: match &view.checkout {
            Some(path) => dependencies(path),
            None => vendored::workspace().to_owned(),
        },
    };
    insert(&mut files, "Cargo.toml", registry.render("Cargo.toml", &workspace)?);
    if vendors {
        let packages: Vec<Package<'_>> = handlers.iter().map(|(_, one)| one.package()).collect();
        insert(&mut files, "Cargo.lock", vendored::lock(&packages));
        for (path, text) in vendored::files() {
            insert(&mut files, &path, text.to_owned());
        }
    }
    for (main, handler) in handlers {
        let folder = format!("handlers/{}", handler.name);
        insert(
            &mut files,
            &format!("{folder}/Cargo.toml"),
            registry.render("handler.Cargo.toml", &handler)?,
        );
        insert(&mut files, &format!("{folder}/src/main.rs"), registry.render(main, &handler)?);
        if !handler.bundle {
            continue;
        }
        let rates = handler.branch.map_or(&[][..], |branch| &branch.rates);
        let kinds = handler.branch.map_or(&view.kinds, |branch| &branch.kinds);
        let bundle = bundles.get(handler.branch.map(|branch| branch.name.as_str()));
        let place = embedded_path;
        let embedded = bundle.keys().map(|path| Embedded { path, place: place(path) }).collect();
        let source =
            registry.render("bundle.rs", &Bundle { all: view, files: embedded, kinds, rates })?;
        insert(&mut files, &format!("{folder}/src/bundle.rs"), source);
        for (path, bytes) in bundle {
            files.insert(format!("{folder}/bundle/{}", place(path)), bytes.to_vec());
        }
    }
    let template = template(&registry, view, &files)?;
    let rendered = Rendered::of(&template);
    let usage = Usage::of(view, &rendered, &prices.assumptions)?;
    let cost = cost::cost(&usage, &rendered, prices)?;
    insert(&mut files, "README.md", registry.render("README.md", &Readme { all: view, cost })?);
    insert(&mut files, "template.yaml", template);
    Ok(files)
}

/// Renders the template of the stack. `files` are the sources of the handlers.
fn template(
    registry: &Handlebars<'_>,
    view: &View,
    files: &BTreeMap<String, Vec<u8>>,
) -> Result<String, GenerateError> {
    let sources = files.iter().filter(|(path, _)| !NOT_SOURCES.contains(&path.as_str()));
    let parts = sources.flat_map(|(path, bytes)| [path.as_bytes(), bytes.as_slice()]);
    let stack = Stack { all: view, build: Digest::of_parts(parts).short() };
    let mut template = String::new();
    for part in PARTS {
        template.push_str(&registry.render(&format!("template/{part}.yaml"), &stack)?);
    }
    match duplicate_id(&template) {
        Some(id) => Err(GenerateError::Clash(id)),
        None => limits::check(&template, view.bucket()).map(|()| template),
    }
}

/// Returns the dependencies of handlers on the crates of a checkout.
fn dependencies(checkout: &str) -> String {
    let crates = CRATES
        .iter()
        .map(|(name, folder)| format!("{name} = {{ path = \"{checkout}/{folder}\" }}\n"));
    let tokio = "tokio = { version = \"1\", default-features = false }\n".to_owned();
    ["[workspace.dependencies]\n".to_owned()].into_iter().chain(crates).chain([tokio]).collect()
}

/// Returns a logical id that two resources of the template share.
fn duplicate_id(template: &str) -> Option<String> {
    let lines = template.lines().skip_while(|line| *line != "Resources:");
    let lines = lines.take_while(|line| *line != "Outputs:");
    let ids = lines.filter_map(|line| {
        let line = line.split(" #").next().unwrap_or_default();
        line.strip_prefix("  ")?.strip_suffix(':')
    });
    let mut seen = BTreeSet::new();
    ids.filter(|id| id.chars().all(char::is_alphanumeric))
        .find(|id| !seen.insert(*id))
        .map(str::to_owned)
}

/// Returns the path of an embedded file below the `bundle` folder of a handler. Version control
/// commonly ignores folders with the name `.oms`.
pub(crate) fn embedded_path(path: &str) -> String {
    let path = path.replace("../", "parent/");
    path.strip_prefix(".oms/").map_or(path.clone(), |path| format!("oms/{path}"))
}

fn insert(files: &mut BTreeMap<String, Vec<u8>>, path: &str, text: String) {
    files.insert(path.to_owned(), text.into_bytes());
}
