//! Loads templates: the files of a template, and the files that a locale inherits.

use std::collections::BTreeMap;
use std::sync::Arc;

use oms_core::diagnostic::{closest, codes, did_you_mean};
use oms_core::document::Files;
use oms_core::mail::content_type;
use oms_core::time_zone::TimeZone;

use super::mjml::{self, Includes, check_depth};
use super::part::{Part, read};
use super::problem::{Fault, TemplateProblem};
use super::sample::{SAMPLE, Sample};
use super::texts::{TEXTS, Texts, texts};
use crate::locale::{candidates, is_language_tag};

/// The folder next to the templates that contains the shared partials.
pub const PARTIALS_FOLDER: &str = "partials";

/// File name suffixes of partials: those that Handlebars includes during rendering, and those that
/// MJML includes.
const PARTIAL_SUFFIX: &str = ".hbs";
const MJML_SUFFIX: &str = ".mjml";

/// Names of the files of a template.
const SUBJECT: &str = "subject.hbs";
const HTML: &str = "body.html.hbs";
const MJML: &str = "body.mjml";
const TEXT: &str = "body.txt.hbs";
const FILES: [&str; 6] = [SUBJECT, HTML, MJML, TEXT, TEXTS, SAMPLE];

/// Maximum depth of nested elements in HTML. Elements that are never closed, such as `p`, count
/// too.
const HTML_DEPTH_MAX: usize = 500;

/// The folder in a template that contains the attachments.
const ATTACHMENTS: &str = "attachments";

/// An HTML body: its source, the files that it includes, and the generated HTML.
#[derive(Debug)]
pub(super) struct Html {
    /// The source file.
    pub(super) source: Part,
    /// The HTML that MJML generated, or `None` if the source is HTML.
    pub(super) generated: Option<Part>,
    /// The MJML files that it includes.
    pub(super) included: Vec<Arc<Part>>,
    warnings: Vec<TemplateProblem>,
}

impl Html {
    /// Returns the part to render.
    pub(super) fn rendered(&self) -> &Part {
        self.generated.as_ref().unwrap_or(&self.source)
    }
}

/// The files of an e-mail in one locale.
#[derive(Clone, Debug)]
pub(super) struct Variant {
    /// The locale of its texts.
    pub(super) locale: Arc<str>,
    pub(super) subject: Arc<Part>,
    pub(super) html: Arc<Html>,
    /// The text part. If it is `None`, the text is generated from the HTML.
    pub(super) text: Option<Arc<Part>>,
    pub(super) texts: Arc<Texts>,
}

/// An e-mail template with all its locales, ready to render.
#[derive(Debug)]
pub struct Template {
    pub(super) base: Variant,
    /// The locales, by lower-case tag. Files that a locale does not have are inherited.
    pub(super) locales: BTreeMap<String, Variant>,
    pub(super) partials: BTreeMap<String, Part>,
    /// The attachments, by name.
    pub(super) attachments: BTreeMap<String, Part>,
    /// The time zone that determines the dates of timestamps.
    pub(super) time_zone: TimeZone,
    /// Sample data for previews.
    pub(super) sample: Option<Sample>,
    /// Warnings about the folder.
    warnings: Vec<TemplateProblem>,
}

