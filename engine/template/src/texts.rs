//! The words of a mail: `texts.yaml`, a name and a text each, one file per locale. Texts may use what the mail may use.

use std::collections::BTreeMap;
use std::sync::Arc;

use oms_core::diagnostic::{Place, Route, codes};
use oms_core::document::{Document, Node, NodeValue, parse_texts, quoted};

use super::part::Part;
use super::problem::{Fault, TemplateProblem};
use super::program::spoken;

/// The file's name.
pub(super) const TEXTS: &str = "texts.yaml";

/// The texts of a locale by their names.
pub(super) type Texts = BTreeMap<String, Arc<Part>>;

/// Reads a file of texts, and adds to `notes` what is odd about it.
///
/// # Errors
/// With all problems: no YAML, no map of texts, no Handlebars.
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
            return Err(vec![fault.help(finding.help).within(path)]);
        }
    };
    let mut texts = Texts::new();
    let mut problems = Vec::new();
    let json = document.root().to_json();
    if !json.is_object() {
        let fault = Fault::new(codes::WRONG_SHAPE, 0..0, "texts are a map of names to texts");
        return Err(vec![fault.help("such as `title: Thank you`".to_owned()).within(path)]);
    }
    for entry in document.root().entries() {
        let name = entry.key.as_ref();
        let route = Route::root().key(name);
        let Some(text) = entry.node.as_text() else {
            let span = document.span(&Place::value(route));
            let fault = Fault::new(codes::WRONG_SHAPE, span, format!("`{name}` is not a text"));
            let help = in_quotes(document.text(), &entry.node);
            problems.push(fault.help(help).within(path));
            continue;
        };
        notes.extend(cut_by_comment(&document, &route).map(|fault| fault.within(path)));
        match Part::of_entry(path, text, &document, route) {
            Ok(mut part) => {
                spoken(&mut part.program);
                texts.insert(name.to_owned(), Arc::new(part));
            }
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(texts) } else { Err(problems) }
}

/// Warns of a text of which YAML took a part with a value in it for a comment.
fn cut_by_comment(document: &Document, route: &Route) -> Option<Fault> {
    let line = document.value_with_comment(route)?;
    let span = document.span(&Place::value(route.clone()));
    if !line.get(span.len()..)?.contains("{{") {
        return None;
    }
    let message = "the text is cut off: in YAML, ` #` begins a comment";
    let help = format!("put quotes around it: `{}`", quoted(line));
    Some(Fault::new(codes::TEMPLATE_SYNTAX, span, message).help(help).warning())
}

/// Says how a value that is no text is written as one.
fn in_quotes(file: &str, node: &Node) -> String {
    let rest = file.get(node.span.start..).unwrap_or_default();
    let line = rest.lines().next().unwrap_or_default().trim_end();
    match node.value {
        NodeValue::Null if node.span.is_empty() => "write the text in quotes".to_owned(),
        // A list or a map in flow style, which was meant as text.
        NodeValue::List(_) | NodeValue::Map(_) if !line.starts_with(['{', '[']) => {
            "write one text in quotes".to_owned()
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
