//! Checks of MJML 4 elements and attributes. The parser treats unknown elements as HTML and ignores
//! unknown attributes, so without this check a typo would only show up in the e-mail.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use oms_core::diagnostic::{codes, did_you_mean};

use super::markup::{Attribute, Element, Piece, pieces, slice};
use super::mjml_nesting::misplaced;
use super::problem::{Fault, PROBLEMS_MAX, TemplateProblem};

/// Attributes of an element by name, each with its type.
type Attributes = HashMap<&'static str, &'static str>;

/// Stands for all attributes of all elements.
const ANY: &str = "*any*";
/// The entry with the attributes that all elements allow.
const EVERY: &str = "*";

/// Extracted from the npm packages of MJML; see `data/SOURCES.md`.
static ELEMENTS: LazyLock<BTreeMap<&str, Attributes>> = LazyLock::new(|| {
    let lines = include_str!("data/mjml-attributes.txt").lines();
    let element = |line: &'static str| {
        let mut parts = line.split('\t');
        let name = parts.next().unwrap_or_default();
        let attributes = parts.map(|part| part.split_once(':').unwrap_or((part, "")));
        (name, attributes.collect())
    };
    lines.filter(|line| !line.starts_with('#')).map(element).collect()
});

/// An MJML element that the renderer does not support, and the elements inside it.
const NOT_RENDERED: &str = "mj-html-attributes";
const NESTED_IN_NOT_RENDERED: [&str; 2] = ["mj-html-attribute", "mj-selector"];

/// Returns errors for unknown elements, and warnings for unknown attributes, which are harmless
/// because they are ignored. Handlebars tags in `masked` must be masked.
pub(super) fn unknown_names(path: &str, masked: &str) -> Vec<TemplateProblem> {
    let pieces = pieces(masked);
    let mut faults = Vec::new();
    for piece in &pieces {
        let Piece::Start(element) = piece else { continue };
        let name = slice(masked, &element.name);
        if !name.starts_with("mj") || NESTED_IN_NOT_RENDERED.contains(&name) {
            continue;
        }
        if name == NOT_RENDERED {
            let message = format!("`{name}` has no effect");
            let fault = Fault::new(codes::TEMPLATE_MJML, element.name.clone(), message);
            faults.push(fault.warning());
            continue;
        }
        match ELEMENTS.get(name) {
            Some(known) => {
                let attributes = element.attributes.iter();
                faults.extend(
                    attributes.filter_map(|found| attribute(masked, element, known, found)),
                );
            }
            None => {
                let message = format!("unknown MJML element `{name}`");
                let known = ELEMENTS.keys().copied();
                let known = known.filter(|known| {
                    ![EVERY, NOT_RENDERED].contains(known)
                        && !NESTED_IN_NOT_RENDERED.contains(known)
                });
                let fault = Fault::new(codes::TEMPLATE_MJML, element.name.clone(), message);
                faults.push(fault.help(did_you_mean(name, known)));
            }
        }
    }
    faults.extend(misplaced(masked, &pieces));
    faults.into_iter().take(PROBLEMS_MAX).map(|fault| fault.in_file(path)).collect()
}

/// The warning about a style sheet that MJML's own renderer would inline into `style` attributes.
const NOT_INLINED: &str = "`oms` does not inline style sheets";

/// Returns the first number in a value that requires a unit and has none.
fn without_unit<'v>(kind: &str, value: &'v str) -> Option<&'v str> {
    let (_, units) = kind.strip_prefix("unit")?.split_once('(')?;
    let (units, _) = units.split_once(')')?;
    if units.split(',').any(str::is_empty) {
        return None;
    }
    let is_number = |word: &&str| word.parse::<f64>().is_ok_and(|number| number != 0.0);
    value.split_ascii_whitespace().find(is_number)
}

/// Returns the fault of an attribute, if any.
fn attribute(
    text: &str,
    element: &Element,
    known: &Attributes,
    found: &Attribute,
) -> Option<Fault> {
    let (name, owner) = (slice(text, &found.name), slice(text, &element.name));
    let every = ELEMENTS.get(EVERY);
    if known.contains_key(ANY) || every.is_some_and(|every| every.contains_key(name)) {
        return None;
    }
    let Some(kind) = known.get(name) else {
        let message = format!("unknown attribute `{name}` of `{owner}`");
        if name.starts_with('Z') && name.ends_with('Q') {
            return None;
        }
        let fault = Fault::new(codes::TEMPLATE_MJML, found.name.clone(), message).warning();
        let names = known.keys().chain(every.into_iter().flat_map(HashMap::keys)).copied();
        return Some(fault.help(did_you_mean(name, names)));
    };
    // The result of a Handlebars tag is known only at rendering.
    let value = slice(text, &found.value);
    if owner == "mj-style" && name == "inline" && value == "inline" {
        let fault = Fault::new(codes::TEMPLATE_MJML, found.name.clone(), NOT_INLINED).warning();
        let help = "move the declarations to `style` attributes, or remove `inline` to keep the rules in the style sheet of the e-mail";
        return Some(fault.help(help.to_owned()));
    }
    if let Some(number) = without_unit(kind, value) {
        let message = format!("missing unit in `{name}` of `{owner}`");
        let fault = Fault::new(codes::TEMPLATE_MJML, found.value.clone(), message).warning();
        return Some(fault.help(format!("write `{number}px`")));
    }
    let allowed = kind.strip_prefix("enum(")?.strip_suffix(')')?;
    if value.starts_with('Z') && value.ends_with('Q')
        || allowed.split(',').any(|allowed| allowed == value)
    {
        return None;
    }
    let message = format!("invalid value `{value}` for `{name}` of `{owner}`");
    let fault = Fault::new(codes::TEMPLATE_MJML, found.value.clone(), message).warning();
    let allowed: Vec<String> = allowed
        .split(',')
        .filter(|value| !value.is_empty())
        .map(|value| format!("`{value}`"))
        .collect();
    Some(fault.help(format!("use one of {}", allowed.join(", "))))
}
