//! Conversion from MJML to HTML, once when a template is loaded. Handlebars tags pass through as
//! text.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use mrml::prelude::parser::loader::{IncludeLoader, IncludeLoaderError};
use mrml::prelude::parser::{Error, Origin, ParserOptions, Span};
use mrml::prelude::render::RenderOptions;
use oms_core::diagnostic::{Severity, Source, codes};

use super::markup::{Piece, pieces, slice, too_deep};
use super::mjml_check::unknown_names;
use super::mjml_include::inline_includes;
use super::mjml_source::{prepared, restored};
use super::mjml_tree::fix_elements;
use super::problem::{Fault, TemplateProblem};
use super::scan::scan;

/// Maximum number of files that an e-mail may include. Repeated inclusions count each time.
const INCLUSIONS_MAX: usize = 50;

/// The path and text of each file that `mj-include` can include, by the name that it uses.
pub(super) type Includes = std::collections::BTreeMap<String, (String, String)>;

/// The result of compiling an e-mail in MJML.
pub(super) struct Compiled {
    pub(super) html: String,
    /// The names of the files that it includes, directly or indirectly.
    pub(super) included: BTreeSet<String>,
    /// The warnings.
    pub(super) warnings: Vec<TemplateProblem>,
}

#[derive(Debug)]
struct Loader {
    files: Includes,
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

/// The Handlebars tags of a text, each with the word that replaces it during the conversion. A word
/// is as long as its tag, so that positions stay valid, and consists only of letters and digits, so
/// that it is neither escaped nor split.
#[derive(Default)]
struct Masks(Vec<(String, String)>);

impl Masks {
    /// Replaces the tags of a text with words. Returns the text unchanged if its tags are invalid,
    /// which is reported elsewhere.
    fn mask(&mut self, text: &str) -> String {
        let Ok(tags) = scan(text) else { return text.to_owned() };
        let mut masked = String::with_capacity(text.len());
        let mut from = 0;
        for tag in tags {
            masked.push_str(text.get(from..tag.span.start).unwrap_or_default());
            let number = self.0.len().to_string();
            let zeros = "0".repeat(tag.span.len().saturating_sub(2 + number.len()));
            let word = format!("Z{zeros}{number}Q");
            masked.push_str(&word);
            from = tag.span.end;
            self.0.push((word, text.get(tag.span).unwrap_or_default().to_owned()));
        }
        masked.push_str(text.get(from..).unwrap_or_default());
        masked
    }

