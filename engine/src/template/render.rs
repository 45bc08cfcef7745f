//! Rendering: data in, three texts out.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use handlebars::{Context, Handlebars, Output, RenderContext, RenderErrorReason, Renderable as _};

use super::load::{Part, Template, Variant};
use super::locale::candidates;
use crate::value::Value;

/// The most bytes that one part of a mail may be rendered to.
pub const RENDERED_BYTES_MAX: usize = 10 * 1024 * 1024;

/// The most characters of a subject; what is longer is cut off.
pub const SUBJECT_CHARS_MAX: usize = 998;

/// A mail's texts.
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
        // What a mail says is personal.
        f.debug_struct("Rendered").finish_non_exhaustive()
    }
}

/// Why a template could not be rendered. What it was rendered from is not repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The result is too large.
    #[error("`{path}` renders to more than {RENDERED_BYTES_MAX} bytes")]
    TooLarge {
        /// The file.
        path: String,
    },
    /// The data is not of the type that the template was checked for.
    #[error("`{path}` does not fit its data at line {line}: {cause}")]
    Unfit {
        /// The file, or the one that includes it.
        path: String,
        /// The line, from 1; 0 if it is not known.
        line: usize,
        /// The name that is missing, or what else is wrong.
        cause: String,
    },
}

/// Text with an end.
struct Bounded {
    text: String,
    full: bool,
}

impl Output for Bounded {
    fn write(&mut self, segment: &str) -> std::io::Result<()> {
        if self.text.len() + segment.len() > RENDERED_BYTES_MAX {
            self.full = true;
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.text.push_str(segment);
        Ok(())
    }
}

impl Template {
    /// Renders the three parts for a locale, or in the language of the base folder.
    ///
    /// # Errors
    /// When the result is too large, or the data is not of the type that [`Template::check`] was asked about.
    pub fn render(&self, data: &Value, locale: Option<&str>) -> Result<Rendered, TemplateError> {
        let variant = self.variant(locale);
        let context = Context::wraps(data).map_err(|_| TemplateError::Unfit {
            path: variant.subject.path.clone(),
            line: 0,
            cause: "the data cannot be written as JSON".to_owned(),
        })?;
        let subject = rendered(&self.plain, &variant.subject, &context)?;
        Ok(Rendered {
            subject: one_line(&subject),
            text: rendered(&self.plain, &variant.text, &context)?,
            html: rendered(&self.html, &variant.html, &context)?,
        })
    }

    fn variant(&self, locale: Option<&str>) -> &Variant {
        if self.locales.is_empty() {
            return &self.base;
        }
        let mut tags = locale.into_iter().flat_map(candidates);
        tags.find_map(|tag| self.locales.get(&tag)).unwrap_or(&self.base)
    }
}

fn rendered(
    registry: &Handlebars<'static>,
    part: &Arc<Part>,
    context: &Context,
) -> Result<String, TemplateError> {
    let expected = part.rendered_max.load(Ordering::Relaxed).max(part.text.len());
    let mut out = Bounded { text: String::with_capacity(expected), full: false };
    let result = part.tree.render(registry, context, &mut RenderContext::new(None), &mut out);
    if out.full {
        return Err(TemplateError::TooLarge { path: part.path.clone() });
    }
    result.map_err(|error| TemplateError::Unfit {
        path: part.path.clone(),
        line: error.line_no.unwrap_or(0),
        cause: match error.reason() {
            RenderErrorReason::MissingVariable(Some(name)) => format!("`{name}` is missing"),
            _ => "a value is of another type".to_owned(),
        },
    })?;
    part.rendered_max.fetch_max(out.text.len(), Ordering::Relaxed);
    Ok(out.text)
}

/// Makes one line of a rendered subject: what is in the data may hold line breaks and other control characters.
fn one_line(subject: &str) -> String {
    // U+2028 and U+2029 are line breaks, too.
    let breaks = |char: char| char.is_control() || matches!(char, '\u{2028}' | '\u{2029}');
    let plain = subject.trim().chars().map(|char| if breaks(char) { ' ' } else { char });
    plain.take(SUBJECT_CHARS_MAX).collect()
}
