//! Reading templates: which files belong to one, and which stand in where a locale has none of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use oms_core::diagnostic::{closest, codes, did_you_mean};
use oms_core::document::Files;
use oms_core::mail::content_type;
use oms_core::time_zone::TimeZone;

use super::mjml::{self, Includes, shallow};
use super::part::{Part, read};
use super::problem::{Fault, TemplateProblem};
use super::sample::{SAMPLE, Sample};
use super::texts::{TEXTS, Texts, texts};
use crate::locale::{candidates, is_language_tag};

/// The folder beside the templates that holds what they share.
pub const PARTIALS_FOLDER: &str = "partials";

/// What the files of partials end in: those that a mail includes when it is rendered, and those of its MJML.
const PARTIAL_SUFFIX: &str = ".hbs";
const MJML_SUFFIX: &str = ".mjml";

/// The files of a template, by their role.
const SUBJECT: &str = "subject.hbs";
const HTML: &str = "body.html.hbs";
const MJML: &str = "body.mjml";
const TEXT: &str = "body.txt.hbs";
const FILES: [&str; 6] = [SUBJECT, HTML, MJML, TEXT, TEXTS, SAMPLE];

/// Elements within each other in HTML. Those that are never closed, as paragraphs may be, count too.
const HTML_DEPTH_MAX: usize = 500;

/// The folder in a template that holds what is attached.
const ATTACHMENTS: &str = "attachments";

/// An HTML body: what is checked, what it includes, and what is rendered.
#[derive(Debug)]
pub(super) struct Html {
    /// The file as it is written.
    pub(super) source: Part,
    /// What MJML made of it; nothing if the file is HTML itself.
    pub(super) made: Option<Part>,
    /// The MJML files that it includes.
    pub(super) included: Vec<Arc<Part>>,
    notes: Vec<TemplateProblem>,
}

impl Html {
    /// Returns what is rendered.
    pub(super) fn rendered(&self) -> &Part {
        self.made.as_ref().unwrap_or(&self.source)
    }
}

/// The files that make a mail in one locale.
#[derive(Clone, Debug)]
pub(super) struct Variant {
    /// The locale of its words.
    pub(super) locale: Arc<str>,
    pub(super) subject: Arc<Part>,
    pub(super) html: Arc<Html>,
    /// Without it, the text is made of the HTML.
    pub(super) text: Option<Arc<Part>>,
    pub(super) texts: Arc<Texts>,
}

/// A mail template with all its locales, ready to render.
#[derive(Debug)]
pub struct Template {
    pub(super) base: Variant,
    /// By locale in lower case; what a locale lacks is filled in.
    pub(super) locales: BTreeMap<String, Variant>,
    pub(super) partials: BTreeMap<String, Part>,
    /// What may be attached, by name.
    pub(super) attachments: BTreeMap<String, Part>,
    /// Where instants have their days.
    pub(super) time_zone: TimeZone,
    /// Data to show the mail with.
    pub(super) sample: Option<Sample>,
    /// What is odd about the folder.
    notes: Vec<TemplateProblem>,
}

