//! Links whose address is filled in from its beginning: nobody knows where they lead.

use std::collections::BTreeSet;
use std::ops::Range;

use super::attribute::{Attribute, is_link};
use super::check::{Checker, Cursor};
use super::markup::{Piece, pieces, slice};
use super::mjml::masked;
use super::part::Part;
use super::problem::Fault;
use super::scan::{Tag, TagKind};
use crate::diagnostic::codes;
use crate::value::{Shape, Type};

/// What is left out of a mail, in messages.
pub(super) const LEFT_OUT: &str =
    "a mail only links to `https:`, `http:`, `mailto:` and `tel:`, and any other link is left out";

/// Returns where the tags begin that print the beginning of a link in a file of HTML or MJML.
pub(super) fn beginnings(part: &Part) -> BTreeSet<usize> {
    let text = masked(&part.text);
    let mut found = BTreeSet::new();
    for piece in pieces(&text) {
        let Piece::Start(element) = piece else { continue };
        for attribute in &element.attributes {
            let name = slice(&text, &attribute.name).to_ascii_lowercase();
            if Attribute::named(&name) == Attribute::Link {
                found.extend(first_printed(part, attribute.value.clone()));
            }
        }
    }
    found
}

/// A block that is open: whether nothing was written before it, and before the ends of its branches.
struct Fork {
    start: bool,
    end: bool,
    has_else: bool,
}

/// Returns where the tags begin that print the first thing in a range of a file, in whichever branches.
pub(super) fn first_printed(part: &Part, range: Range<usize>) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let (mut first, mut at) = (true, range.start);
    let mut forks: Vec<Fork> = Vec::new();
    for tag in part.tags.iter().filter(|tag| range.contains(&tag.span.start)) {
        first &= part.text.get(at..tag.span.start).unwrap_or_default().trim().is_empty();
        at = tag.span.end;
        match tag.kind {
            TagKind::Print | TagKind::Partial => {
                if first {
                    found.insert(tag.span.start);
                }
                first = false;
            }
            TagKind::Comment => {}
            TagKind::Open => forks.push(Fork { start: first, end: false, has_else: false }),
            TagKind::Else | TagKind::Chain => {
                if let Some(fork) = forks.last_mut() {
                    fork.end |= first;
                    fork.has_else |= tag.kind == TagKind::Else;
                    first = fork.start;
                }
            }
            TagKind::Close => {
                if let Some(fork) = forks.pop() {
                    first |= fork.end || fork.start && !fork.has_else;
                }
            }
        }
    }
    found
}

impl Checker<'_> {
    /// Warns of a value at the beginning of a link, unless its type says where it leads.
    pub(super) fn link(&mut self, ty: &Type, tag: &Tag, cursor: &Cursor<'_>) {
        if let Shape::Text { values: Some(values), .. } = &ty.shape
            && values.iter().all(|value| is_link(value))
        {
            return;
        }
        let name = cursor.text(&tag.call.name);
        let message = format!("`{name}` begins a link and may be any address: {LEFT_OUT}");
        let help = "write the beginning of the address, such as `https://shop.example/orders/{{…}}`, or accept this at the step's `template` with `# oms: allow OMS0517`";
        let fault = Fault::new(codes::TEMPLATE_LINK_TARGET, tag.call.name.clone(), message);
        self.report(cursor, fault.warning().help(help.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_thing_printed_is_found_in_every_branch() {
        for (text, first) in [
            ("<a href=\"{{a}}{{b}}\" title=\"{{c}}\">{{d}}</a>", vec!["{{a}}"]),
            ("<a href=\"https://{{a}}\">x</a>", vec![]),
            ("<mj-button HREF='{{#if a}}{{b}}{{else}}https://c{{/if}}{{d}}'>x", vec!["{{b}}"]),
            ("<a href='{{#if a}}https://c/{{/if}}{{d}}'>x", vec!["{{d}}"]),
            (
                "<a href='{{#if a}}x{{else if b}}{{c}}{{else}}{{d}}{{/if}}{{e}}'>x",
                vec!["{{c}}", "{{d}}"],
            ),
            ("<a href='{{! why }} {{t \"url\"}}'>x", vec!["{{t \"url\"}}"]),
            ("<img src='{{a}}'>", vec![]),
        ] {
            let part = Part::of_file("t", text).unwrap();
            let found = beginnings(&part);
            let tags = part.tags.iter().filter(|tag| found.contains(&tag.span.start));
            let shown: Vec<&str> = tags.map(|tag| slice(text, &tag.span)).collect();
            assert_eq!(shown, first, "{text}");
        }
    }
}
