//! The texts of an e-mail: `texts.yaml` maps names to texts, with one file per locale. Texts may
//! use the same tags and data as the e-mail.

use std::collections::BTreeMap;
use std::sync::Arc;

use oms_core::diagnostic::{Place, Route, codes};
use oms_core::document::{Document, Node, NodeValue, parse_texts, quoted};

use super::part::Part;
use super::problem::{Fault, TemplateProblem};
use super::program::escape_fixed_text;

/// Name of the file with the texts.
pub(super) const TEXTS: &str = "texts.yaml";

/// The texts of a locale, by name.
pub(super) type Texts = BTreeMap<String, Arc<Part>>;

/// Parses a file of texts, and adds its warnings to `notes`.
///
/// # Errors
/// Returns all problems: invalid YAML, a file that is not a map of texts, or invalid Handlebars.
pub(super) fn texts(
    path: &str,
    file: &str,
    notes: &mut Vec<TemplateProblem>,
) -> Result<Texts, Vec<TemplateProblem>> {
    let document = match parse_texts(&Arc::from(path), file.as_bytes()) {
        Ok(document) => Arc::new(document),
        Err((_, finding)) => {
            let span = finding.primary().map_or(0..0, |label| label.span.clone());
            let fault = Fault::new(finding.code, span, finding.message);
            return Err(vec![fault.help(finding.help).in_file(path)]);
        }
    };
    let mut texts = Texts::new();
    let mut problems = Vec::new();
    let json = document.root().to_json();
    if !json.is_object() {
        let fault =
            Fault::new(codes::WRONG_SHAPE, 0..0, "the file must be a map from names to texts");
        return Err(vec![
            fault.help("write entries such as `title: Thank you`".to_owned()).in_file(path),
        ]);
    }
    for entry in document.root().entries() {
        let name = entry.key.as_ref();
        let route = Route::root().key(name);
        let Some(text) = entry.node.as_text() else {
            let span = document.span(&Place::value(route));
            let fault = Fault::new(codes::WRONG_SHAPE, span, format!("`{name}` must be text"));
            let help = quoting_help(document.text(), &entry.node);
            problems.push(fault.help(help).in_file(path));
            continue;
        };
        notes.extend(comment_warning(&document, &route).map(|fault| fault.in_file(path)));
        match Part::of_entry(path, text, &document, route) {
            Ok(mut part) => {
                escape_fixed_text(&mut part.program);
                texts.insert(name.to_owned(), Arc::new(part));
            }
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(texts) } else { Err(problems) }
}

/// Warns about a text if YAML treats the rest of its line as a comment and the rest contains a tag.
fn comment_warning(document: &Document, route: &Route) -> Option<Fault> {
    let line = document.value_with_comment(route)?;
    let span = document.span(&Place::value(route.clone()));
    if !line.get(span.len()..)?.contains("{{") {
        return None;
    }
    let message = "the text is cut off, because ` #` starts a comment in YAML";
    let help = format!("put quotes around it: `{}`", quoted(line));
    Some(Fault::new(codes::TEMPLATE_SYNTAX, span, message).help(help).warning())
}

/// Returns the help for a value that must be quoted to be text.
fn quoting_help(file: &str, node: &Node) -> String {
    let rest = file.get(node.span.start..).unwrap_or_default();
    let line = rest.lines().next().unwrap_or_default().trim_end();
    match node.value {
        NodeValue::Null if node.span.is_empty() => "write the text in quotes".to_owned(),
        // A list or a map in block style has no quoted form.
        NodeValue::List(_) | NodeValue::Map(_) if !line.starts_with(['{', '[']) => {
            "write a single text in quotes".to_owned()
        }
        NodeValue::List(_) | NodeValue::Map(_) => {
            format!("put quotes around the text: `{}`", quoted(line))
        }
        _ => {
            let source = file.get(node.span.clone()).unwrap_or_default();
            format!("put quotes around the text: `{}`", quoted(source))
        }
    }
}
