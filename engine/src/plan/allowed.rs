//! Comments that allow a warning on a line: `# oms: allow OMS0416`.

use std::sync::Arc;

use oms_core::diagnostic::{Code, Diagnostic, Label, Place, Report, Severity, Source, codes};
use oms_core::document::{Comment, Document, Files, Node, NodeValue};
use oms_template::PARTIALS_FOLDER;

use crate::pipeline::Pipeline;

/// A comment that allows warnings.
struct Allow<'d> {
    comment: Comment<'d>,
    codes: Vec<Code>,
    /// The line whose warnings are allowed.
    line: usize,
}

/// A file or a folder that the pipeline file refers to, with the place of the reference. A comment
/// at that place allows warnings in the file or folder, because JSON and templates cannot contain
/// `# oms:` comments.
pub(super) struct NamedFile {
    path: Arc<str>,
    is_folder: bool,
    place: Place,
}

impl NamedFile {
    /// Returns the entry for a file.
    pub(super) const fn file(path: Arc<str>, place: Place) -> Self {
        Self { path, is_folder: false, place }
    }

    /// Returns entries for the template folders that the steps refer to, and for the folder of
    /// shared partials.
    pub(super) fn templates(pipeline: &Pipeline, files: &dyn Files) -> Vec<Self> {
        let Some(mail) = &pipeline.mail else { return Vec::new() };
        let folder = mail.templates.trim_end_matches('/');
        let steps = pipeline.steps.iter().filter_map(|step| {
            let template = step.section.as_ref()?.with.get("template")?.as_str()?;
            Some((template, Place::value(step.route.key("with").key("template"))))
        });
        let named = steps.flat_map(|(template, place)| {
            [template, PARTIALS_FOLDER].map(|name| Self {
                path: files.shown(&format!("{folder}/{name}")),
                is_folder: true,
                place: place.clone(),
            })
        });
        named.collect()
    }

    fn has(&self, path: &str) -> bool {
        match path.strip_prefix(&*self.path) {
            Some(rest) if self.is_folder => rest.starts_with('/'),
            Some(rest) => rest.is_empty(),
            None => false,
        }
    }
}

/// Drops the warnings that the comments of a file allow, and warns about comments without effect.
pub(super) fn apply(document: &Document, named: &[NamedFile], report: &mut Report) {
    let comments = document.comments_with("oms");
    if comments.is_empty() {
        return;
    }
    let source = Source::new(Arc::clone(document.text()));
    let mut useless: Vec<Diagnostic> = Vec::new();
    let mut allows: Vec<Allow<'_>> = Vec::new();
    for comment in comments {
        match read(comment.text) {
            None => {}
            Some(Ok(codes)) => {
                let line = if comment.alone {
                    line_below(document.text(), comment.line)
                } else {
                    comment.line
                };
                allows.push(Allow { comment, codes, line });
            }
            Some(Err(error)) => {
                let named = comment.text.split([' ', '\t', ',', ':', ';', '.']);
                let code = named.into_iter().find_map(Code::find).unwrap_or(codes::MAY_NOT_FIT);
                useless.push(finding(document, &comment, error.to_string(), &allow_help(code)));
            }
        }
    }
    let line_of = |byte: usize| source.line_column(byte).0;
    // A comment allows warnings on its line, in a multi-line text whose key is on its line, and in
    // a file that the pipeline refers to on its line.
    let lines = |diagnostic: &Diagnostic| -> Vec<usize> {
        let Some(label) = diagnostic.primary() else { return Vec::new() };
        if label.path == *document.path() {
            let key = key_of(document.root(), label.span.start);
            return [Some(label.span.start), key].into_iter().flatten().map(line_of).collect();
        }
        let named = named.iter().filter(|named| named.has(&label.path));
        named.map(|named| line_of(document.span(&named.place).start)).collect()
    };
    let found: Vec<(Code, Severity, Vec<usize>)> = report
        .diagnostics()
        .iter()
        .map(|diagnostic| (diagnostic.code, diagnostic.severity, lines(diagnostic)))
        .collect();
    // An error may hide the warning.
    let complete = report.is_ok();
    for allow in &allows {
        for code in &allow.codes {
            let here = |severity: Severity| {
                found.iter().any(|(found, found_severity, lines)| {
                    (found, *found_severity) == (code, severity) && lines.contains(&allow.line)
                })
            };
            if here(Severity::Error) {
                let message = format!("{code} is an error here, but only warnings can be allowed");
                let help = "fix the error and delete the comment";
                useless.push(finding(document, &allow.comment, message, help));
            } else if complete && !here(Severity::Warning) {
                let message = format!("there is no warning {code} on line {}", allow.line);
                useless.push(finding(document, &allow.comment, message, &allow_help(*code)));
            }
        }
    }
    report.retain(|diagnostic| {
        let lines = lines(diagnostic);
        let is_allowed = |allow: &Allow<'_>| {
            lines.contains(&allow.line) && allow.codes.contains(&diagnostic.code)
        };
        diagnostic.severity == Severity::Error || !allows.iter().any(is_allowed)
    });
    useless.into_iter().for_each(|diagnostic| report.push(diagnostic));
}

