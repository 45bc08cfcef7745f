//! Finds elements that are not displayed: the preheader, text for screen readers, and metadata.

use super::selector::Selector;
use super::tree::{Element, Node};

/// Elements whose content is never displayed.
const HIDDEN_ELEMENTS: [&str; 12] = [
    "head", "title", "style", "script", "template", "noframes", "noembed", "iframe", "object",
    "svg", "select", "textarea",
];

/// Maximum number of selectors, because each selector is compared with each element.
const SELECTORS_MAX: usize = 200;

/// The classes of MJML's carousel: the thumbnail of an image, and the image that appears on a
/// click.
const THUMBNAIL: &str = "mj-carousel-thumbnail";
const CAROUSEL_IMAGE: &str = "mj-carousel-image";

/// Marks the hidden elements of a document.
pub(super) fn mark(document: &mut Element) {
    let mut selectors = Vec::new();
    collect(document, &mut selectors);
    mark_within(document, &mut Vec::new(), &selectors);
}

/// The properties of an ancestor element that selectors match.
pub(super) struct Ancestor {
    pub(super) name: String,
    pub(super) id: Option<String>,
    pub(super) classes: Vec<String>,
}

fn mark_within(element: &mut Element, outer: &mut Vec<Ancestor>, selectors: &[Selector]) {
    for child in &mut element.children {
        let Node::Element(inner) = child else { continue };
        let classes = inner.attribute("class").unwrap_or_default();
        let has_class =
            |wanted: &str| classes.split_ascii_whitespace().any(|class| class == wanted);
        let is_hidden = HIDDEN_ELEMENTS.contains(&inner.name.as_str())
            || inner.attribute("hidden").is_some()
            || inner.attribute("style").is_some_and(hides) && !has_class(CAROUSEL_IMAGE)
            || has_class(THUMBNAIL);
        if is_hidden || selectors.is_empty() {
            inner.is_hidden = is_hidden;
            if !is_hidden {
                mark_within(inner, outer, selectors);
            }
            continue;
        }
        let this = Ancestor {
            name: inner.name.clone(),
            id: inner.attribute("id").map(str::to_owned),
            classes: classes.split_ascii_whitespace().map(str::to_owned).collect(),
        };
        outer.push(this);
        inner.is_hidden = selectors.iter().any(|selector| selector.matches(outer));
        if !inner.is_hidden {
            mark_within(inner, outer, selectors);
        }
        outer.pop();
    }
}

/// Collects the selectors of hidden elements from the style sheets of a document.
fn collect(element: &Element, selectors: &mut Vec<Selector>) {
    for inner in element.elements() {
        if inner.name == "style" {
            let texts = inner.children.iter().filter_map(|child| match child {
                Node::Text(text) => Some(text.as_ref()),
                Node::Element(_) => None,
            });
            sheet(&texts.collect::<String>(), selectors);
        } else {
            collect(inner, selectors);
        }
    }
}

/// Collects the selectors of unconditionally hidden elements from a style sheet. Rules in `@media`
/// depend on the screen and are skipped.
fn sheet(sheet: &str, selectors: &mut Vec<Selector>) {
    let sheet = without_comments(sheet);
    let mut depth = 0_u32;
    let mut start = 0;
    let mut prelude = "";
    for (at, char) in sheet.char_indices() {
        let part = sheet.get(start..at).unwrap_or_default();
        match char {
            '{' => {
                if depth == 0 {
                    prelude = part;
                }
                depth += 1;
            }
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && !prelude.trim_start().starts_with('@') && hides(part) {
                    let room = SELECTORS_MAX.saturating_sub(selectors.len());
                    selectors.extend(prelude.split(',').filter_map(Selector::read).take(room));
                }
            }
            // A statement such as `@import` has no block.
            ';' if depth == 0 => {}
            _ => continue,
        }
        start = at + 1;
    }
}

/// Returns CSS without its comments.
fn without_comments(css: &str) -> String {
    let mut out = String::with_capacity(css.len());
    let mut rest = css;
    while let Some((before, comment)) = rest.split_once("/*") {
        out.push_str(before);
        out.push(' ');
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

/// Returns whether CSS declarations hide their element. `mso-hide` hides it only in Outlook.
fn hides(declarations: &str) -> bool {
    let mut is_low = false;
    let mut is_cut = false;
    for declaration in declarations.split(';') {
        let Some((property, value)) = declaration.split_once(':') else { continue };
        let value = value.trim().to_ascii_lowercase();
        let value = value.trim_end_matches("!important").trim_end();
        let nothing = matches!(value, "0" | "0px");
        match property.trim().to_ascii_lowercase().as_str() {
            "display" if value == "none" => return true,
            "visibility" if value == "hidden" => return true,
            "opacity" if nothing => return true,
            "max-height" | "height" => is_low |= nothing,
            "overflow" => is_cut |= value == "hidden",
            _ => {}
        }
    }
    is_low && is_cut
}

#[cfg(test)]
mod tests {
    use super::super::text_of;
    use super::*;

    #[test]
    fn hiding_declarations_are_recognized() {
        for (style, hidden) in [
            ("display:none", true),
            ("color:red; DISPLAY : NONE !important", true),
            ("max-height:0px;overflow:hidden", true),
            ("max-height:0", false),
            ("visibility:hidden", true),
            ("mso-hide:all", false),
            ("opacity:0.5;font-size:0px", false),
        ] {
            assert_eq!(hides(style), hidden, "{style}");
        }
    }

    #[test]
    fn rules_of_style_sheets_hide_elements() {
        let body = "<div class='gone' id='i'><p class='a b'>x</p></div>";
        for (sheet, hidden) in [
            (".a { display:none }", true),
            (".a{DISPLAY:NONE}", true),
            ("/* .c <b> */ .a{display:none}", true),
            ("@import url(x.css); .a { display:none }", true),
            ("p.a{display:none}", true),
            ("span.a{display:none}", false),
            ("P.a.b{display:none}", true),
            (".a.c{display:none}", false),
            ("div#i{display:none}", true),
            (".gone p{display:none}", true),
            (".gone > p{display:none}", true),
            ("body > p{display:none}", false),
            (".a .gone{display:none}", false),
            (".c, #i .b{display:none}", true),
            (".a:hover{display:none}", false),
            ("*{display:none}", false),
            (".a{color:red} @media print { .a{display:none} }", false),
            ("@media print { .b{color:red} } .a{visibility:hidden}", true),
        ] {
            let text = text_of(&format!("<style>{sheet}</style><body>{body}</body>"));
            assert_eq!(text, if hidden { "\n" } else { "x\n" }, "{sheet}");
        }
    }

    #[test]
    fn a_carousel_shows_each_image_once() {
        let html = "<a href='#1' class='mj-carousel-thumbnail x'><img alt='One'></a>\
                    <div class='mj-carousel-image'><a href='https://a.example/1'><img alt='One'></a></div>\
                    <div class='mj-carousel-image' style='display:none'><a href='https://a.example/2'><img alt='Two'></a></div>";
        let text = "[One][1]\n[Two][2]\n\n[1]: https://a.example/1\n[2]: https://a.example/2\n";
        assert_eq!(text_of(html), text);
    }
}
