//! MJML to HTML, once when a template is loaded. The tags of Handlebars pass through it as text.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use mrml::prelude::parser::loader::{IncludeLoader, IncludeLoaderError};
use mrml::prelude::parser::{Error, Origin, ParserOptions, Span};
use mrml::prelude::render::RenderOptions;
use oms_core::diagnostic::{Severity, Source, codes};

use super::markup::{Piece, pieces, slice, too_deep};
use super::mjml_check::unknown;
use super::mjml_include::put_in_place;
use super::mjml_source::{prepared, restored};
use super::mjml_tree::completed;
use super::problem::{Fault, TemplateProblem};
use super::scan::scan;

/// How many files a mail may include, counting each time.
const INCLUSIONS_MAX: usize = 50;

/// The files that `mj-include` finds, by the names that it uses.
pub(super) type Includes = std::collections::BTreeMap<String, (String, String)>;

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

/// The tags of Handlebars, each with the word that stands for it while MJML is at work: as long as the tag, so that places stay the same,
/// and of letters and digits alone, so that nothing escapes it or takes it apart.
#[derive(Default)]
struct Masks(Vec<(String, String)>);

impl Masks {
    /// Puts words for the tags of a text. What cannot be read is left, since somebody else will say so.
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

    /// Puts the tags back. A word begins with `Z`, ends with `Q` and has only digits between, so that none is within another.
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

/// Returns a text with words in place of the tags of Handlebars, each as long as its tag.
pub(super) fn masked(text: &str) -> String {
    Masks::default().mask(text)
}

/// Elements within each other in one file of MJML; a mail has some fifteen, and each inclusion adds its own.
const DEPTH_MAX: usize = 50;

/// Refuses markup whose elements are nested deeper than those who read it can follow.
pub(super) fn shallow(
    path: &str,
    masked: &str,
    depth_max: usize,
) -> Result<(), Vec<TemplateProblem>> {
    let Some(span) = too_deep(masked, depth_max) else { return Ok(()) };
    let message = format!("this element stands within {depth_max} others, and no more are allowed");
    let fault = Fault::new(codes::DOCUMENT_LIMIT, span, message);
    Err(vec![fault.help("close elements, or nest them less".to_owned()).within(path)])
}

/// Makes HTML of MJML. `includes` gives path and text of each file that may be included.
///
/// # Errors
/// What is wrong with the MJML, at its place.
pub(super) fn compile(
    path: &str,
    text: &str,
    includes: &Includes,
) -> Result<Compiled, Vec<TemplateProblem>> {
    shallow(path, &masked(text), DEPTH_MAX)?;
    for (path, text) in includes.values() {
        shallow(path, &masked(text), DEPTH_MAX)?;
    }
    let mut notes = sound(unknown(path, &masked(text)))?;
    has_root(path, &masked(text))?;
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
        .map_err(|error| vec![refused(&error, path, text, &file_of)])?;
    // `unknown` has its own warning about style sheets that are not inlined.
    let told = output.warnings.iter().filter(|warning| warning.kind.as_str() != NOT_INLINED);
    notes.extend(told.map(|warning| {
        let message = "this element has no such attribute".to_owned();
        let span = warning.span.start..warning.span.end;
        Fault::new(codes::TEMPLATE_MJML, span, message).warning().within(&file_of(&warning.origin))
    }));
    if let Some(body) = &mut output.element.children.body {
        put_in_place(&mut body.children);
        completed(&mut body.children);
    }
    // Without web fonts: a mail that loads them tells its sender when it is opened.
    let options = RenderOptions { fonts: Default::default(), ..RenderOptions::default() };
    let html = output.element.render(&options).map_err(|error| {
        let message = format!("MJML cannot be rendered: {error}");
        vec![Fault::new(codes::TEMPLATE_MJML, 0..0, message).within(path)]
    })?;
    let included: BTreeSet<String> =
        loaded.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
    let files = included.iter().filter_map(|name| includes.get(name));
    notes.extend(sound(files.flat_map(|(path, text)| unknown(path, &masked(text))).collect())?);
    Ok(Compiled { html: masks.unmask(&restored(&html)), included, notes })
}

/// Refuses a text that does not begin with `<mjml>`.
fn has_root(path: &str, masked: &str) -> Result<(), Vec<TemplateProblem>> {
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
        Fault::new(codes::TEMPLATE_MJML, span, NO_ROOT).help(DESCRIBED.to_owned()).within(path),
    ])
}

/// Returns the warnings, if there is no error among them.
fn sound(problems: Vec<TemplateProblem>) -> Result<Vec<TemplateProblem>, Vec<TemplateProblem>> {
    let has_errors = problems.iter().any(|problem| problem.severity == Severity::Error);
    if has_errors { Err(problems) } else { Ok(problems) }
}

/// Returns the bytes without the whitespace around the text.
fn trimmed(text: &str, span: Range<usize>) -> Range<usize> {
    let found = slice(text, &span);
    let start = span.start + (found.len() - found.trim_start().len());
    if found.trim().is_empty() { span } else { start..start + found.trim().len() }
}

/// The name of the parser's warning for `<mj-style inline="inline">`.
const NOT_INLINED: &str = "inline-style-unsupported";

const NO_ROOT: &str = "the root element is not `<mjml>`";
const DESCRIBED: &str = "the elements of MJML are described at https://documentation.mjml.io";

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
            let span = match origin {
                Origin::Root => trimmed(text, at(position)),
                Origin::Include { .. } => at(position),
            };
            (file_of(origin), span, "this does not belong here".to_owned())
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
            let (line, column) = (place.row as usize, place.col as usize);
            let byte = match origin {
                Origin::Root => Source::new(Arc::from(text)).byte_at(line, column),
                Origin::Include { .. } => 0,
            };
            (file_of(origin), byte..byte, "this is not MJML".to_owned())
        }
        Error::SizeLimit { .. } | Error::NoRootNode => (path.to_owned(), 0..0, NO_ROOT.to_owned()),
    };
    Fault::new(codes::TEMPLATE_MJML, span, message).help(DESCRIBED.to_owned()).within(&file)
}
