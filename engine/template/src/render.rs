//! Renders the subject, text and HTML of an e-mail from data.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use oms_core::mail::Attachment;
use oms_core::money::Decimal;
use oms_core::time_zone::TimeZone;
use oms_core::value::Value;

use super::helpers::{Call, NUMBER_ESCAPED, NUMBER_MARK, day, is_true, number};
use super::isolation::Isolation;
use super::load::{Template, Variant};
use super::part::Part;
use super::plain::text_of;
use super::program::{Inclusion, Op, Operand, Path};
use super::texts::Texts;
use super::writer::{Escape, Writer};
use crate::locale::{Formats, PLURAL_CATEGORIES, candidates, language};

/// Maximum size in bytes of one rendered part of an e-mail.
pub const RENDERED_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Maximum number of characters of a subject. Longer subjects are truncated.
pub const SUBJECT_CHARS_MAX: usize = 998;

/// Maximum depth of nested partials. The check rejects partials that include themselves.
const INCLUSION_DEPTH_MAX: usize = 100;

/// The rendered parts of an e-mail.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line without control characters.
    pub subject: String,
    /// The body as plain text.
    pub text: String,
    /// The body as HTML.
    pub html: String,
}

impl std::fmt::Debug for Rendered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The content of an e-mail is personal data.
        f.debug_struct("Rendered").finish_non_exhaustive()
    }
}

/// An error during rendering. It does not contain the data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The rendered part is too large.
    #[error("`{path}` renders to more than {RENDERED_BYTES_MAX} bytes")]
    TooLarge {
        /// The file.
        path: String,
    },
    /// The data is not of the type that the template was checked for.
    #[error("the data does not match `{path}` at line {line}: {cause}")]
    Mismatch {
        /// The path of the file.
        path: String,
        /// The line, starting at 1, or 0 if it is unknown.
        line: usize,
        /// The missing name, or the reason.
        cause: String,
    },
}

impl Template {
    /// Renders the three parts for a locale, or in the language of the base folder.
    ///
    /// # Errors
    /// Returns an error if the result is too large, or if the data does not have the type that was
    /// passed to [`Template::check`].
    pub fn render(&self, data: &Value, locale: Option<&str>) -> Result<Rendered, TemplateError> {
        let (variant, formats) = self.variant_and_formats(locale);
        let formats = &*formats;
        let rendered = |part, escape| self.context(variant, formats).rendered(part, data, escape);
        let subject = rendered(&variant.subject, Escape::None)?;
        let html = rendered(variant.html.rendered(), Escape::Html)?;
        let text = match &variant.text {
            Some(text) => rendered(text, Escape::None)?,
            None => text_of(&html),
        };
        Ok(Rendered { subject: one_line(&subject), text, html })
    }

    /// Renders only the HTML.
    ///
    /// # Errors
    /// Returns the same errors as [`Template::render`].
    pub fn render_html(&self, data: &Value, locale: Option<&str>) -> Result<String, TemplateError> {
        let (variant, formats) = self.variant_and_formats(locale);
        self.context(variant, &formats).rendered(variant.html.rendered(), data, Escape::Html)
    }

    /// Renders the attachment with this name, or returns `None` if the template has no such
    /// attachment.
    ///
    /// # Errors
    /// Returns the same errors as [`Template::render`].
    pub fn attachment(
        &self,
        name: &str,
        data: &Value,
        locale: Option<&str>,
    ) -> Result<Option<Attachment>, TemplateError> {
        let Some(part) = self.attachments.get(name) else { return Ok(None) };
        let (variant, formats) = self.variant_and_formats(locale);
        let content = self.context(variant, &formats).rendered(part, data, escape_of(name))?;
        Ok(Some(Attachment { name: name.to_owned(), content }))
    }

    /// Returns the texts and formats for a locale. Numbers and dates use the conventions of the
    /// requested country if the texts are in the requested language.
    fn variant_and_formats(&self, locale: Option<&str>) -> (&Variant, Rc<Formats>) {
        let variant = self.variant(locale);
        let requested = locale.filter(|requested| language(requested) == language(&variant.locale));
        (variant, Formats::of(requested.unwrap_or(&variant.locale)))
    }

    fn context<'t>(&'t self, variant: &'t Variant, formats: &'t Formats) -> Context<'t> {
        let (partials, texts, time_zone) = (&self.partials, &*variant.texts, &self.time_zone);
        Context { partials, texts, formats, time_zone }
    }

    fn variant(&self, locale: Option<&str>) -> &Variant {
        if self.locales.is_empty() {
            return &self.base;
        }
        let mut tags = locale.into_iter().flat_map(candidates);
        tags.find_map(|tag| self.locales.get(&tag)).unwrap_or(&self.base)
    }
}

