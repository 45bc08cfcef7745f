//! Checks of links whose URL starts with a value, so that their target depends on the data.

use std::collections::BTreeSet;
use std::ops::Range;

use oms_core::diagnostic::codes;
use oms_core::value::{Shape, Type};

use super::attribute::{Attribute, LINK_SCHEMES, is_link};
use super::check::{Checker, Cursor};
use super::markup::{Piece, pieces, slice};
use super::mjml::masked;
use super::part::Part;
use super::problem::Fault;
use super::scan::{Tag, TagKind};

/// The rule for links, for use in messages.
pub(super) const LINK_RULE: &str = "only links to `https:`, `http:`, `mailto:` and `tel:` are allowed; any other `href` is removed";

/// Returns the start positions of the tags that print the start of a link's URL in an HTML or MJML
/// file.
pub(super) fn link_start_tags(part: &Part) -> BTreeSet<usize> {
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

/// An open block, with whether the range was still empty at its start and at the ends of its
/// branches.
struct Fork {
    start: bool,
    end: bool,
    has_else: bool,
}

/// Returns the start positions of all tags that may print first in a range of a file, across all
/// branches.
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

/// Fixed text at the start of a link, and the position of its first piece.
struct LinkStart {
    text: String,
    span: Range<usize>,
}

/// Number of characters at the start of a link that determine its target.
const DECIDING_CHARS: usize = 64;
/// Maximum number of different beginnings that the branches of one link may have. Further ones are
/// not checked.
const LINK_STARTS_MAX: usize = 16;

/// Returns the fixed text at the start of a link that causes the link to be removed, in any branch.
/// Links that start with a value are checked by the type of the value.
pub(super) fn removed_link(part: &Part, range: &Range<usize>) -> Option<Range<usize>> {
    let tags = || part.tags.iter().filter(|tag| range.contains(&tag.span.start));
    if tags().next().is_none() {
        return (!is_link(slice(&part.text, range))).then(|| range.clone());
    }
    let mut forks: Vec<(Vec<LinkStart>, Vec<LinkStart>, bool)> = Vec::new();
    let mut open = vec![LinkStart { text: String::new(), span: range.start..range.start }];
    let ends = tags().map(|tag| (tag.span.clone(), Some(tag.kind)));
    let mut at = range.start;
    for (span, kind) in ends.chain([(range.end..range.end, None)]) {
        let text = part.text.get(at..span.start).unwrap_or_default();
        for beginning in &mut open {
            if beginning.text.is_empty() {
                beginning.span = at..span.start;
            }
            beginning.text.push_str(text);
        }
        at = span.end;
        match kind {
            Some(TagKind::Comment) => {}
            Some(TagKind::Print | TagKind::Partial) => {
                let bad = open.drain(..).find(|beginning| {
                    let text = beginning.text.trim_start();
                    !text.is_empty() && !is_link(text) && !may_become_link(text)
                });
                if let Some(bad) = bad {
                    return Some(bad.span);
                }
            }
            Some(TagKind::Open) => forks.push((copy_starts(&open), Vec::new(), false)),
            Some(kind @ (TagKind::Else | TagKind::Chain)) => {
                if let Some((start, ends, has_else)) = forks.last_mut() {
                    ends.append(&mut open);
                    *has_else |= kind == TagKind::Else;
                    open = copy_starts(start);
                }
            }
            Some(TagKind::Close) => {
                if let Some((mut start, mut ends, has_else)) = forks.pop() {
                    ends.append(&mut open);
                    open = ends;
                    if !has_else {
                        open.append(&mut start);
                    }
                    open.truncate(LINK_STARTS_MAX);
                }
            }
            None => {
                let bad = open.drain(..).find(|beginning| {
                    !beginning.text.trim().is_empty() && !is_link(&beginning.text)
                });
                if let Some(bad) = bad {
                    return Some(bad.span);
                }
            }
        }
    }
    None
}

fn copy_starts(beginnings: &[LinkStart]) -> Vec<LinkStart> {
    let copy = |one: &LinkStart| LinkStart {
        text: one.text.chars().take(DECIDING_CHARS).collect(),
        span: one.span.clone(),
    };
    beginnings.iter().map(copy).collect()
}

/// Returns whether a value can complete the text to an allowed scheme, such as `http` followed by
/// `s://…`.
fn may_become_link(text: &str) -> bool {
    LINK_SCHEMES.iter().any(|scheme| {
        scheme.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text))
    })
}

impl Checker<'_> {
    /// Warns about a value at the start of a link's URL, unless its type guarantees an allowed
    /// scheme.
    pub(super) fn link(&mut self, ty: &Type, tag: &Tag, cursor: &Cursor<'_>) {
        if let Shape::Text { values: Some(values), .. } = &ty.shape
            && values.iter().all(|value| is_link(value))
        {
            return;
        }
        let name = cursor.text(&tag.call.name);
        let message = format!("`{name}` is at the start of a link and can be any URL: {LINK_RULE}");
        let help = "write the start of the URL in the template, such as `https://shop.example/orders/{{…}}`, or allow the warning at the step's `template` with `# oms: allow OMS0517`";
        let fault = Fault::new(codes::TEMPLATE_LINK_TARGET, tag.call.name.clone(), message);
        self.report(cursor, fault.warning().help(help.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_links_are_found_in_every_branch() {
        for (value, found) in [
            ("https://a.example/{{x}}", None),
            ("http{{x}}", None),
            ("{{x}}", None),
            ("#top", None),
            ("{{#if a}}https://a.example{{/if}}", None),
            ("{{#if a}}https://{{x}}{{else}}mailto:{{y}}{{/if}}", None),
            ("/orders", Some("/orders")),
            ("//{{x}}/y", Some("//")),
            ("/orders/{{x}}", Some("/orders/")),
            ("www.shop.example/{{x}}", Some("www.shop.example/")),
            ("{{#if a}}/en/{{else}}/de/{{/if}}orders", Some("/en/")),
            ("{{#if a}}javascript:x{{/if}}", Some("javascript:x")),
            ("{{#if a}}https://{{x}}{{else if b}}tel:1{{else}}x{{/if}}", Some("x")),
            ("{{#if a}}{{#if b}}ftp:{{x}}{{/if}}{{/if}}https://b", Some("ftp:")),
        ] {
            let part = Part::of_file("t", &format!("<a href=\"{value}\">")).unwrap();
            let range = 9..9 + value.len();
            let left_out = removed_link(&part, &range).map(|span| slice(&part.text, &span));
            assert_eq!(left_out, found, "{value}");
        }
    }

    #[test]
    fn the_first_printed_tag_is_found_in_every_branch() {
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
            let found = link_start_tags(&part);
            let tags = part.tags.iter().filter(|tag| found.contains(&tag.span.start));
            let shown: Vec<&str> = tags.map(|tag| slice(text, &tag.span)).collect();
            assert_eq!(shown, first, "{text}");
        }
    }
}
