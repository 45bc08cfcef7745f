//! Checks for elements and text in positions where MJML does not allow them. `mrml` renders them
//! anyway. MJML's own renderer reports an error for such an element and renders it, unless its
//! validation is strict. It leaves out such text.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use oms_core::diagnostic::codes;

use super::markup::{Piece, VOID, slice};
use super::mjml_source::{STRUCTURE, UNCOMMENTED, placeholders};
use super::problem::Fault;

/// Extracted from the npm packages of MJML; see `data/SOURCES.md`.
static CHILDREN: LazyLock<BTreeMap<&str, Vec<&str>>> = LazyLock::new(|| {
    let lines = include_str!("data/mjml-children.txt").lines();
    let element = |line: &'static str| {
        let mut names = line.split('\t');
        (names.next().unwrap_or_default(), names.collect())
    };
    lines.filter(|line| !line.starts_with('#')).map(element).collect()
});

/// Elements that MJML allows everywhere, and `mj-html-attributes`, which has a separate warning.
const ANYWHERE: [&str; 3] = ["mj-include", "mj-raw", "mj-html-attributes"];
/// The element that contains most others.
const COLUMN: &str = "mj-column";

/// Returns a fault for each misplaced element, text and comment. Handlebars tags in `masked` must
/// be masked.
pub(super) fn misplaced(masked: &str, pieces: &[Piece]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut open: Vec<&str> = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Start(element) => {
                let name = slice(masked, &element.name);
                let outer = open.last().copied().unwrap_or_default();
                let known = CHILDREN.get(outer).filter(|_| is_placed(name));
                if let Some(known) = known.filter(|known| !known.contains(&name)) {
                    let message = format!("`{name}` cannot be used in `{outer}`");
                    let fault = Fault::new(codes::TEMPLATE_MJML, element.name.clone(), message);
                    faults.push(fault.warning().help(help(name, known)));
                }
                if !element.is_closed && !VOID.contains(&name) {
                    open.push(name);
                }
            }
            Piece::End(name) => {
                let name = slice(masked, name);
                if let Some(at) = open.iter().rposition(|open| *open == name) {
                    open.truncate(at);
                }
            }
            Piece::Text(span) => {
                let outer = open.last().filter(|open| STRUCTURE.contains(open));
                let text = slice(masked, span);
                if let Some(outer) = outer.filter(|_| has_letters(text)) {
                    let start = span.start + (text.len() - text.trim_start().len());
                    let message = format!("`{outer}` cannot contain text");
                    let span = start..start + text.trim().len();
                    let fault = Fault::new(codes::TEMPLATE_MJML, span, message).warning();
                    let help = "move the text into `mj-text`, or into `mj-raw` if it is HTML";
                    faults.push(fault.help(help.to_owned()));
                }
            }
            Piece::Comment(span) => {
                let outer = open.last().filter(|open| UNCOMMENTED.contains(open));
                if let Some(outer) = outer.filter(|_| !placeholders(slice(masked, span)).is_empty())
                {
                    let message = format!("a comment in `{outer}` cannot contain a Handlebars tag");
                    let fault = Fault::new(codes::TEMPLATE_MJML, span.clone(), message);
                    let help = "move the tag out of the comment, or remove the comment";
                    faults.push(fault.help(help.to_owned()));
                }
            }
        }
    }
    faults
}

/// Returns whether MJML restricts the parents of an element.
fn is_placed(name: &str) -> bool {
    !ANYWHERE.contains(&name) && CHILDREN.values().any(|children| children.contains(&name))
}

/// Returns the help text that names an element to move to.
fn help(name: &str, known: &[&str]) -> String {
    let takes = |outer: &&str| CHILDREN.get(*outer).is_some_and(|known| known.contains(&name));
    // Prefer a column, and then a parent that the outer element may contain.
    let outer = Some(COLUMN).filter(takes).or_else(|| known.iter().copied().find(takes));
    let outer = outer.or_else(|| CHILDREN.keys().copied().find(takes)).unwrap_or_default();
    format!("move it into `{outer}`")
}

/// Returns whether a text contains more than Handlebars tags and whitespace.
fn has_letters(text: &str) -> bool {
    let mut at = 0;
    let is_blank = |text: Option<&str>| text.is_none_or(|text| text.trim().is_empty());
    for word in placeholders(text) {
        if !is_blank(text.get(at..word.start)) {
            return true;
        }
        at = word.end;
    }
    !is_blank(text.get(at..))
}

#[cfg(test)]
mod tests {
    use super::super::markup::pieces;
    use super::*;

    #[test]
    fn misplaced_elements_text_and_comments_are_found() {
        let found = |text: &str| -> Vec<String> {
            let faults = misplaced(text, &pieces(text));
            faults
                .iter()
                .map(|fault| format!("{}: {}", slice(text, &fault.span), fault.message))
                .collect()
        };
        for (text, finding) in [
            (
                "<mj-body><mj-divider/></mj-body>",
                Some("mj-divider: `mj-divider` cannot be used in `mj-body`"),
            ),
            (
                "<mj-section><mj-text>x</mj-text></mj-section>",
                Some("mj-text: `mj-text` cannot be used in `mj-section`"),
            ),
            ("<mj-section> Z0Q <mj-column/>Z1Q </mj-section>", None),
            (
                "<mj-section>\n x Z0Q\n<mj-column/></mj-section>",
                Some("x Z0Q: `mj-section` cannot contain text"),
            ),
            ("<mj-body><mj-raw>x</mj-raw><mj-include/></mj-body>", None),
            ("<mj-attributes><mj-text color=\"red\"/></mj-attributes>", None),
            (
                "<mj-column><mj-text>a<br>b</mj-text><mj-table><tr><td>x</td></tr></mj-table></mj-column>",
                None,
            ),
            ("<mj-text>x<!-- Z0Q --></mj-text>", None),
            ("<mj-carousel><!-- a --></mj-carousel>", None),
            (
                "<mj-title><!-- Z0Q --></mj-title>",
                Some("<!-- Z0Q -->: a comment in `mj-title` cannot contain a Handlebars tag"),
            ),
        ] {
            assert_eq!(found(text).first().map(String::as_str), finding, "{text}");
        }
    }
}