/// The environment of a rendering, apart from the data.
#[derive(Clone, Copy)]
struct Context<'t> {
    partials: &'t BTreeMap<String, Part>,
    texts: &'t Texts,
    formats: &'t Formats,
    time_zone: &'t TimeZone,
}

impl<'t> Context<'t> {
    fn rendered(
        self,
        part: &'t Part,
        data: &Value,
        escape: Escape,
    ) -> Result<String, TemplateError> {
        let expected = part.rendered_max.load(Ordering::Relaxed).max(part.text.len());
        let isolating = Isolation::for_direction(self.formats.is_right_to_left());
        let mut renderer = Renderer {
            context: self,
            path: &part.path,
            depth: 0,
            out: Writer::new(expected, escape, isolating),
        };
        renderer.run(&part.program, &Scope::root(data))?;
        let text = renderer.out.into_text();
        part.rendered_max.fetch_max(text.len(), Ordering::Relaxed);
        Ok(text)
    }
}

/// A context in which paths are resolved. Scopes are linked from the inside out.
struct Scope<'s> {
    this: &'s Value,
    outer: Option<&'s Self>,
    /// Block parameters, and values that the partial received.
    names: &'s [(&'s str, Cow<'s, Value>)],
    /// The position in the list and the length of the list.
    position: Option<(usize, usize)>,
}

impl<'s> Scope<'s> {
    const fn root(data: &'s Value) -> Self {
        Self { this: data, outer: None, names: &[], position: None }
    }

    fn outward(&'s self) -> impl Iterator<Item = &'s Self> {
        std::iter::successors(Some(self), |scope| scope.outer)
    }

    fn named(&'s self, name: &str) -> Option<&'s Value> {
        let mut names = self.outward().flat_map(|scope| scope.names);
        names.find(|(known, _)| *known == name).map(|(_, value)| value.as_ref())
    }

    /// Resolves a path, if it leads to a value.
    fn find(&'s self, path: &Path, formats: &Formats) -> Option<Cow<'s, Value>> {
        if path.local
            && let Some(written) = global(path.segments.first()?, formats)
        {
            return Some(Cow::Owned(Value::Text(Arc::clone(written))));
        }
        let base = match path.from_root {
            true => self.outward().last(),
            false => self.outward().nth(path.ups),
        }?;
        if path.local {
            let (at, count) = base.position?;
            return Some(Cow::Owned(match path.segments.first()?.as_ref() {
                "index" => Value::Int(i64::try_from(at).ok()?),
                "first" => Value::Bool(at == 0),
                "last" => Value::Bool(at + 1 == count),
                _ => return None,
            }));
        }
        let mut segments = path.segments.iter();
        let named = path.segments.first().filter(|_| !path.from_root).and_then(|n| self.named(n));
        let mut value = match named {
            Some(named) => {
                segments.next();
                named
            }
            None => base.this,
        };
        for name in segments {
            value = match value {
                Value::Record(record) => record.get(name)?,
                // The fields of a missing value are missing.
                Value::Missing | Value::Null => &Value::Missing,
                _ => return None,
            };
        }
        Some(Cow::Borrowed(value))
    }
}

/// Returns the value of a data variable that is available everywhere.
fn global<'f>(name: &str, formats: &'f Formats) -> Option<&'f Arc<str>> {
    let sides = formats.direction();
    Some(match name {
        "locale" => formats.tag(),
        "dir" => &sides.direction,
        "start" => &sides.start,
        "end" => &sides.end,
        _ => return None,
    })
}

struct Renderer<'t> {
    context: Context<'t>,
    /// The path of the current file.
    path: &'t str,
    depth: usize,
    out: Writer,
}

impl<'t> Renderer<'t> {
    fn run(&mut self, program: &'t [Op], scope: &Scope<'_>) -> Result<(), TemplateError> {
        program.iter().try_for_each(|op| self.step(op, scope))
    }