    /// Restores the tags. A word starts with `Z`, ends with `Q` and has only digits in between, so
    /// that no word contains another.
    fn unmask(&self, html: &str) -> String {
        let words: HashMap<&str, &str> =
            self.0.iter().map(|(word, tag)| (word.as_str(), tag.as_str())).collect();
        let mut out = String::with_capacity(html.len());
        let mut rest = html;
        while let Some(at) = rest.find('Z') {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            let digits = from.bytes().skip(1).take_while(u8::is_ascii_digit).count();
            let word = from.get(..digits + 2).unwrap_or_default();
            let (put, taken) = words.get(word).map_or(("Z", 1), |tag| (*tag, word.len()));
            out.push_str(put);
            rest = from.get(taken..).unwrap_or_default();
        }
        out.push_str(rest);
        out
    }
}

/// Returns a text in which each Handlebars tag is replaced by a word of the same length.
pub(super) fn masked(text: &str) -> String {
    Masks::default().mask(text)
}

/// Maximum depth of nested elements in one MJML file. A typical e-mail has about fifteen, and each
/// inclusion adds its own.
const DEPTH_MAX: usize = 50;

/// Rejects markup that is nested deeper than the recursive parsers support.
pub(super) fn check_depth(
    path: &str,
    masked: &str,
    depth_max: usize,
) -> Result<(), Vec<TemplateProblem>> {
    let Some(span) = too_deep(masked, depth_max) else { return Ok(()) };
    let message = format!("this element is nested more than {depth_max} levels deep");
    let fault = Fault::new(codes::DOCUMENT_LIMIT, span, message);
    Err(vec![
        fault.help("close the elements around it, or reduce the nesting".to_owned()).in_file(path),
    ])
}

/// Compiles MJML to HTML. `includes` contains the path and text of each file that can be included.
///
/// # Errors
/// Returns the problems in the MJML with their positions.
pub(super) fn compile(
    path: &str,
    text: &str,
    includes: &Includes,
) -> Result<Compiled, Vec<TemplateProblem>> {
    check_depth(path, &masked(text), DEPTH_MAX)?;
    for (path, text) in includes.values() {
        check_depth(path, &masked(text), DEPTH_MAX)?;
    }
    let mut notes = split_warnings(unknown_names(path, &masked(text)))?;
    check_root(path, &masked(text))?;
    let loaded = Arc::new(Mutex::new(Vec::new()));
    let mut masks = Masks::default();
    let words = prepared(&masks.mask(text));
    let files = includes
        .iter()
        .map(|(name, (path, text))| (name.clone(), (path.clone(), prepared(&masks.mask(text)))));
    let loader = Loader { files: files.collect(), loaded: Arc::clone(&loaded) };
    let options = ParserOptions { include_loader: Box::new(loader) };
    let file_of = |origin: &Origin| match origin {
        Origin::Root => path.to_owned(),
        Origin::Include { path } => {
            includes.get(path).map_or_else(|| path.clone(), |(path, _)| path.clone())
        }
    };
    let mut output = mrml::parse_with_options(&words, &options)
        .map_err(|error| vec![parse_error(&error, path, text, &file_of)])?;
    // `unknown` has a separate warning about style sheets that are not inlined.
    let reported = output.warnings.iter().filter(|warning| warning.kind.as_str() != NOT_INLINED);
    notes.extend(reported.map(|warning| {
        let message = "unknown attribute".to_owned();
        let span = warning.span.start..warning.span.end;
        Fault::new(codes::TEMPLATE_MJML, span, message).warning().in_file(&file_of(&warning.origin))
    }));
    if let Some(body) = &mut output.element.children.body {
        inline_includes(&mut body.children);
        fix_elements(&mut body.children);
    }
    // No web fonts: loading them would tell the sender when the e-mail is opened.
    let options = RenderOptions { fonts: Default::default(), ..RenderOptions::default() };
    let html = output.element.render(&options).map_err(|error| {
        let message = format!("cannot render the MJML: {error}");
        vec![Fault::new(codes::TEMPLATE_MJML, 0..0, message).in_file(path)]
    })?;
    let included: BTreeSet<String> =
        loaded.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
    let files = included.iter().filter_map(|name| includes.get(name));
    notes.extend(split_warnings(
        files.flat_map(|(path, text)| unknown_names(path, &masked(text))).collect(),
    )?);
    Ok(Compiled { html: masks.unmask(&restored(&html)), included, warnings: notes })
}

/// Rejects a text whose root element is not `<mjml>`.
fn check_root(path: &str, masked: &str) -> Result<(), Vec<TemplateProblem>> {
    let first = pieces(masked).into_iter().find_map(|piece| match piece {
        Piece::Start(element) => Some(element.name),
        _ => None,
    });
    let span = match first {
        Some(name) if slice(masked, &name) == "mjml" => return Ok(()),
        Some(name) => name,
        None => 0..0,
    };
    Err(vec![
        Fault::new(codes::TEMPLATE_MJML, span, NO_ROOT)
            .help(DOCUMENTATION.to_owned())
            .in_file(path),
    ])
}

/// Returns the problems as warnings if they contain no error, otherwise as an error.
fn split_warnings(
    problems: Vec<TemplateProblem>,
) -> Result<Vec<TemplateProblem>, Vec<TemplateProblem>> {
    let has_errors = problems.iter().any(|problem| problem.severity == Severity::Error);
    if has_errors { Err(problems) } else { Ok(problems) }
}

/// Returns a range without leading and trailing whitespace.
fn trimmed(text: &str, span: Range<usize>) -> Range<usize> {
    let found = slice(text, &span);
    let start = span.start + (found.len() - found.trim_start().len());
    if found.trim().is_empty() { span } else { start..start + found.trim().len() }
}

/// The name of the parser's warning for `<mj-style inline="inline">`.
const NOT_INLINED: &str = "inline-style-unsupported";

const NO_ROOT: &str = "the root element is not `<mjml>`";
const DOCUMENTATION: &str = "see the MJML documentation at https://documentation.mjml.io";

fn parse_error(
    error: &Error,
    path: &str,
    text: &str,
    file_of: &dyn Fn(&Origin) -> String,
) -> TemplateProblem {
    let at = |span: &Span| span.start..span.end;
    let (file, span, message) = match error {
        Error::UnexpectedElement { origin, position } => {
            (file_of(origin), at(position), "unexpected element".to_owned())
        }
        Error::UnexpectedToken { origin, position } => {
            let span = match origin {
                Origin::Root => trimmed(text, at(position)),
                Origin::Include { .. } => at(position),
            };
            (file_of(origin), span, "unexpected content".to_owned())
        }
        Error::MissingAttribute { name, origin, position } => {
            (file_of(origin), at(position), format!("missing attribute `{name}`"))
        }
        Error::InvalidAttribute { origin, position } => {
            (file_of(origin), at(position), "invalid attribute value".to_owned())
        }
        Error::InvalidFormat { origin, position } => {
            (file_of(origin), at(position), "invalid MJML".to_owned())
        }
        Error::IncludeLoaderError { origin, position, source } => (
            file_of(origin),
            at(position),
            format!("`{}` is not a partial, or it includes itself", source.path),
        ),
        Error::EndOfStream { origin } => {
            let end = if matches!(origin, Origin::Root) { text.len() } else { 0 };
            (file_of(origin), end..end, "an element is not closed".to_owned())
        }
        Error::ParserError { origin, source } => {
            let place = source.pos();
            let (line, column) = (place.row as usize, place.col as usize);
            let byte = match origin {
                Origin::Root => Source::new(Arc::from(text)).byte_at(line, column),
                Origin::Include { .. } => 0,
            };
            (file_of(origin), byte..byte, "invalid MJML".to_owned())
        }
        Error::SizeLimit { .. } | Error::NoRootNode => (path.to_owned(), 0..0, NO_ROOT.to_owned()),
    };
    Fault::new(codes::TEMPLATE_MJML, span, message).help(DOCUMENTATION.to_owned()).in_file(&file)
}
