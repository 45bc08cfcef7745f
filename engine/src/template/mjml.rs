//! MJML to HTML, once when a template is loaded. The tags of Handlebars pass through it as text.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use mrml::prelude::parser::loader::{IncludeLoader, IncludeLoaderError};
use mrml::prelude::parser::{Error, Origin, ParserOptions, Span};
use mrml::prelude::render::RenderOptions;

use super::problem::{Fault, TemplateProblem};
use crate::diagnostic::{codes, did_you_mean};

/// How many files a mail may include, counting each time.
const INCLUSIONS_MAX: usize = 50;

/// The files that `mj-include` finds, by the names that it uses.
pub(super) type Includes = std::collections::BTreeMap<String, (String, String)>;

/// The elements of MJML 4. The parser takes any other for HTML, which no mail reader would make anything of.
const ELEMENTS: [&str; 37] = [
    "mj-accordion",
    "mj-accordion-element",
    "mj-accordion-text",
    "mj-accordion-title",
    "mj-all",
    "mj-attributes",
    "mj-body",
    "mj-breakpoint",
    "mj-button",
    "mj-carousel",
    "mj-carousel-image",
    "mj-class",
    "mj-column",
    "mj-divider",
    "mj-font",
    "mj-group",
    "mj-head",
    "mj-hero",
    "mj-html-attributes",
    "mj-image",
    "mj-include",
    "mj-navbar",
    "mj-navbar-link",
    "mj-preview",
    "mj-raw",
    "mj-section",
    "mj-selector",
    "mj-social",
    "mj-social-element",
    "mj-spacer",
    "mj-style",
    "mj-table",
    "mj-text",
    "mj-title",
    "mj-wrapper",
    "mjml",
    "mj-html-attribute",
];

/// Finds elements that MJML does not have.
fn unknown_elements(path: &str, text: &str) -> Vec<TemplateProblem> {
    let mut problems = Vec::new();
    for (at, _) in text.match_indices("<mj") {
        let rest = text.get(at + 1..).unwrap_or_default();
        let length = rest.find(|char: char| !(char.is_alphanumeric() || char == '-'));
        let name = rest.get(..length.unwrap_or(rest.len())).unwrap_or_default();
        if !ELEMENTS.contains(&name) {
            let message = format!("MJML has no element `{name}`");
            let fault = Fault::new(codes::TEMPLATE_MJML, at + 1..at + 1 + name.len(), message);
            problems.push(fault.help(did_you_mean(name, ELEMENTS)).within(path));
        }
    }
    problems
}

/// What a mail in MJML became.
pub(super) struct Compiled {
    pub(super) html: String,
    /// The names of the files that it includes, directly or not.
    pub(super) included: BTreeSet<String>,
    /// What is odd about it.
    pub(super) notes: Vec<TemplateProblem>,
}

#[derive(Debug)]
struct Loader {
    files: Arc<Includes>,
    loaded: Arc<Mutex<Vec<String>>>,
}

impl IncludeLoader for Loader {
    fn resolve(&self, path: &str) -> Result<String, IncludeLoaderError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.push(path.to_owned());
        let found = self.files.get(path).filter(|_| loaded.len() <= INCLUSIONS_MAX);
        found.map(|(_, text)| text.clone()).ok_or_else(|| IncludeLoaderError::not_found(path))
    }
}

/// Makes HTML of MJML. `includes` gives path and text of each file that may be included.
///
/// # Errors
/// What is wrong with the MJML, at its place.
pub(super) fn compile(
    path: &str,
    text: &str,
    includes: &Arc<Includes>,
) -> Result<Compiled, Vec<TemplateProblem>> {
    let unknown = unknown_elements(path, text);
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let loaded = Arc::new(Mutex::new(Vec::new()));
    let loader = Loader { files: Arc::clone(includes), loaded: Arc::clone(&loaded) };
    let options = ParserOptions { include_loader: Box::new(loader) };
    let file_of = |origin: &Origin| match origin {
        Origin::Root => path.to_owned(),
        Origin::Include { path } => {
            includes.get(path).map_or_else(|| path.clone(), |(path, _)| path.clone())
        }
    };
    let output = mrml::parse_with_options(text, &options)
        .map_err(|error| vec![refused(&error, path, text, &file_of)])?;
    let notes = output.warnings.iter().map(|warning| {
        let message = format!("MJML does not know this: {}", warning.kind);
        let span = warning.span.start..warning.span.end;
        Fault::new(codes::TEMPLATE_MJML, span, message).warning().within(&file_of(&warning.origin))
    });
    let notes = notes.collect();
    // Without web fonts: a mail that loads them tells its sender when it is opened.
    let options = RenderOptions { fonts: Default::default(), ..RenderOptions::default() };
    let html = output.element.render(&options).map_err(|error| {
        let message = format!("MJML cannot be rendered: {error}");
        vec![Fault::new(codes::TEMPLATE_MJML, 0..0, message).within(path)]
    })?;
    let included: BTreeSet<String> =
        loaded.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
    let files = included.iter().filter_map(|name| includes.get(name));
    let unknown: Vec<_> = files.flat_map(|(path, text)| unknown_elements(path, text)).collect();
    if !unknown.is_empty() {
        return Err(unknown);
    }
    Ok(Compiled { html, included, notes })
}

fn refused(
    error: &Error,
    path: &str,
    text: &str,
    file_of: &dyn Fn(&Origin) -> String,
) -> TemplateProblem {
    let at = |span: &Span| span.start..span.end;
    let (file, span, message) = match error {
        Error::UnexpectedElement { origin, position } => {
            (file_of(origin), at(position), "there is no such element at this place".to_owned())
        }
        Error::UnexpectedToken { origin, position } => {
            (file_of(origin), at(position), "this does not belong here".to_owned())
        }
        Error::MissingAttribute { name, origin, position } => {
            (file_of(origin), at(position), format!("the attribute `{name}` is missing"))
        }
        Error::InvalidAttribute { origin, position } => {
            (file_of(origin), at(position), "the attribute has a wrong value".to_owned())
        }
        Error::InvalidFormat { origin, position } => {
            (file_of(origin), at(position), "this is not MJML".to_owned())
        }
        Error::IncludeLoaderError { origin, position, source } => (
            file_of(origin),
            at(position),
            format!("`{}` is not among the partials, or includes itself", source.path),
        ),
        Error::EndOfStream { origin } => {
            let end = if matches!(origin, Origin::Root) { text.len() } else { 0 };
            (file_of(origin), end..end, "an element is not closed".to_owned())
        }
        Error::ParserError { origin, source } => {
            let place = source.pos();
            let lines: usize =
                text.split_inclusive('\n').take(place.row as usize - 1).map(str::len).sum();
            let byte =
                if matches!(origin, Origin::Root) { lines + place.col as usize - 1 } else { 0 };
            (file_of(origin), byte..byte, "this is not MJML".to_owned())
        }
        Error::SizeLimit { .. } | Error::NoRootNode => {
            (path.to_owned(), 0..0, "a mail in MJML is one element `<mjml>`".to_owned())
        }
    };
    let fault = Fault::new(codes::TEMPLATE_MJML, span, message);
    fault
        .help("the elements of MJML are described at https://documentation.mjml.io".to_owned())
        .within(&file)
}