    fn step(&mut self, op: &'t Op, scope: &Scope<'_>) -> Result<(), TemplateError> {
        match op {
            Op::Text { text, effect } => self.write(|out| out.fixed(text, effect)),
            Op::Print { value: operand, escaped, line } => {
                let value = self.value(operand, scope, *line)?;
                match (operand, &*value) {
                    (Operand::Path(path), value) if value.is_null() => {
                        Err(self.missing_value(*line, &path.raw))
                    }
                    (operand, Value::Text(text)) if operand.is_author_text() && *escaped => {
                        self.write(|out| out.author_text(text))
                    }
                    (Operand::Call(Call::Money | Call::Number, _), Value::Text(text)) => {
                        self.write(|out| out.amount(text))
                    }
                    (_, value) => self.print(value, *escaped, *line),
                }
            }
            Op::If { condition, zero_is_true, yes, no, line } => {
                let holds = is_true(&*self.value(condition, scope, *line)?, *zero_is_true);
                self.run(if holds { yes } else { no }, scope)
            }
            Op::Each { list, names, body, none, line } => {
                let list = self.value(list, scope, *line)?;
                match list.as_list().filter(|elements| !elements.is_empty()) {
                    Some(elements) => self.each(elements, names, body, scope),
                    None => self.run(none, scope),
                }
            }
            Op::With { value, names, body, none, line } => {
                let value = self.value(value, scope, *line)?;
                if !is_true(&value, false) {
                    return self.run(none, scope);
                }
                let names: Vec<_> =
                    names.iter().map(|name| (name.as_ref(), Cow::Borrowed(&*value))).collect();
                let position = scope.position;
                self.run(body, &Scope { this: &value, outer: Some(scope), names: &names, position })
            }
            Op::Partial(inclusion) => self.partial(inclusion, scope),
            Op::LocaleText { name, line } => {
                let texts = self.context.texts;
                match texts.get(&**name).filter(|_| self.depth < INCLUSION_DEPTH_MAX) {
                    Some(part) if self.out.escape() == Escape::Csv => self.field(part, scope),
                    Some(part) => self.within(part, scope),
                    None => Err(self.missing_value(*line, name)),
                }
            }
            Op::Unknown { what, line } => Err(self.missing_value(*line, what)),
        }
    }

    fn each(
        &mut self,
        elements: &[Value],
        names: &'t [Box<str>],
        body: &'t [Op],
        scope: &Scope<'_>,
    ) -> Result<(), TemplateError> {
        for (at, element) in elements.iter().enumerate() {
            let index = Value::Int(i64::try_from(at).unwrap_or(i64::MAX));
            let given = [Cow::Borrowed(element), Cow::Owned(index)];
            let names: Vec<_> = names.iter().map(AsRef::as_ref).zip(given).collect();
            let position = Some((at, elements.len()));
            self.run(body, &Scope { this: element, outer: Some(scope), names: &names, position })?;
        }
        Ok(())
    }

    fn partial(
        &mut self,
        inclusion: &'t Inclusion,
        scope: &Scope<'_>,
    ) -> Result<(), TemplateError> {
        let partials = self.context.partials;
        let Some(part) =
            partials.get(&*inclusion.name).filter(|_| self.depth < INCLUSION_DEPTH_MAX)
        else {
            return Err(self.missing_value(inclusion.line, &inclusion.name));
        };
        let this = match &inclusion.this {
            Some(this) => self.value(this, scope, inclusion.line)?,
            None => Cow::Borrowed(scope.this),
        };
        let mut names = Vec::with_capacity(inclusion.named.len());
        for (name, value) in &inclusion.named {
            names.push((name.as_ref(), self.value(value, scope, inclusion.line)?));
        }
        let start = self.out.len();
        let position = scope.position;
        let within = Scope { this: &this, outer: Some(scope), names: &names, position };
        self.within(part, &within)?;
        self.write(|out| out.indent(start, &inclusion.indent))
    }

    /// Renders another part.
    fn within(&mut self, part: &'t Part, scope: &Scope<'_>) -> Result<(), TemplateError> {
        let outer = std::mem::replace(&mut self.path, &part.path);
        self.depth += 1;
        self.run(&part.program, scope)?;
        self.depth -= 1;
        self.path = outer;
        Ok(())
    }

    /// Renders a text as one field of CSV.
    fn field(&mut self, part: &'t Part, scope: &Scope<'_>) -> Result<(), TemplateError> {
        let outer = std::mem::replace(
            &mut self.out,
            Writer::new(part.text.len(), Escape::File, Isolation::Nothing),
        );
        let done = self.within(part, scope);
        let text = std::mem::replace(&mut self.out, outer).into_text();
        done?;
        self.write(|out| out.value(&text, true))
    }