impl Template {
    /// Loads the template `name` from a folder of templates. `locale` is the language of its base
    /// folder, and `time_zone` determines the dates of timestamps.
    ///
    /// # Errors
    /// Returns all problems of the template's files: missing, unreadable, too large, or invalid. If
    /// the template does not exist, returns a single problem whose path is the template's folder.
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
            let message = format!("unknown template `{name}`");
            let fault = Fault::new(codes::TEMPLATE_MISSING, 0..0, message)
                .help(did_you_mean(name, known.iter().map(String::as_str)));
            return Err(vec![fault.in_file(&at)]);
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
                    "a template requires `{SUBJECT}` and `{MJML}` (or `{HTML}`); `{TEXT}` and `{TEXTS}` are optional"
                );
                let fault = Fault::new(codes::TEMPLATE_MISSING, 0..0, message).help(help);
                loader.problems.push(fault.in_file(&format!("{at}/{file}")));
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
                let name = entry.to_owned();
                locales.insert(entry.to_ascii_lowercase(), Folder { name, ..own });
            } else {
                let message = format!("`{entry}` is not a locale");
                let fault = Fault::new(codes::TEMPLATE_MISSING, 0..0, message);
                let help = "name the folder after a locale, such as `de` or `pt-BR`".to_owned();
                loader.problems.push(fault.help(help).in_file(&below));
            }
        }
        let (Some(subject), Some(html), true) =
            (base.subject, base.html, loader.problems.is_empty())
        else {
            return Err(loader.problems);
        };
        let texts = base.texts.unwrap_or_default();
        loader.compare_texts(&at, locale, &locales, &texts);
        let sample = base.sample;
        let base = Variant { locale: Arc::from(locale), subject, html, text: base.text, texts };
        let locales = with_inherited_files(&locales, &base);
        let (notes, time_zone) = (loader.notes, time_zone.clone());
        Ok(Self { base, locales, partials, attachments, time_zone, sample, warnings: notes })
    }

    /// Returns the names of the templates in a folder.
    pub fn names(files: &dyn Files, folder: &str) -> Vec<String> {
        let entries = files.list(folder);
        let folders = entries.iter().filter_map(|entry| entry.strip_suffix('/'));
        folders.filter(|name| *name != PARTIALS_FOLDER).map(str::to_owned).collect()
    }

    /// Returns the lower-case tags of the locales with their own files.
    pub fn locales(&self) -> impl Iterator<Item = &str> {
        self.locales.keys().map(String::as_str)
    }

    /// Returns the names of the attachments.
    pub fn attachments(&self) -> impl Iterator<Item = &str> {
        self.attachments.keys().map(String::as_str)
    }

    /// Returns the HTML of the base folder with its Handlebars tags: the generated HTML if the
    /// source is MJML.
    pub fn html_text(&self) -> &str {
        &self.base.html.rendered().text
    }

    /// Returns the texts of the base folder by name, with their Handlebars tags.
    pub fn locale_texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.base.texts.iter().map(|(name, part)| (name.as_str(), part.text.as_str()))
    }

    /// Returns the locale of the base folder.
    pub fn default_locale(&self) -> &str {
        &self.base.locale
    }

    pub(super) fn variants(&self) -> impl Iterator<Item = &Variant> {
        std::iter::once(&self.base).chain(self.locales.values())
    }

    pub(super) fn warnings(&self) -> impl Iterator<Item = &TemplateProblem> {
        self.warnings.iter().chain(self.variants().flat_map(|variant| &variant.html.warnings))
    }
}