impl Template {
    /// Reads the template `name` in a folder of templates, whose own language is `locale`. Instants have their days in `time_zone`.
    ///
    /// # Errors
    /// With all problems of its files: missing, unreadable, too large, or no templates. If there is no such template at all, one
    /// problem says so, with a path that is no file's.
    pub fn load(
        files: &dyn Files,
        folder: &str,
        name: &str,
        locale: &str,
        time_zone: &TimeZone,
    ) -> Result<Self, Vec<TemplateProblem>> {
        let at = format!("{}/{name}", folder.trim_end_matches('/'));
        let entries = files.list(&at);
        if entries.is_empty() {
            let known = Self::names(files, folder);
            let message = format!("there is no template `{name}`");
            let fault = Fault::new(codes::TEMPLATE_MISSING, 0..0, message)
                .help(did_you_mean(name, known.iter().map(String::as_str)));
            return Err(vec![fault.within(&at)]);
        }
        let mut loader = Loader::new(files, folder);
        let partials = loader.partials();
        let base = loader.folder(&at, &entries);
        let is_there = |file: &str| entries.iter().any(|entry| entry == file);
        for (there, file) in
            [(is_there(SUBJECT), SUBJECT), (is_there(HTML) || is_there(MJML), MJML)]
        {
            if !there {
                let message = format!("the template `{name}` has no `{file}`");
                let help = format!(
                    "a template has `{SUBJECT}` and `{MJML}` (or `{HTML}`), and perhaps `{TEXT}` and `{TEXTS}`"
                );
                let fault = Fault::new(codes::TEMPLATE_MISSING, 0..0, message).help(help);
                loader.problems.push(fault.within(&format!("{at}/{file}")));
            }
        }
        let mut locales = BTreeMap::new();
        let mut attachments = BTreeMap::new();
        for entry in entries.iter().filter_map(|entry| entry.strip_suffix('/')) {
            let below = format!("{at}/{entry}");
            if entry == ATTACHMENTS {
                attachments = loader.attachments(&below);
            } else if is_language_tag(entry) {
                let own = loader.folder(&below, &files.list(&below));
                locales.insert(entry.to_ascii_lowercase(), own);
            } else {
                let message = format!("`{entry}` is not a locale");
                let fault = Fault::new(codes::TEMPLATE_MISSING, 0..0, message);
                let help = "folders in a template are named like `de` or `pt-BR`".to_owned();
                loader.problems.push(fault.help(help).within(&below));
            }
        }
        let (Some(subject), Some(html), true) =
            (base.subject, base.html, loader.problems.is_empty())
        else {
            return Err(loader.problems);
        };
        let texts = base.texts.unwrap_or_default();
        for (tag, folder) in &locales {
            loader.compare(&format!("{at}/{tag}/{TEXTS}"), tag, folder.texts.as_deref(), &texts);
        }
        let sample = base.sample;
        let base = Variant { locale: Arc::from(locale), subject, html, text: base.text, texts };
        let locales = filled(&locales, &base);
        let (notes, time_zone) = (loader.notes, time_zone.clone());
        Ok(Self { base, locales, partials, attachments, time_zone, sample, notes })
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

    /// Returns the names of what may be attached.
    pub fn attachments(&self) -> impl Iterator<Item = &str> {
        self.attachments.keys().map(String::as_str)
    }

    /// Returns the HTML of the base folder as it is rendered from: what MJML made of the file, with the tags of Handlebars in it.
    pub fn html_text(&self) -> &str {
        &self.base.html.rendered().text
    }

    /// Returns the words of the base folder by their names, with the tags of Handlebars in them.
    pub fn words(&self) -> impl Iterator<Item = (&str, &str)> {
        self.base.texts.iter().map(|(name, part)| (name.as_str(), part.text.as_str()))
    }

    /// Returns the locale that the base folder is written in.
    pub fn own_locale(&self) -> &str {
        &self.base.locale
    }

    pub(super) fn variants(&self) -> impl Iterator<Item = &Variant> {
        std::iter::once(&self.base).chain(self.locales.values())
    }

    pub(super) fn notes(&self) -> impl Iterator<Item = &TemplateProblem> {
        self.notes.iter().chain(self.variants().flat_map(|variant| &variant.html.notes))
    }
}

/// Gives each locale the files and texts that it lacks: those of the next one that it falls back to, or the base folder's.
fn filled(locales: &BTreeMap<String, Folder>, base: &Variant) -> BTreeMap<String, Variant> {
    let mut filled = BTreeMap::new();
    for tag in locales.keys() {
        let chain: Vec<&Folder> = candidates(tag).filter_map(|tag| locales.get(&tag)).collect();
        let mut texts = base.texts.as_ref().clone();
        for folder in chain.iter().rev() {
            let own = folder.texts.iter().flat_map(|texts| texts.iter());
            texts.extend(own.map(|(name, part)| (name.clone(), Arc::clone(part))));
        }
        let subject = chain.iter().find_map(|folder| folder.subject.clone());
        let html = chain.iter().find_map(|folder| folder.html.clone());
        let variant = Variant {
            locale: Arc::from(tag.as_str()),
            subject: subject.unwrap_or_else(|| Arc::clone(&base.subject)),
            html: html.unwrap_or_else(|| Arc::clone(&base.html)),
            text: chain.iter().find_map(|folder| folder.text.clone()).or_else(|| base.text.clone()),
            texts: Arc::new(texts),
        };
        filled.insert(tag.clone(), variant);
    }
    filled
}

/// The files that one folder has.
#[derive(Default)]
struct Folder {
    subject: Option<Arc<Part>>,
    html: Option<Arc<Html>>,
    text: Option<Arc<Part>>,
    texts: Option<Arc<Texts>>,
    sample: Option<Sample>,
}

struct Loader<'f> {
    files: &'f dyn Files,
    /// The folder of what templates share.
    shared: String,
    includes: Includes,
    problems: Vec<TemplateProblem>,
    notes: Vec<TemplateProblem>,
}