    /// Returns the value of an operand.
    fn value<'v>(
        &self,
        operand: &'t Operand,
        scope: &'v Scope<'v>,
        line: usize,
    ) -> Result<Cow<'v, Value>, TemplateError>
    where
        't: 'v,
    {
        match operand {
            Operand::Path(path) => scope
                .find(path, self.context.formats)
                .ok_or_else(|| self.missing_value(line, &path.raw)),
            Operand::Literal(value) => Ok(Cow::Borrowed(value)),
            // Most helpers take one or two parameters, which need no allocation.
            Operand::Call(call, params) => match params.as_slice() {
                [one] => Ok(call.value(&[self.value(one, scope, line)?], self.context.formats)),
                [one, other] => {
                    let params = [self.value(one, scope, line)?, self.value(other, scope, line)?];
                    Ok(call.value(&params, self.context.formats))
                }
                params => {
                    let params = params.iter().map(|param| self.value(param, scope, line));
                    Ok(call.value(&params.collect::<Result<Vec<_>, _>>()?, self.context.formats))
                }
            },
            Operand::Date { value, time_zone } => {
                let time_zone = time_zone.as_ref().unwrap_or(self.context.time_zone);
                let day = day(&*self.value(value, scope, line)?, time_zone);
                let written = day.map(|day| Value::text(&self.context.formats.date(day)));
                Ok(Cow::Owned(written.unwrap_or(Value::Missing)))
            }
            Operand::Plural { value, forms } => {
                let number = number(&*self.value(value, scope, line)?);
                let words =
                    number.and_then(|number| plural_form(number, forms, self.context.formats));
                Ok(Cow::Owned(words.map_or(Value::Missing, |words| Value::text(&words))))
            }
            Operand::Unknown(what) => Err(self.missing_value(line, what)),
        }
    }

    fn print(&mut self, value: &Value, escaped: bool, line: usize) -> Result<(), TemplateError> {
        match value {
            Value::Text(text) => self.write(|out| out.value(text, escaped)),
            Value::Bool(_) | Value::Int(_) | Value::Decimal(_) => {
                self.write(|out| out.plain(&value.display()))
            }
            Value::Date(_) | Value::Timestamp(_) => {
                self.write(|out| out.value(&value.display(), escaped))
            }
            Value::Missing | Value::Null => Err(self.missing_value(line, "a value")),
            Value::List(_) | Value::Record(_) | Value::Json(_) => Err(TemplateError::Mismatch {
                path: self.path.to_owned(),
                line,
                cause: "a value has another type".to_owned(),
            }),
        }
    }

    fn write(
        &mut self,
        write: impl FnOnce(&mut Writer) -> std::fmt::Result,
    ) -> Result<(), TemplateError> {
        write(&mut self.out).map_err(|_| TemplateError::TooLarge { path: self.path.to_owned() })
    }

    fn missing_value(&self, line: usize, name: &str) -> TemplateError {
        let cause = format!("`{name}` is missing");
        TemplateError::Mismatch { path: self.path.to_owned(), line, cause }
    }
}

/// Returns the plural form for a number, with the number inserted.
fn plural_form(
    number: Decimal,
    forms: &[(Box<str>, Box<str>)],
    formats: &Formats,
) -> Option<String> {
    let of = |category: &str| forms.iter().find(|(name, _)| &**name == category);
    let [.., other] = PLURAL_CATEGORIES;
    let (_, words) = of(formats.plural(number)).or_else(|| of(other))?;
    let number = formats.number(number);
    let mut written = String::with_capacity(words.len() + number.len());
    let mut pieces = words.split(NUMBER_ESCAPED).peekable();
    while let Some(piece) = pieces.next() {
        written.push_str(&piece.replace(NUMBER_MARK, &number));
        if pieces.peek().is_some() {
            written.push(NUMBER_MARK);
        }
    }
    Some(written)
}

/// Returns the escaping for an attachment with this name.
pub(super) fn escape_of(name: &str) -> Escape {
    match name.rsplit_once('.') {
        Some((_, "html")) => Escape::Html,
        Some((_, "csv")) => Escape::Csv,
        _ => Escape::File,
    }
}

/// Replaces line breaks and other control characters, which the data may contain, so that the
/// subject is a single line.
fn one_line(subject: &str) -> String {
    // U+2028 and U+2029 are also line breaks.
    let breaks = |char: char| char.is_control() || matches!(char, '\u{2028}' | '\u{2029}');
    let plain = subject.trim().chars().map(|char| if breaks(char) { ' ' } else { char });
    plain.take(SUBJECT_CHARS_MAX).collect()
}