/// Why a comment for `oms` has no effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum CommentError {
    /// The comment names a code, but has an unknown verb or no colon.
    #[error("invalid comment `{0}`")]
    Invalid(String),
    /// The comment names a code twice.
    #[error("duplicate code {0}")]
    DuplicateCode(Code),
    /// The code does not exist, or is spelled in another way.
    #[error("unknown code `{0}`")]
    UnknownCode(String),
    /// The comment names no code.
    #[error("the comment has no code")]
    NoCode,
}

/// Parses a comment. Returns `None` if it is not meant for `oms`, and otherwise the allowed codes.
fn read(text: &str) -> Option<Result<Vec<Code>, CommentError>> {
    let rest = text.strip_prefix("oms")?;
    let (colon, rest) = match rest.trim_start().strip_prefix(':') {
        Some(rest) => (true, rest),
        None => (false, rest.strip_prefix([' ', '-'])?),
    };
    let mut words = rest.split([' ', '\t', ',']).filter(|word| !word.is_empty()).peekable();
    let verb = words.next()?.trim_end_matches(':');
    let is_code = |word: &str| {
        word.len() >= 3
            && word.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("oms"))
            && word.get(3..).is_some_and(|digits| digits.starts_with(|c: char| c.is_ascii_digit()))
    };
    let names_code = words.peek().is_some_and(|word| is_code(word));
    match (verb, colon) {
        ("allow", true) => {}
        // Another verb or a missing colon, followed by a code, is a mistake and not prose.
        _ if names_code => return Some(Err(CommentError::Invalid(text.to_owned()))),
        _ => return None,
    }
    let mut accepted = Vec::new();
    // The first word that is not a code begins a note for readers.
    for word in words.take_while(|word| is_code(word)) {
        match Code::find(word)
            .filter(|code| code.to_string() == word.trim_end_matches([':', ';', '.']))
        {
            Some(code) if !accepted.contains(&code) => accepted.push(code),
            Some(code) => return Some(Err(CommentError::DuplicateCode(code))),
            None => return Some(Err(CommentError::UnknownCode(word.to_owned()))),
        }
    }
    if accepted.is_empty() {
        return Some(Err(CommentError::NoCode));
    }
    Some(Ok(accepted))
}

/// Returns the start of the key whose text contains a byte.
fn key_of(node: &Node, byte: usize) -> Option<usize> {
    match &node.value {
        NodeValue::Map(entries) => entries.iter().find_map(|entry| {
            let is_text = matches!(entry.node.value, NodeValue::Text(_));
            match is_text && entry.node.span.contains(&byte) {
                true => Some(entry.key_span.start),
                false => key_of(&entry.node, byte),
            }
        }),
        NodeValue::List(elements) => elements.iter().find_map(|element| key_of(element, byte)),
        _ => None,
    }
}

/// Returns the next line that is neither empty nor only a comment.
fn line_below(text: &str, line: usize) -> usize {
    let below = text.lines().enumerate().skip(line);
    let content = below.map(|(position, content)| (position + 1, content.trim_start()));
    let mut content =
        content.filter(|(_, content)| !content.is_empty() && !content.starts_with('#'));
    content.next().map_or(line + 1, |(line, _)| line)
}

/// Returns a help text on how to allow a warning.
fn allow_help(code: Code) -> String {
    format!(
        "write `# oms: allow {code}` at the end of the line with the warning or on a separate line above it, or delete the comment"
    )
}

fn finding(document: &Document, comment: &Comment<'_>, message: String, help: &str) -> Diagnostic {
    Diagnostic {
        code: codes::USELESS_ALLOW,
        severity: Severity::Warning,
        message,
        labels: vec![Label {
            path: Arc::clone(document.path()),
            span: comment.span.clone(),
            text: "has no effect".to_owned(),
            primary: true,
        }],
        help: Some(help.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_comments_for_oms_are_parsed() {
        for text in
            ["oms runs order flows", "oms: 1", "oms", "omsx: allow OMS0416", "oms: the engine"]
        {
            assert_eq!(read(text), None, "{text}");
        }
        let codes = |text: &str| {
            let read = read(text)?.ok()?;
            Some(read.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(codes("oms: allow OMS0416").as_deref(), Some("OMS0416"));
        assert_eq!(
            codes("oms:allow OMS0416, OMS0302 (the shop checks it)").as_deref(),
            Some("OMS0416 OMS0302")
        );
        for text in [
            "oms: allow",
            "oms: allow OMS9999",
            "oms: ignore OMS0416",
            "oms allow OMS0416",
            "oms: allow oms0416",
            "oms: allow OMS0416 OMS0416",
        ] {
            assert!(matches!(read(text), Some(Err(_))), "{text}");
        }
    }

    #[test]
    fn a_comment_on_a_separate_line_applies_to_the_next_line_with_content() {
        assert_eq!(line_below("# a\n\n  # b\nx: 1\n", 1), 4);
    }
}
