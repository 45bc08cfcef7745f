//! The subset of CSS selectors that e-mails use to hide elements: names, classes, ids, and
//! descendant and child combinators.

use super::hidden::Ancestor;

/// Maximum length of a selector. Longer selectors are ignored. In e-mails, selectors have about 20
/// bytes.
const BYTES_MAX: usize = 200;

/// A selector such as `.gone > div#note p.small`.
#[derive(Debug)]
pub(super) struct Selector {
    /// The compounds, from the outermost to the innermost. The flag says whether the next element
    /// must be a direct child.
    compounds: Vec<(Compound, bool)>,
}

/// The conditions for one element.
#[derive(Debug, Default)]
struct Compound {
    name: Option<String>,
    id: Option<String>,
    classes: Vec<String>,
}

impl Selector {
    /// Parses a selector. Returns `None` for unsupported selectors.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut compounds: Vec<(Compound, bool)> = Vec::new();
        if text.len() > BYTES_MAX {
            return None;
        }
        for part in text.replace('>', " > ").split_ascii_whitespace() {
            if part == ">" {
                compounds.last_mut()?.1 = true;
            } else {
                compounds.push((Compound::read(part)?, false));
            }
        }
        (!compounds.is_empty()).then_some(Self { compounds })
    }

    /// Returns whether the selector matches the last of these elements. Each element is a child of
    /// the previous one.
    pub(super) fn matches(&self, elements: &[Ancestor]) -> bool {
        let [outer @ .., this] = elements else { return false };
        let [compounds @ .., (last, _)] = self.compounds.as_slice() else { return false };
        last.matches(this) && matches_ancestors(compounds, outer)
    }
}

/// Returns whether these compounds match a chain of ancestors.
fn matches_ancestors(compounds: &[(Compound, bool)], elements: &[Ancestor]) -> bool {
    let [before @ .., (compound, is_direct)] = compounds else { return true };
    let depth = if *is_direct { 1 } else { elements.len() };
    // Only the nearest match is tried. This differs from CSS only for selectors with `>`, in a way
    // that e-mails do not use.
    let found = elements.iter().rev().take(depth).position(|element| compound.matches(element));
    let rest = found.and_then(|found| elements.get(..elements.len() - found - 1));
    rest.is_some_and(|rest| matches_ancestors(before, rest))
}

impl Compound {
    fn read(text: &str) -> Option<Self> {
        let is_name = |char: char| char.is_alphanumeric() || matches!(char, '-' | '_');
        let mut compound = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let sign = rest.chars().next().filter(|sign| matches!(sign, '.' | '#'));
            let named = rest.strip_prefix(['.', '#']).unwrap_or(rest);
            let end = named.find(|char| !is_name(char)).unwrap_or(named.len());
            let (name, after) = named.split_at(end);
            if name.is_empty() {
                return None;
            }
            match sign {
                Some('.') => compound.classes.push(name.to_owned()),
                Some(_) => compound.id = Some(name.to_owned()),
                None => compound.name = Some(name.to_ascii_lowercase()),
            }
            rest = after;
        }
        Some(compound)
    }

    fn matches(&self, element: &Ancestor) -> bool {
        self.name.as_ref().is_none_or(|name| *name == element.name)
            && self.id.as_ref().is_none_or(|id| element.id.as_ref() == Some(id))
            && self.classes.iter().all(|class| element.classes.contains(class))
    }
}
