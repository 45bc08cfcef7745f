//! What a reader of HTML does not see: the preheader, captions for screen readers, what only programs read.

use std::collections::BTreeSet;

use super::tree::{Element, Node};

/// Elements whose content is never shown.
const UNSEEN: [&str; 12] = [
    "head", "title", "style", "script", "template", "noframes", "noembed", "iframe", "object",
    "svg", "select", "textarea",
];

/// What is hidden in one document.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    /// Classes and ids, with `.` and `#` before them, that a style sheet hides wherever they are.
    selectors: BTreeSet<String>,
}

impl Hidden {
    /// Reads the style sheets of a document.
    pub(super) fn of(document: &Element) -> Self {
        let mut hidden = Self::default();
        hidden.read(document);
        hidden
    }

    fn read(&mut self, element: &Element) {
        for inner in element.elements() {
            if inner.name == "style" {
                for child in &inner.children {
                    if let Node::Text(sheet) = child {
                        self.sheet(sheet);
                    }
                }
            } else {
                self.read(inner);
            }
        }
    }

    /// Reads a style sheet. What is in `@media` depends on the screen.
    fn sheet(&mut self, sheet: &str) {
        let mut depth = 0_u32;
        let mut start = 0;
        let mut selectors = "";
        for (at, char) in sheet.char_indices() {
            let part = sheet.get(start..at).unwrap_or_default();
            match char {
                '{' => {
                    if depth == 0 {
                        selectors = part;
                    }
                    depth += 1;
                }
                '}' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 && !selectors.trim_start().starts_with('@') && hides(part) {
                        let single = selectors.split(',').map(str::trim).filter(|s| is_single(s));
                        self.selectors.extend(single.map(str::to_owned));
                    }
                }
                _ => continue,
            }
            start = at + 1;
        }
    }

    /// Tells whether a reader does not see an element.
    pub(super) fn has(&self, element: &Element) -> bool {
        let classes = element.attribute("class").unwrap_or_default().split_ascii_whitespace();
        UNSEEN.contains(&element.name.as_str())
            || element.attribute("hidden").is_some()
            || element.attribute("style").is_some_and(hides)
            || classes.map(|class| format!(".{class}")).any(|class| self.selectors.contains(&class))
            || element.attribute("id").is_some_and(|id| self.selectors.contains(&format!("#{id}")))
    }
}

/// Tells whether a selector is a class or an id and nothing else.
fn is_single(selector: &str) -> bool {
    let name = |char: char| char.is_alphanumeric() || matches!(char, '-' | '_');
    selector.strip_prefix(['.', '#']).is_some_and(|rest| !rest.is_empty() && rest.chars().all(name))
}

/// Tells whether declarations of CSS hide what they are for.
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
            "mso-hide" if value == "all" => return true,
            "max-height" | "height" => is_low |= nothing,
            "overflow" => is_cut |= value == "hidden",
            _ => {}
        }
    }
    is_low && is_cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_found() {
        for (style, hidden) in [
            ("display:none", true),
            ("color:red; DISPLAY : NONE !important", true),
            ("max-height:0px;overflow:hidden", true),
            ("max-height:0", false),
            ("visibility:hidden", true),
            ("mso-hide:all", true),
            ("opacity:0.5;font-size:0px", false),
        ] {
            assert_eq!(hides(style), hidden, "{style}");
        }
        let mut hidden = Hidden::default();
        hidden.sheet(".a, #b { display:none } .c{color:red} @media print { .d{display:none} } p .e{display:none}");
        let selectors: Vec<&str> = hidden.selectors.iter().map(String::as_str).collect();
        assert_eq!(selectors, ["#b", ".a"]);
    }
}
