//! Explains why a text is not valid YAML, with the place of the cause and a help text.
//!
//! The YAML reader reports where it stopped. The cause is often before that place, such as an
//! unquoted expression or a tab.

use std::ops::Range;

use serde_saphyr::budget::BudgetBreach;

use super::limits::{ALIASES_MAX, DEPTH_MAX, NODES_MAX};
use super::quote::{
    expression_key, open_expression, quoted, requoted, unquoted_value, whole_value,
};
use crate::diagnostic::{Code, codes};

/// The content of a file. It determines the probable meaning of an unquoted brace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FileContent {
    /// A pipeline or a schema, where an expression is `${{ }}`.
    Expressions,
    /// The texts of an e-mail template, where `{{ }}` inserts a value.
    Texts,
}

/// Why a text cannot be parsed.
pub(super) struct YamlError {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) span: Range<usize>,
    pub(super) help: Option<String>,
}

impl YamlError {
    /// Explains an error that the YAML reader reported at `span`.
    pub(super) fn explain(
        error: &serde_saphyr::Error,
        text: &str,
        span: Range<usize>,
        content: FileContent,
    ) -> Self {
        let mut error = error.without_snippet();
        // Errors in expanded aliases are wrapped.
        while let serde_saphyr::Error::AliasError { error: inner, .. } = error {
            error = inner;
        }
        let reader_message = error.to_string();
        let reason = reader_message.split(" at line ").next().unwrap_or(&reader_message);
        let help = |help: &str| Some(help.to_owned());
        let (code, message, help) = match error {
            serde_saphyr::Error::DuplicateMappingKey { key, .. } => {
                let message = match key {
                    Some(key) => format!("duplicate key `{key}`"),
                    None => "duplicate key".to_owned(),
                };
                let help = help("keep one key; YAML parsers differ in which key they use");
                (codes::DUPLICATE_KEY, message, help)
            }
            serde_saphyr::Error::Budget { breach, .. } => {
                (codes::DOCUMENT_LIMIT, limit_message(breach), None)
            }
            serde_saphyr::Error::MultipleDocuments { .. } => (
                codes::YAML_SYNTAX,
                "the file has more than one document".to_owned(),
                help("keep one pipeline per file; remove the line `---` and everything after it"),
            ),
            // Deep nesting in one line exceeds the scanner's own limit first.
            _ if reason.contains("recursion limit") => (
                codes::DOCUMENT_LIMIT,
                format!("the file is nested more than {DEPTH_MAX} levels deep"),
                None,
            ),
            _ => return Self::syntax(reason, text, span, content),
        };
        Self { code, message, span, help }
    }

    fn syntax(reader_message: &str, text: &str, span: Range<usize>, content: FileContent) -> Self {
        let code = codes::YAML_SYNTAX;
        let at_tab = if reader_message.contains("tab") {
            indenting_tab(text, span.start)
        } else {
            // Before the first key, the reader takes indented text for a separate document.
            let first = reader_message
                .contains("<document start>")
                .then(|| indenting_tab(text, 0))
                .flatten();
            first.filter(|tab| tab.start < span.start)
        };
        if let Some(span) = at_tab {
            let message = "YAML does not allow tabs as indentation".to_owned();
            return Self { code, message, span, help: Some("use spaces".to_owned()) };
        }
        let at = span.start;
        if let Some(span) =
            unquoted_braces(text, at).filter(|_| content == FileContent::Expressions)
        {
            let expression = format!("${}", text.get(span.clone()).unwrap_or_default());
            let message = "an expression begins with `${{` and must be in quotes here".to_owned();
            let help = format!("write the expression in quotes: `{}`", quoted(&expression));
            return Self { code, message, span, help: Some(help) };
        }
        // Only a key has to be a text here.
        if reader_message == "expected string scalar" && unquoted_braces(text, at).is_none() {
            let what = if text.get(at..).is_some_and(|rest| rest.starts_with('[')) {
                "a list"
            } else {
                "a map"
            };
            let message = format!("a key must be text, not {what}");
            return Self { code, message, span, help: Some("put the key in quotes".to_owned()) };
        }
        if content == FileContent::Expressions {
            if let Some(span) = expression_key(text, at) {
                let message = "a key cannot be an expression".to_owned();
                return Self { code, message, span, help: Some("write a fixed key".to_owned()) };
            }
            if let Some(span) = open_expression(text, at) {
                let source = text.get(span.clone()).unwrap_or_default();
                let line = source.split_whitespace().collect::<Vec<_>>().join(" ");
                let message = "the expression must be in quotes here".to_owned();
                let help = format!(
                    "put quotes around the expression, for example on one line: `{}`",
                    quoted(&line)
                );
                return Self { code, message, span, help: Some(help) };
            }
            if let Some((span, help)) = joined_texts(text, at) {
                let message = "`+` joins text only within an expression".to_owned();
                return Self { code, message, span, help: Some(help) };
            }
        }
        let value = match content {
            FileContent::Expressions => {
                unquoted_value(text, at, reader_message.starts_with("mapping values"))
            }
            FileContent::Texts => whole_value(text, at),
        };
        let source = |value: &Range<usize>| text.get(value.clone()).unwrap_or_default();
        let (message, span, help) = match (requoted(text, at), value) {
            (Some(value), _) => (
                "the text ends early, at a quote inside it".to_owned(),
                span,
                Some(format!("use the other kind of quotes around the text: `{value}`")),
            ),
            (None, Some(value)) => {
                let what = match content {
                    FileContent::Expressions if source(&value).contains("${") => "expression",
                    _ => "text",
                };
                let help = format!(
                    "put quotes around it: `{}`",
                    quoted(&with_double_braces(source(&value)))
                );
                (format!("the {what} must be in quotes here"), value, Some(help))
            }
            (None, None) => {
                (format!("invalid YAML: {}", uncapitalized(reader_message)), span, None)
            }
        };
        Self { code, message, span, help }
    }
}

