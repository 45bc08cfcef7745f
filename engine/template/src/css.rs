//! CSS declarations with the positions of their parts, and the declarations that popular e-mail
//! clients drop.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use super::markup::slice;

/// A declaration: `property: value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Declaration {
    pub(super) property: Range<usize>,
    pub(super) value: Range<usize>,
}

/// Returns the declarations in the value of a `style` attribute.
pub(super) fn declarations(text: &str, within: Range<usize>) -> Vec<Declaration> {
    let mut found = Vec::new();
    let mut start = within.start;
    for end in ends(text, &within, ';').chain([within.end]) {
        found.extend(declaration(text, start..end));
        start = end + 1;
    }
    found
}

/// Returns the declarations of the unconditional rules in a style sheet. Rules in `@media` and
/// other at-rules are optional improvements and are skipped.
pub(super) fn sheet(text: &str, within: Range<usize>) -> Vec<Declaration> {
    let mut found = Vec::new();
    let (mut depth, mut start, mut conditional) = (0_u32, within.start, false);
    for at in ends(text, &within, '{')
        .chain(ends(text, &within, '}'))
        .collect::<std::collections::BTreeSet<_>>()
    {
        if text.as_bytes().get(at) == Some(&b'{') {
            if depth == 0 {
                conditional = slice(text, &(start..at)).trim_start().starts_with('@');
            }
            depth += 1;
        } else {
            if depth == 1 && !conditional {
                found.extend(declarations(text, start..at));
            }
            depth = depth.saturating_sub(1);
        }
        start = at + 1;
    }
    found
}

/// Returns the positions of a character outside quotes, parentheses and comments.
fn ends<'t>(text: &'t str, within: &Range<usize>, sign: char) -> impl Iterator<Item = usize> + 't {
    let base = within.start;
    let part = slice(text, within);
    let (mut quote, mut parentheses, mut comment) = (None, 0_u32, false);
    part.char_indices().filter_map(move |(at, char)| {
        let rest = part.get(at..).unwrap_or_default();
        let before = part.get(..at).unwrap_or_default();
        match (comment, quote, char) {
            (true, ..) => comment = !before.ends_with("*") || char != '/',
            (_, Some(open), _) => quote = (char != open).then_some(open),
            (_, None, '"' | '\'') => quote = Some(char),
            (_, None, '/') if rest.starts_with("/*") => comment = true,
            (_, None, '(') => parentheses += 1,
            (_, None, ')') => parentheses = parentheses.saturating_sub(1),
            (_, None, char) if char == sign && parentheses == 0 => return Some(base + at),
            _ => {}
        }
        None
    })
}

fn declaration(text: &str, span: Range<usize>) -> Option<Declaration> {
    let mut span = trimmed(text, span);
    while slice(text, &span).starts_with("/*") {
        let end = slice(text, &span).find("*/")? + "*/".len();
        span = trimmed(text, span.start + end..span.end);
    }
    let colon = span.start + slice(text, &span).find(':')?;
    let property = trimmed(text, span.start..colon);
    let value = trimmed(text, colon + 1..span.end);
    (!property.is_empty()).then_some(Declaration { property, value })
}

fn trimmed(text: &str, span: Range<usize>) -> Range<usize> {
    let part = slice(text, &span);
    let start = span.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

/// CSS support of e-mail clients, from caniemail.com. `data/SOURCES.md` describes the data.
static SUPPORT: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    let lines = include_str!("data/css-support.txt").lines();
    lines.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t')).collect()
});

/// Properties that an e-mail does not depend on.
const OPTIONAL: [&str; 3] = ["color-scheme", "hyphens", "overflow-wrap"];

/// Minimum number of clients that must drop a declaration before it is reported. Many declarations
/// are dropped by a single client: Outlook on Windows drops most of CSS.
const CLIENTS_MIN: usize = 3;
/// A client that is reported even if no other client drops the declaration.
const GMAIL: &str = "Gmail";

/// Returns the part of a declaration that clients drop, and the names of these clients.
pub(super) fn dropped(text: &str, declaration: &Declaration) -> Option<(String, &'static str)> {
    let property = slice(text, &declaration.property).to_ascii_lowercase();
    if OPTIONAL.contains(&property.as_str()) {
        return None;
    }
    let value = slice(text, &declaration.value).to_ascii_lowercase();
    let word = value.split_whitespace().next().unwrap_or_default();
    let functions = value.match_indices('(').map(|(at, _)| {
        let before = value.get(..at).unwrap_or_default();
        let letters = |char: char| char.is_ascii_alphanumeric() || char == '-';
        format!("{}()", before.rsplit(|char| !letters(char)).next().unwrap_or_default())
    });
    let names = [property.clone(), format!("{property}:{word}")].into_iter().chain(functions);
    names.into_iter().find_map(|name| {
        let clients = SUPPORT.get(name.as_str())?;
        let reported = clients.contains(GMAIL) || clients.split(", ").count() >= CLIENTS_MIN;
        reported.then_some((name, *clients))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, found: &[Declaration]) -> Vec<String> {
        let both =
            |d: &Declaration| format!("{}|{}", slice(text, &d.property), slice(text, &d.value));
        found.iter().map(both).collect()
    }

    #[test]
    fn declarations_have_the_right_positions() {
        let text = "color : red;background:url(\"a;b\");; /* x: y; */ content: 'a;b' ;bad";
        let found = declarations(text, 0..text.len());
        assert_eq!(shown(text, &found), ["color|red", "background|url(\"a;b\")", "content|'a;b'"]);
        let text = "p { float: left; } @media print { p { gap: 1px } } .a, .b{top:0}";
        assert_eq!(shown(text, &sheet(text, 0..text.len())), ["float|left", "top|0"]);
    }

    #[test]
    fn css_that_several_clients_drop_is_reported() {
        for (text, name) in [
            ("position: absolute", Some("position")),
            ("display: block", None),
            ("background: linear-gradient(red, blue)", Some("linear-gradient()")),
            ("color: #123456", None),
            ("color-scheme: dark", None),
            ("border-radius: 4px", None),
        ] {
            let found = declarations(text, 0..text.len());
            let dropped = dropped(text, &found[0]).map(|(name, _)| name);
            assert_eq!(dropped.as_deref(), name, "{text}");
        }
    }
}
