//! What is right and still bad for readers: pictures that say nothing, links that anybody on the way may read.

use std::ops::Range;

use super::part::Part;
use super::problem::{Fault, TemplateProblem};
use crate::diagnostic::codes;

/// Returns the warnings for a body in HTML or MJML.
pub(super) fn lint(part: &Part) -> Vec<TemplateProblem> {
    let mut faults = Vec::new();
    for tag in elements(&part.text) {
        let element = part.text.get(tag.clone()).unwrap_or_default();
        let name = name(element);
        if matches!(name, "img" | "mj-image") && attribute(element, "alt").is_none() {
            let span = tag.start + 1..tag.start + 1 + name.len();
            let fault = Fault::new(codes::TEMPLATE_ALT, span, format!("`{name}` has no `alt`"));
            let help = "write what it shows, or `alt=\"\"` if it only decorates";
            faults.push(fault.warning().help(help.to_owned()));
        }
        for link in ["href", "src"] {
            let Some(value) = attribute(element, link) else { continue };
            if element.get(value.clone()).is_some_and(|value| value.starts_with("http://")) {
                let span = tag.start + value.start..tag.start + value.end;
                let fault = Fault::new(codes::TEMPLATE_LINK, span, "this link is not encrypted");
                faults.push(fault.warning().help("write `https://`".to_owned()));
            }
        }
    }
    faults.into_iter().map(|fault| part.problem(fault)).collect()
}

/// Returns the bytes of each start tag. What stands in quotes does not end one.
fn elements(text: &str) -> impl Iterator<Item = Range<usize>> {
    let starts = text.match_indices('<').map(|(at, _)| at);
    let begins = |at: &usize| text.as_bytes().get(at + 1).is_some_and(u8::is_ascii_alphabetic);
    starts.filter(begins).map(|at| {
        let mut quote = None;
        let rest = text.get(at..).unwrap_or_default();
        let length = rest.find(|char: char| match (quote, char) {
            (Some(open), _) if char == open => {
                quote = None;
                false
            }
            (Some(_), _) => false,
            (None, '"' | '\'') => {
                quote = Some(char);
                false
            }
            (None, _) => char == '>',
        });
        at..at + length.unwrap_or(rest.len())
    })
}

fn name(element: &str) -> &str {
    let rest = element.get(1..).unwrap_or_default();
    rest.split(|char: char| !(char.is_ascii_alphanumeric() || char == '-'))
        .next()
        .unwrap_or_default()
}

/// Returns the bytes of an attribute's value within its element.
fn attribute(element: &str, wanted: &str) -> Option<Range<usize>> {
    for (at, _) in element.match_indices(wanted) {
        let before = element.get(..at)?;
        let after = element.get(at + wanted.len()..)?;
        let value = after.trim_start().strip_prefix('=').map(str::trim_start);
        let Some(value) = value.filter(|_| before.ends_with(char::is_whitespace)) else { continue };
        let quote = value.chars().next().filter(|char| matches!(char, '"' | '\''));
        let start = element.len() - value.len() + usize::from(quote.is_some());
        let rest = element.get(start..)?;
        let length = match quote {
            Some(quote) => rest.find(quote),
            None => rest.find(char::is_whitespace),
        };
        return Some(start..start + length.unwrap_or(rest.len()));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_without_words_and_open_links_are_found_where_they_stand() {
        let text = "<p title='a > b'><img src=\"http://a.example/x.png\"><img alt=\"\" data-alt=1>\n<mj-image src='https://a.example/y.png' />\
                    <a HREF=x href = \"http://b.example\">b < c</a> <img data-alt=\"x\">";
        let part = Part::of_file("t", text).unwrap();
        let found: Vec<_> =
            lint(&part).into_iter().map(|p| (p.code, text.get(p.span).unwrap())).collect();
        assert_eq!(
            found,
            [
                (codes::TEMPLATE_ALT, "img"),
                (codes::TEMPLATE_LINK, "http://a.example/x.png"),
                (codes::TEMPLATE_ALT, "mj-image"),
                (codes::TEMPLATE_LINK, "http://b.example"),
                (codes::TEMPLATE_ALT, "img"),
            ]
        );
    }
}
