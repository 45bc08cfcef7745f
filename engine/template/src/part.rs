//! A text of an e-mail, parsed, with the mapping from its bytes to those of its file.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use handlebars::template::Template as Tree;
use oms_core::diagnostic::{Place, Route, Source, codes};
use oms_core::document::{Document, FileError, Files};

use super::problem::{Fault, TemplateProblem};
use super::program::{Program, program};
use super::scan::{Tag, scan};

/// Maximum size of a template file in bytes.
pub const FILE_BYTES_MAX: usize = 256 * 1024;

/// Maximum number of tags in a template file, because the parser searches for the line of each tag
/// from the start of the file.
pub const TAGS_MAX: usize = 2_000;

/// A parsed text.
#[derive(Debug)]
pub(super) struct Part {
    /// The path of its file, relative to the pipeline file.
    pub(super) path: String,
    pub(super) text: String,
    pub(super) tags: Vec<Tag>,
    pub(super) tree: Tree,
    pub(super) program: Program,
    /// The size of its largest rendering so far, used to reserve memory for the next one.
    pub(super) rendered_max: AtomicUsize,
    /// Its document and route, if the file contains several texts.
    within: Option<(Arc<Document>, Route)>,
}

impl Part {
    /// Parses a text that is a whole file.
    ///
    /// # Errors
    /// Returns the Handlebars syntax errors with their positions in the file.
    pub(super) fn of_file(path: &str, text: &str) -> Result<Self, Vec<TemplateProblem>> {
        let tags = text.matches("{{").count();
        if tags > TAGS_MAX {
            let message = format!("the file has {tags} tags; the maximum is {TAGS_MAX}");
            let fault = Fault::new(codes::DOCUMENT_LIMIT, 0..0, message);
            let help = "move repeated parts into a partial, or iterate over a list";
            return Err(vec![fault.help(help.to_owned()).in_file(path)]);
        }
        Self::parse(path, text, None)
    }

    /// Parses the HTML that MJML generated.
    ///
    /// # Errors
    /// Returns the Handlebars syntax errors.
    pub(super) fn of_generated(path: &str, text: &str) -> Result<Self, Vec<TemplateProblem>> {
        Self::parse(path, text, None)
    }

    /// Parses one text of a file with several texts.
    ///
    /// # Errors
    /// Returns the Handlebars syntax errors with their positions in the file.
    pub(super) fn of_entry(
        path: &str,
        text: &str,
        document: &Arc<Document>,
        route: Route,
    ) -> Result<Self, Vec<TemplateProblem>> {
        Self::parse(path, text, Some((Arc::clone(document), route)))
    }

    fn parse(
        path: &str,
        text: &str,
        within: Option<(Arc<Document>, Route)>,
    ) -> Result<Self, Vec<TemplateProblem>> {
        let parsed = scan(text).and_then(|tags| {
            let tree = Tree::compile(text).map_err(|error| vec![syntax(text, &tags, &error)])?;
            Ok((tags, tree))
        });
        match parsed {
            Ok((tags, tree)) => Ok(Self {
                path: path.to_owned(),
                text: text.to_owned(),
                tags,
                program: program(&tree),
                tree,
                rendered_max: AtomicUsize::new(0),
                within,
            }),
            Err(faults) => {
                let placed = faults.into_iter().map(|fault| place(fault, path, within.as_ref()));
                Err(placed.collect())
            }
        }
    }

    /// Converts a fault in this text into a problem with a position in its file.
    pub(super) fn problem(&self, fault: Fault) -> TemplateProblem {
        place(fault, &self.path, self.within.as_ref())
    }
}

fn place(mut fault: Fault, path: &str, within: Option<&(Arc<Document>, Route)>) -> TemplateProblem {
    if let Some((document, route)) = within {
        fault.span = document.span(&Place::text(route.clone(), fault.span));
    }
    fault.in_file(path)
}

fn syntax(text: &str, tags: &[Tag], error: &handlebars::TemplateError) -> Fault {
    let source = Source::new(Arc::from(text));
    let (line, column) = error.pos().unwrap_or((1, 1));
    let at = source.byte_at(line, column);
    // The tag at which the parser stopped.
    let tag = tags.iter().find(|tag| tag.span.contains(&at));
    let span: Range<usize> = tag.map_or(at..at, |tag| tag.span.clone());
    let fault = Fault::new(codes::TEMPLATE_SYNTAX, span, "invalid Handlebars syntax");
    fault.help("write a path or a helper with its values, such as `{{order.id}}` or `{{default note \"-\"}}`".to_owned())
}

/// Reads the text of a file.
///
/// # Errors
/// Returns an error if the file cannot be read, is too large, or is not UTF-8.
pub(super) fn read(files: &dyn Files, path: &str) -> Result<String, Vec<TemplateProblem>> {
    let refuse = |code, message: String| vec![Fault::new(code, 0..0, message).in_file(path)];
    let bytes = files.read(path).map_err(|error| {
        let code = match error {
            FileError::TooLarge(_) => codes::DOCUMENT_LIMIT,
            _ => codes::FILE_UNREADABLE,
        };
        refuse(code, error.to_string())
    })?;
    if bytes.len() > FILE_BYTES_MAX {
        let message = format!("the file is larger than {FILE_BYTES_MAX} bytes");
        return Err(refuse(codes::DOCUMENT_LIMIT, message));
    }
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let at = error.valid_up_to();
        vec![Fault::new(codes::NOT_UTF8, at..at, "the file is not UTF-8 text").in_file(path)]
    })?;
    Ok(text.to_owned())
}
