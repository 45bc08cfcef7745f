//! Reading templates: which files belong to one, and which stand in where a locale has none of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use handlebars::template::Template as Tree;

use super::locale::{candidates, is_language_tag};
use super::problem::{Fault, TemplateProblem};
use super::program::{Program, program};
use super::scan::{Tag, scan};
use crate::diagnostic::{Source, closest, codes, did_you_mean};
use crate::document::{FileError, Files};
use crate::value::Type;

/// The most bytes that a template's file may have.
pub const FILE_BYTES_MAX: usize = 256 * 1024;

/// The folder beside the templates that holds what they share.
pub const PARTIALS_FOLDER: &str = "partials";

/// What the file of a partial ends in.
const PARTIAL_SUFFIX: &str = ".hbs";

/// The files of a template, by their role: subject, HTML and text.
const SUBJECT: &str = "subject.hbs";
const HTML: &str = "body.html.hbs";
const TEXT: &str = "body.txt.hbs";
const FILES: [&str; 3] = [SUBJECT, HTML, TEXT];

/// One file, read and parsed.
#[derive(Debug)]
pub(super) struct Part {
    /// Relative to the pipeline file.
    pub(super) path: String,
    pub(super) text: String,
    pub(super) tags: Vec<Tag>,
    pub(super) tree: Tree,
    pub(super) program: Program,
    /// The most bytes that it was rendered to so far, which is what the next rendering makes room for.
    pub(super) rendered_max: AtomicUsize,
}

/// The files that make a mail in one locale.
#[derive(Clone, Debug)]
pub(super) struct Variant {
    pub(super) subject: Arc<Part>,
    pub(super) html: Arc<Part>,
    pub(super) text: Arc<Part>,
}

/// A mail template with all its locales, ready to render.
#[derive(Debug)]
pub struct Template {
    pub(super) base: Variant,
    /// By locale in lower case; what a locale lacks is filled in.
    pub(super) locales: BTreeMap<String, Variant>,
    pub(super) partials: BTreeMap<String, Part>,
    /// What is odd about the folder.
    notes: Vec<TemplateProblem>,
}

impl Template {
    /// Reads the template `name` in a folder of templates.
    ///
    /// # Errors
    /// With all problems of its files: missing, unreadable, too large, or no templates. If there is no such template at all, one
    /// problem says so, with a path that is no file's.
    pub fn load(files: &dyn Files, folder: &str, name: &str) -> Result<Self, Vec<TemplateProblem>> {
        let at = format!("{}/{name}", folder.trim_end_matches('/'));
        let mut loader = Loader { files, problems: Vec::new(), notes: Vec::new() };
        let entries = files.list(&at);
        if entries.is_empty() {
            let known = Self::names(files, folder);
            let message = format!("there is no template `{name}`");
            let fault = Fault::new(codes::TEMPLATE_MISSING, 0..0, message)
                .help(did_you_mean(name, known.iter().map(String::as_str)));
            return Err(vec![fault.within(&at)]);
        }
        let partials = loader.partials(folder);
        let mut base = loader.folder(&at, &entries);
        for file in FILES {
            if !base.contains_key(file) && !entries.iter().any(|entry| entry == file) {
                let fault = Fault::new(
                    codes::TEMPLATE_MISSING,
                    0..0,
                    format!("the template `{name}` has no `{file}`"),
                );
                let help = format!("a template has `{SUBJECT}`, `{HTML}` and `{TEXT}`");
                loader.problems.push(fault.help(help).within(&format!("{at}/{file}")));
            }
        }
        let mut locales = BTreeMap::new();
        for entry in entries.iter().filter_map(|entry| entry.strip_suffix('/')) {
            let below = format!("{at}/{entry}");
            if is_language_tag(entry) {
                let own = loader.folder(&below, &files.list(&below));
                locales.insert(entry.to_ascii_lowercase(), own);
            } else {
                let message = format!("`{entry}` is not a locale");
                let fault = Fault::new(codes::TEMPLATE_MISSING, 0..0, message);
                let help = "folders in a template are named like `de` or `pt-BR`".to_owned();
                loader.problems.push(fault.help(help).within(&below));
            }
        }
        let base = (base.remove(SUBJECT), base.remove(HTML), base.remove(TEXT));
        let (Some(subject), Some(html), Some(text), true) =
            (base.0, base.1, base.2, loader.problems.is_empty())
        else {
            return Err(loader.problems);
        };
        let base = Variant { subject, html, text };
        let locales = filled(&locales, &base);
        Ok(Self { base, locales, partials, notes: loader.notes })
    }

    /// Returns the names of the templates in a folder.
    pub fn names(files: &dyn Files, folder: &str) -> Vec<String> {
        let entries = files.list(folder);
        let folders = entries.iter().filter_map(|entry| entry.strip_suffix('/'));
        folders.filter(|name| *name != PARTIALS_FOLDER).map(str::to_owned).collect()
    }