impl<'f> Loader<'f> {
    fn new(files: &'f dyn Files, folder: &str) -> Self {
        let shared = format!("{}/{PARTIALS_FOLDER}", folder.trim_end_matches('/'));
        let mut problems = Vec::new();
        let mut includes = Includes::new();
        for entry in files.list(&shared).into_iter().filter(|entry| entry.ends_with(MJML_SUFFIX)) {
            let path = format!("{shared}/{entry}");
            match read(files, &path) {
                Ok(text) => drop(includes.insert(entry, (path, text))),
                Err(found) => problems.extend(found),
            }
        }
        Self { files, shared, includes, problems, notes: Vec::new() }
    }

    /// Reads the files of a template that are in a folder.
    fn folder(&mut self, at: &str, entries: &[String]) -> Folder {
        let mut folder = Folder::default();
        for entry in entries {
            let path = format!("{at}/{entry}");
            match entry.as_str() {
                SUBJECT => folder.subject = self.part(&path).map(Arc::new),
                TEXT => folder.text = self.part(&path).map(Arc::new),
                HTML => {
                    folder.html = self.html(&path).map(|source| {
                        let (included, notes) = (Vec::new(), Vec::new());
                        Arc::new(Html { source, made: None, included, notes })
                    });
                }
                MJML => folder.html = self.mjml(&path).map(Arc::new).or(folder.html),
                TEXTS => folder.texts = self.texts(&path).map(Arc::new),
                SAMPLE => folder.sample = self.text(&path).map(|text| Sample { path, text }),
                other if other.ends_with(PARTIAL_SUFFIX) || other.ends_with(MJML_SUFFIX) => {
                    let message = format!("`{entry}` is not a file of a template, and is not used");
                    let help = closest(entry, FILES).map(|file| format!("did you mean `{file}`?"));
                    let fault = Fault::new(codes::TEMPLATE_MISSING, 0..0, message).help(help);
                    self.notes.push(fault.warning().within(&path));
                }
                _ => {}
            }
        }
        if entries.iter().any(|entry| entry == HTML) && entries.iter().any(|entry| entry == MJML) {
            let message =
                format!("there is `{MJML}` and `{HTML}`, and one of them would not be used");
            let fault = Fault::new(codes::TEMPLATE_MISSING, 0..0, message);
            self.problems
                .push(fault.help("take one away".to_owned()).within(&format!("{at}/{HTML}")));
        }
        folder
    }

    fn partials(&mut self) -> BTreeMap<String, Part> {
        let mut partials = BTreeMap::new();
        for entry in self.files.list(&self.shared) {
            let path = format!("{}/{entry}", self.shared);
            if let Some(name) = entry.strip_suffix(PARTIAL_SUFFIX)
                && let Some(part) = self.part(&path)
            {
                partials.insert(name.to_owned(), part);
            }
        }
        partials
    }

