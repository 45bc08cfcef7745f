//! Warnings about images without `alt`, in HTML and in MJML.

use std::collections::BTreeSet;

use oms_core::diagnostic::codes;

use super::markup::{Element, Piece, pieces, slice};
use super::mjml::masked;
use super::part::Part;
use super::problem::{Fault, PROBLEMS_MAX};

/// The MJML element that contains the default attributes of other elements.
const DEFAULTS: &str = "mj-attributes";
/// The element in `mj-attributes` whose attributes apply to all elements.
const ALL: &str = "mj-all";

/// The elements that get an `alt` from `mj-attributes`.
#[derive(Debug, Default)]
pub(super) struct DefaultAlts {
    /// Names of elements.
    elements: BTreeSet<String>,
    /// Names of MJML classes.
    classes: BTreeSet<String>,
}

impl DefaultAlts {
    /// Collects the defaults from the files of an e-mail.
    pub(super) fn of<'p>(parts: impl IntoIterator<Item = &'p Part>) -> Self {
        let mut alts = Self::default();
        for part in parts.into_iter().filter(|part| part.text.contains(DEFAULTS)) {
            let text = masked(&part.text);
            for (element, _) in within_defaults(&text, &pieces(&text)).filter(|(_, is_in)| *is_in) {
                if element.attribute(&text, "alt").is_none() {
                    continue;
                }
                let name = slice(&text, &element.name);
                match element.attribute(&text, "name").filter(|_| name == "mj-class") {
                    Some(class) => alts.classes.insert(slice(&text, &class).to_owned()),
                    None => alts.elements.insert(name.to_owned()),
                };
            }
        }
        alts
    }

    fn has(&self, text: &str, element: &Element) -> bool {
        let classes = element.attribute(text, "mj-class").map(|classes| slice(text, &classes));
        let mut classes = classes.unwrap_or_default().split_ascii_whitespace();
        self.elements.contains(slice(text, &element.name))
            || self.elements.contains(ALL)
            || classes.any(|class| self.classes.contains(class))
    }
}

/// Returns each start tag, and whether it is inside `mj-attributes`.
fn within_defaults<'p>(
    text: &str,
    pieces: &'p [Piece],
) -> impl Iterator<Item = (&'p Element, bool)> {
    let mut is_in = false;
    pieces.iter().filter_map(move |piece| match piece {
        Piece::Start(element) => {
            is_in |= slice(text, &element.name) == DEFAULTS && !element.is_closed;
            Some((element, is_in))
        }
        Piece::End(name) => {
            is_in &= slice(text, name) != DEFAULTS;
            None
        }
        Piece::Text(_) | Piece::Comment(_) => None,
    })
}

/// Returns a fault for each image without `alt`, and for each linked image with an empty `alt`.
pub(super) fn images_without_alt(text: &str, pieces: &[Piece], alts: &DefaultAlts) -> Vec<Fault> {
    let shown = within_defaults(text, pieces).filter(|(_, is_in)| !is_in);
    let found = shown.filter_map(|(element, _)| image_without_alt(text, element, alts));
    found.take(PROBLEMS_MAX).collect()
}

fn image_without_alt(text: &str, element: &Element, alts: &DefaultAlts) -> Option<Fault> {
    let name = slice(text, &element.name);
    if !matches!(name, "img" | "mj-image") {
        return None;
    }
    let alt = element.attribute(text, "alt");
    let is_link = element.attribute(text, "href").is_some_and(|href| !href.is_empty());
    let (message, help) = match alt {
        None if alts.has(text, element) => return None,
        None => (format!("`{name}` has no `alt`"), ALT_HELP),
        Some(alt) if is_link && slice(text, &alt).trim().is_empty() => (
            format!("`{name}` is a link and its `alt` is empty"),
            "describe the target of the link in `alt`",
        ),
        Some(_) => return None,
    };
    let fault = Fault::new(codes::TEMPLATE_ALT, element.name.clone(), message);
    Some(fault.warning().help(help.to_owned()))
}

const ALT_HELP: &str = "describe the image in `alt`, or write `alt=\"\"` if it is decorative";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_without_alt_are_reported() {
        for (text, message) in [
            ("<mj-image src=\"x\"/>", Some("`mj-image` has no `alt`")),
            ("<mj-image src=\"x\" alt=\"\"/>", None),
            (
                "<mj-image src=\"x\" alt=\"\" href=\"y\"/>",
                Some("`mj-image` is a link and its `alt` is empty"),
            ),
            ("<mj-attributes><mj-image padding=\"0\"/></mj-attributes>", None),
            ("<mj-attributes/><mj-image/>", Some("`mj-image` has no `alt`")),
            ("<mj-attributes><mj-image alt=\"x\"/></mj-attributes><mj-image src=\"x\"/>", None),
            ("<mj-attributes><mj-all alt=\"\"/></mj-attributes><mj-image src=\"x\"/>", None),
            (
                "<mj-attributes><mj-class name=\"a\" alt=\"x\"/></mj-attributes><mj-image mj-class=\"b a\"/>",
                None,
            ),
            (
                "<mj-attributes><mj-class name=\"a\" alt=\"x\"/></mj-attributes><mj-image mj-class=\"b\"/>",
                Some("`mj-image` has no `alt`"),
            ),
        ] {
            let part = Part::of_file("t", text).unwrap();
            let found = images_without_alt(text, &pieces(text), &DefaultAlts::of([&part]));
            let messages: Vec<&str> = found.iter().map(|fault| fault.message.as_str()).collect();
            assert_eq!(messages.first().copied(), message, "{text}");
        }
    }
}