    /// Returns the locales that have files of their own, in lower case.
    pub fn locales(&self) -> impl Iterator<Item = &str> {
        self.locales.keys().map(String::as_str)
    }

    /// Returns everything that is wrong with the template for data of this type. Without an error among it, rendering such
    /// data cannot fail but by its size.
    pub fn check(&self, data: &Type) -> Vec<TemplateProblem> {
        let mut problems = self.notes.clone();
        let mut seen: Vec<*const Part> = Vec::new();
        for variant in std::iter::once(&self.base).chain(self.locales.values()) {
            for (part, one_line) in
                [(&variant.subject, true), (&variant.html, false), (&variant.text, false)]
            {
                // A file that stands in for a locale's is judged once.
                if seen.contains(&Arc::as_ptr(part)) {
                    continue;
                }
                seen.push(Arc::as_ptr(part));
                for problem in super::check::check(part, &self.partials, data, one_line) {
                    if !problems.contains(&problem) {
                        problems.push(problem);
                    }
                }
            }
        }
        problems
    }
}

/// Gives each locale the files that it lacks: those of the next one that it falls back to, or the base folder's.
fn filled(
    locales: &BTreeMap<String, BTreeMap<&'static str, Arc<Part>>>,
    base: &Variant,
) -> BTreeMap<String, Variant> {
    let part = |locale: &str, file: &str, otherwise: &Arc<Part>| {
        let own = candidates(locale).find_map(|tag| locales.get(&tag)?.get(file));
        Arc::clone(own.unwrap_or(otherwise))
    };
    let variant = |locale: &String| Variant {
        subject: part(locale, SUBJECT, &base.subject),
        html: part(locale, HTML, &base.html),
        text: part(locale, TEXT, &base.text),
    };
    locales.keys().map(|locale| (locale.clone(), variant(locale))).collect()
}

struct Loader<'f> {
    files: &'f dyn Files,
    problems: Vec<TemplateProblem>,
    notes: Vec<TemplateProblem>,
}

impl Loader<'_> {
    /// Reads the files of a template that are in a folder.
    fn folder(&mut self, at: &str, entries: &[String]) -> BTreeMap<&'static str, Arc<Part>> {
        let mut parts = BTreeMap::new();
        for file in FILES {
            if entries.iter().any(|entry| entry == file)
                && let Some(part) = self.part(format!("{at}/{file}"))
            {
                parts.insert(file, Arc::new(part));
            }
        }
        for entry in entries {
            if entry.ends_with(PARTIAL_SUFFIX) && !FILES.contains(&entry.as_str()) {
                let message = format!("`{entry}` is not a file of a template, and is not used");
                let help = closest(entry, FILES).map(|file| format!("did you mean `{file}`?"));
                let fault = Fault::new(codes::TEMPLATE_MISSING, 0..0, message).help(help);
                self.notes.push(fault.warning().within(&format!("{at}/{entry}")));
            }
        }
        parts
    }

    fn partials(&mut self, folder: &str) -> BTreeMap<String, Part> {
        let at = format!("{}/{PARTIALS_FOLDER}", folder.trim_end_matches('/'));
        let mut partials = BTreeMap::new();
        for entry in self.files.list(&at) {
            if let Some(name) = entry.strip_suffix(PARTIAL_SUFFIX)
                && let Some(part) = self.part(format!("{at}/{entry}"))
            {
                partials.insert(name.to_owned(), part);
            }
        }
        partials
    }

    fn part(&mut self, path: String) -> Option<Part> {
        self.read(&path)
            .map_err(|faults| {
                self.problems.extend(faults.into_iter().map(|fault| fault.within(&path)));
            })
            .ok()
            .map(|(text, tags, tree)| Part {
                path,
                text,
                tags,
                program: program(&tree),
                tree,
                rendered_max: AtomicUsize::new(0),
            })
    }

    fn read(&self, path: &str) -> Result<(String, Vec<Tag>, Tree), Vec<Fault>> {
        let refuse = |code, message: String| vec![Fault::new(code, 0..0, message)];
        let bytes = self.files.read(path).map_err(|error| {
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
            vec![Fault::new(codes::NOT_UTF8, at..at, "the file is not UTF-8 text")]
        })?;
        let tags = scan(text)?;
        let tree = Tree::compile(text).map_err(|error| {
            let source = Source::new(Arc::from(text));
            let (line, column) = error.pos().unwrap_or((1, 1));
            let at = source.byte_at(line, column);
            // The tag in which the parser stopped.
            let tag = tags.iter().find(|tag| tag.span.contains(&at));
            let span = tag.map_or(at..at, |tag| tag.span.clone());
            let fault = Fault::new(codes::TEMPLATE_SYNTAX, span, "this is not Handlebars");
            vec![fault.help("a tag is a path or a helper with its values, such as `{{order.id}}` or `{{default note \"-\"}}`".to_owned())]
        })?;
        Ok((text.to_owned(), tags, tree))
    }
}