/// Writes an expression in single braces, `${ }`, with double braces.
fn with_double_braces(source: &str) -> String {
    match source.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        Some(code) if !code.starts_with('{') => format!("${{{{ {} }}}}", code.trim()),
        _ => source.to_owned(),
    }
}

/// Recognizes `"text" + ${{ … }}`, where the reader stopped after the text. Returns its bytes and
/// the help text.
fn joined_texts(text: &str, at: usize) -> Option<(Range<usize>, String)> {
    let start = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let before = text.get(start..at)?.trim_end();
    let rest = text.get(at..)?.lines().next()?;
    let operand = rest.trim_start().strip_prefix('+')?.trim_start();
    let quote = before.chars().next_back().filter(|last| matches!(last, '"' | '\''))?;
    let open = before.get(..before.len() - 1)?.rfind(quote)?;
    let fixed = before.get(open + 1..before.len() - 1)?;
    let code = operand.strip_prefix("${{")?;
    let close = code.find("}}")?;
    let written = format!("{fixed}${{{{{}}}}}", code.get(..close)?);
    let end = at + rest.len() - operand.len() + 3 + close + 2;
    Some((
        start + open..end,
        format!("write the expression within the text: `{}`", quoted(&written)),
    ))
}

/// Finds the first tab in the indentation of the line of a place or of a later line. The reader
/// stops before that tab.
fn indenting_tab(text: &str, at: usize) -> Option<Range<usize>> {
    let line = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let mut start = line;
    for line in text.get(line..)?.split_inclusive('\n') {
        let blank = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line.get(..blank)?.find('\t') {
            return Some(start + tab..start + blank);
        }
        start += line.len();
    }
    None
}

/// Recognizes an unquoted `{{ … }}`, which YAML takes for a map that is the key of a map. Returns
/// its bytes.
fn unquoted_braces(text: &str, at: usize) -> Option<Range<usize>> {
    let open = if text.get(..at)?.ends_with('{') { at - 1 } else { at };
    let rest = text.get(open..)?;
    if !rest.starts_with("{{") || text.get(..open)?.ends_with('$') {
        return None;
    }
    let line = rest.lines().next().unwrap_or_default();
    let length = line.find("}}").map_or(line.trim_end().len(), |close| close + 2);
    Some(open..open + length)
}

fn limit_message(breach: &BudgetBreach) -> String {
    match breach {
        BudgetBreach::Nodes { .. } => {
            format!("the file has more than {NODES_MAX} values once aliases are expanded")
        }
        BudgetBreach::Depth { .. } => {
            format!("the file is nested more than {DEPTH_MAX} levels deep")
        }
        BudgetBreach::Aliases { .. } => format!("the file has more than {ALIASES_MAX} aliases"),
        BudgetBreach::Documents { .. } => "the file has more than one document".to_owned(),
        _ => "the file is larger than allowed once aliases are expanded".to_owned(),
    }
}

fn uncapitalized(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    letters
        .next()
        .map_or_else(String::new, |first| format!("{}{}", first.to_lowercase(), letters.as_str()))
}