/// Adds the files and texts that a locale does not have, from the next locale that it falls back to
/// or from the base folder.
fn with_inherited_files(
    locales: &BTreeMap<String, Folder>,
    base: &Variant,
) -> BTreeMap<String, Variant> {
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

/// The files of one folder.
#[derive(Default)]
struct Folder {
    /// The name of a locale's folder.
    name: String,
    subject: Option<Arc<Part>>,
    html: Option<Arc<Html>>,
    text: Option<Arc<Part>>,
    texts: Option<Arc<Texts>>,
    sample: Option<Sample>,
}

struct Loader<'f> {
    files: &'f dyn Files,
    /// The folder of the shared partials.
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

    /// Loads the template's files from a folder.
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
                        Arc::new(Html { source, generated: None, included, warnings: notes })
                    });
                }
                MJML => folder.html = self.mjml(&path).map(Arc::new).or(folder.html),
                TEXTS => folder.texts = self.texts(&path).map(Arc::new),
                SAMPLE => folder.sample = self.text(&path).map(|text| Sample { path, text }),
                other if other.ends_with(PARTIAL_SUFFIX) || other.ends_with(MJML_SUFFIX) => {
                    let message = format!("`{entry}` is not a template file and is ignored");
                    let help = closest(entry, FILES).map(|file| format!("did you mean `{file}`?"));
                    let fault = Fault::new(codes::TEMPLATE_MISSING, 0..0, message).help(help);
                    self.notes.push(fault.warning().in_file(&path));
                }
                _ => {}
            }
        }
        if entries.iter().any(|entry| entry == HTML) && entries.iter().any(|entry| entry == MJML) {
            let message = format!("found both `{MJML}` and `{HTML}`, but a template uses only one");
            let fault = Fault::new(codes::TEMPLATE_MISSING, 0..0, message);
            self.problems
                .push(fault.help("remove one of them".to_owned()).in_file(&format!("{at}/{HTML}")));
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

    /// Loads the attachments: files with the name of the attachment and the suffix `.hbs`.
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
                    let message = format!("invalid attachment name `{entry}`");
                    let help = "use a name such as `receipt.csv.hbs`, `receipt.html.hbs` or `receipt.txt.hbs`, with only ASCII letters and digits";
                    let fault = Fault::new(codes::TEMPLATE_MISSING, 0..0, message);
                    self.problems.push(fault.help(help.to_owned()).in_file(&path));
                }
            }
        }
        attachments
    }

    fn collect_problems<T>(&mut self, result: Result<T, Vec<TemplateProblem>>) -> Option<T> {
        result.map_err(|problems| self.problems.extend(problems)).ok()
    }

    fn text(&mut self, path: &str) -> Option<String> {
        self.collect_problems(read(self.files, path))
    }

    fn part(&mut self, path: &str) -> Option<Part> {
        let text = self.text(path)?;
        self.collect_problems(Part::of_file(path, &text))
    }

    fn html(&mut self, path: &str) -> Option<Part> {
        let source = self.part(path)?;
        self.collect_problems(
            check_depth(path, &mjml::masked(&source.text), HTML_DEPTH_MAX).map(|()| source),
        )
    }

    fn texts(&mut self, path: &str) -> Option<Texts> {
        let text = self.text(path)?;
        let texts = texts(path, &text, &mut self.notes);
        self.collect_problems(texts)
    }

    fn mjml(&mut self, path: &str) -> Option<Html> {
        let source = self.part(path)?;
        let compiled = mjml::compile(path, &source.text, &self.includes);
        let compiled = self.collect_problems(compiled)?;
        let mut included = Vec::new();
        for name in &compiled.included {
            let Some((path, text)) = self.includes.get(name).cloned() else { continue };
            included.push(Arc::new(self.collect_problems(Part::of_file(&path, &text))?));
        }
        // The tags of the source are valid, so MJML must have moved them.
        let made = Part::of_generated(path, &compiled.html).map_err(|_| {
            let message = "MJML separates Handlebars tags that belong together";
            let fault = Fault::new(codes::TEMPLATE_MJML, 0..0, message);
            vec![
                fault
                    .help("put blocks that surround elements into `<mj-raw>`".to_owned())
                    .in_file(path),
            ]
        });
        let made = Some(self.collect_problems(made)?);
        Some(Html { source, generated: made, included, warnings: compiled.warnings })
    }

    /// Warns about texts that a translation does not have, and about texts that only a translation
    /// has. `locale` is that of the base folder.
    fn compare_texts(
        &mut self,
        at: &str,
        locale: &str,
        locales: &BTreeMap<String, Folder>,
        base: &Texts,
    ) {
        let is_base = |tag: &str| candidates(locale).next().is_some_and(|base| base == tag);
        let has_texts = |tag: &str| locales.get(tag).is_some_and(|folder| folder.texts.is_some());
        for (tag, folder) in locales {
            let Some(own) = &folder.texts else { continue };
            // A folder such as `de-AT` only overrides texts of `de`. Texts that `de` does not have
            // are reported there.
            if !candidates(tag).skip(1).any(|tag| is_base(&tag) || has_texts(&tag)) {
                self.warn_untranslated(&format!("{at}/{}/{TEXTS}", folder.name), folder, base);
            }
            for (name, part) in own.iter().filter(|(name, _)| !base.contains_key(*name)) {
                let message = format!("the text `{name}` does not exist in the base folder");
                let help = did_you_mean(name, base.keys().map(String::as_str));
                let whole = 0..part.text.len();
                let fault = Fault::new(codes::TEMPLATE_LOCALE, whole, message).help(help);
                self.notes.push(part.problem(fault.warning()));
            }
        }
    }

    fn warn_untranslated(&mut self, path: &str, folder: &Folder, base: &Texts) {
        let is_translated = |name| folder.texts.as_ref().is_some_and(|own| own.contains_key(name));
        for name in base.keys().filter(|name| !is_translated(*name)) {
            let message = format!("the text `{name}` is not translated into `{}`", folder.name);
            let help = "translate it; until then, the text of the base folder is used".to_owned();
            let fault = Fault::new(codes::TEMPLATE_LOCALE, 0..0, message).help(help);
            self.notes.push(fault.warning().in_file(path));
        }
    }
}