    /// Reads what may be attached: files named like the attachment, with `.hbs` behind it.
    fn attachments(&mut self, at: &str) -> BTreeMap<String, Part> {
        let mut attachments = BTreeMap::new();
        for entry in self.files.list(at) {
            let path = format!("{at}/{entry}");
            let name = entry.strip_suffix(PARTIAL_SUFFIX);
            match name.filter(|name| content_type(name).is_some()) {
                Some(name) => {
                    if let Some(part) = self.part(&path) {
                        attachments.insert(name.to_owned(), part);
                    }
                }
                None => {
                    let message = format!("`{entry}` cannot be attached");
                    let help = "name it like `receipt.csv.hbs`, `receipt.html.hbs` or `receipt.txt.hbs`, in plain letters and digits";
                    let fault = Fault::new(codes::TEMPLATE_MISSING, 0..0, message);
                    self.problems.push(fault.help(help.to_owned()).within(&path));
                }
            }
        }
        attachments
    }

    fn kept<T>(&mut self, result: Result<T, Vec<TemplateProblem>>) -> Option<T> {
        result.map_err(|problems| self.problems.extend(problems)).ok()
    }

    fn text(&mut self, path: &str) -> Option<String> {
        self.kept(read(self.files, path))
    }

    fn part(&mut self, path: &str) -> Option<Part> {
        let text = self.text(path)?;
        self.kept(Part::of_file(path, &text))
    }

    fn html(&mut self, path: &str) -> Option<Part> {
        let source = self.part(path)?;
        self.kept(shallow(path, &mjml::masked(&source.text), HTML_DEPTH_MAX).map(|()| source))
    }

    fn texts(&mut self, path: &str) -> Option<Texts> {
        let text = self.text(path)?;
        let texts = texts(path, &text, &mut self.notes);
        self.kept(texts)
    }

    fn mjml(&mut self, path: &str) -> Option<Html> {
        let source = self.part(path)?;
        let compiled = mjml::compile(path, &source.text, &self.includes);
        let compiled = self.kept(compiled)?;
        let mut included = Vec::new();
        for name in &compiled.included {
            let Some((path, text)) = self.includes.get(name).cloned() else { continue };
            included.push(Arc::new(self.kept(Part::of_file(&path, &text))?));
        }
        // The tags of the source are right, so that what is wrong now came by their being moved.
        let made = Part::made(path, &compiled.html).map_err(|_| {
            let message = "MJML takes the tags of Handlebars apart";
            let fault = Fault::new(codes::TEMPLATE_MJML, 0..0, message);
            vec![
                fault
                    .help("put blocks that go around elements into `<mj-raw>`".to_owned())
                    .within(path),
            ]
        });
        let made = Some(self.kept(made)?);
        Some(Html { source, made, included, notes: compiled.notes })
    }

    /// Notes what a translation lacks, and what it has that nothing uses.
    fn compare(&mut self, path: &str, tag: &str, own: Option<&Texts>, base: &Texts) {
        let Some(own) = own else { return };
        for name in base.keys().filter(|name| !own.contains_key(*name)) {
            let message = format!("the text `{name}` is not translated to `{tag}`");
            let help = "the mail's own text stands in for it".to_owned();
            let fault = Fault::new(codes::TEMPLATE_LOCALE, 0..0, message).help(help);
            self.notes.push(fault.warning().within(path));
        }
        for (name, part) in own.iter().filter(|(name, _)| !base.contains_key(*name)) {
            let message = format!("the text `{name}` is not among those of the mail itself");
            let help = did_you_mean(name, base.keys().map(String::as_str));
            let whole = 0..part.text.len();
            let fault = Fault::new(codes::TEMPLATE_LOCALE, whole, message).help(help);
            self.notes.push(part.problem(fault.warning()));
        }
    }
}
