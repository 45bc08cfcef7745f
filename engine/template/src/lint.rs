//! Warnings about valid templates that are bad for readers. They find images without alternative
//! text, unencrypted links, CSS that e-mail clients drop, low contrast, and parts that are too long
//! to be shown.

use std::ops::Range;

use oms_core::diagnostic::codes;

use super::attribute::Attribute;
use super::check_link::{LINK_RULE, removed_link};
use super::contrast::low_contrast;
use super::css::{Declaration, declarations, dropped, sheet};
use super::lint_images::{DefaultAlts, images_without_alt};
use super::load::{Html, Variant};
use super::markup::{Element, Piece, pieces, slice};
use super::mjml::masked;
use super::part::Part;
use super::problem::{Fault, PROBLEMS_MAX, TemplateProblem};
use super::program::{Op, Program};

/// Size of the HTML in bytes above which Gmail hides the rest of an e-mail behind a link.
pub const HTML_BYTES_SHOWN: usize = 102 * 1024;
/// Number of characters of a subject that e-mail clients usually show.
pub const SUBJECT_CHARS_SHOWN: usize = 78;

/// Returns the warnings for the parts of an e-mail in one locale.
pub(super) fn lint(variant: &Variant) -> Vec<TemplateProblem> {
    let html = &variant.html;
    let sources = std::iter::once(&html.source).chain(html.included.iter().map(AsRef::as_ref));
    let alts = DefaultAlts::of(sources.clone());
    let mut problems: Vec<TemplateProblem> = sources.flat_map(|part| markup(part, &alts)).collect();
    problems.extend(contrast(html));
    problems.extend(length(variant));
    problems
}

/// Returns the warnings for one source file in HTML or MJML.
fn markup(part: &Part, alts: &DefaultAlts) -> Vec<TemplateProblem> {
    let text = masked(&part.text);
    let pieces = pieces(&text);
    let mut faults = images_without_alt(&text, &pieces, alts);
    let mut in_style = false;
    for piece in pieces {
        if faults.len() >= PROBLEMS_MAX {
            break;
        }
        match piece {
            Piece::Start(element) => {
                in_style = matches!(slice(&text, &element.name), "style" | "mj-style");
                links(&text, &element, &mut faults);
                target(part, &text, &element, &mut faults);
                let style = element.attribute(&text, "style");
                let own = style.map(|style| declarations(&text, style)).unwrap_or_default();
                style_of(&text, &own, &mut faults);
            }
            Piece::Text(span) if in_style => style_of(&text, &sheet(&text, span), &mut faults),
            Piece::Text(_) | Piece::End(_) => in_style = false,
            Piece::Comment(_) => {}
        }
    }
    faults.sort_by_key(|fault| fault.span.start);
    faults.into_iter().map(|fault| part.problem(fault)).collect()
}

fn links(text: &str, element: &Element, faults: &mut Vec<Fault>) {
    for link in ["href", "src"] {
        let Some(value) = element.attribute(text, link) else { continue };
        if slice(text, &value).starts_with("http://") {
            let fault = Fault::new(codes::TEMPLATE_LINK, value, "unencrypted link");
            faults.push(fault.warning().help("use `https://`".to_owned()));
        }
    }
}

/// MJML elements that prepend a base URL to `href`.
const COMPLETED: [&str; 2] = ["mj-navbar-link", "mj-social-element"];

/// Warns about a link in the source whose `href` will be removed.
fn target(part: &Part, text: &str, element: &Element, faults: &mut Vec<Fault>) {
    let name = slice(text, &element.name);
    if COMPLETED.contains(&name) {
        return;
    }
    for attribute in &element.attributes {
        let named = slice(text, &attribute.name).to_ascii_lowercase();
        if Attribute::named(&named) != Attribute::Link {
            continue;
        }
        if let Some(span) = removed_link(part, &attribute.value) {
            let message = format!("this link will be removed: {LINK_RULE}");
            let fault = Fault::new(codes::TEMPLATE_LINK_TARGET, span, message);
            faults.push(fault.warning().help("write the full URL with its scheme".to_owned()));
        }
    }
}

fn style_of(text: &str, declarations: &[Declaration], faults: &mut Vec<Fault>) {
    for declaration in declarations {
        if faults.len() >= PROBLEMS_MAX {
            return;
        }
        let Some((name, clients)) = dropped(text, declaration) else { continue };
        let span = declaration.property.start..declaration.value.end;
        let fault = Fault::new(codes::TEMPLATE_CSS, span, format!("{clients} drop `{name}`"));
        let help =
            "check that the e-mail looks right without it, and move optional styles into `@media`";
        faults.push(fault.warning().help(help.to_owned()));
    }
}

/// Returns the warnings about low contrast, each at the position of its color in the source.
fn contrast(html: &Html) -> Vec<TemplateProblem> {
    let rendered = masked(&html.rendered().text);
    let problem = |faint: super::contrast::LowContrast| {
        let color = slice(&rendered, &faint.color);
        let (part, span) = match &html.generated {
            None => (&html.source, faint.color.clone()),
            Some(_) => color_in_source(html, color),
        };
        let message = format!(
            "with `{color}`, the contrast between text and background is {:.1} to 1, but at least {} to 1 is required",
            faint.ratio, faint.ratio_min
        );
        let fault = Fault::new(codes::TEMPLATE_CONTRAST, span, message).warning();
        part.problem(fault.help("use a darker or lighter color".to_owned()))
    };
    low_contrast(&rendered).into_iter().map(problem).collect()
}

/// Finds a color in the source files of an e-mail in MJML.
fn color_in_source<'h>(html: &'h Html, color: &str) -> (&'h Part, Range<usize>) {
    let included = html.included.iter().map(AsRef::as_ref);
    let mut parts = std::iter::once(&html.source).chain(included);
    let found = parts.find_map(|part| Some((part, part.text.find(color)?)));
    let (part, at) = found.unwrap_or((&html.source, 0));
    (part, at..at + if found.is_some() { color.len() } else { 0 })
}

/// Returns the warnings about parts that are too long to be shown, whatever the data.
fn length(variant: &Variant) -> Vec<TemplateProblem> {
    let mut problems = Vec::new();
    let subject = &variant.subject;
    let characters = fixed_chars(&subject.program, variant);
    if characters > SUBJECT_CHARS_SHOWN {
        let message = format!(
            "the subject has {characters} characters of fixed text, and many e-mail clients show only {SUBJECT_CHARS_SHOWN}"
        );
        let fault = Fault::new(codes::TEMPLATE_LENGTH, 0..subject.text.trim_end().len(), message);
        problems.push(
            subject.problem(
                fault
                    .warning()
                    .help("put the most important words first, and shorten the subject".to_owned()),
            ),
        );
    }
    let bytes = variant.html.rendered().text.len();
    if bytes > HTML_BYTES_SHOWN {
        let message = format!(
            "the HTML is {} KB without its values, and Gmail clips e-mails after {} KB",
            bytes / 1024,
            HTML_BYTES_SHOWN / 1024
        );
        let fault = Fault::new(codes::TEMPLATE_LENGTH, 0..0, message).warning();
        problems.push(
            variant.html.source.problem(
                fault.help("shorten the HTML, or move content to the text part".to_owned()),
            ),
        );
    }
    problems
}

/// Returns the number of characters that are always printed.
fn fixed_chars(program: &Program, variant: &Variant) -> usize {
    let of = |op: &Op| match op {
        Op::Text { text, .. } => text.chars().count(),
        Op::Print { value, .. } => value.literal().map_or(0, |text| text.chars().count()),
        // Texts that this text includes are not counted.
        Op::LocaleText { name, .. } => {
            variant.texts.get(&**name).map_or(0, |part| literal_text_chars(&part.program))
        }
        _ => 0,
    };
    program.iter().map(of).sum()
}

fn literal_text_chars(program: &Program) -> usize {
    let of = |op: &Op| match op {
        Op::Print { value, .. } => value.literal().map_or(0, |text| text.chars().count()),
        _ => 0,
    };
    program.iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lint_findings_have_the_right_positions() {
        let text = "<p title='a > b'><img src=\"http://a.example/x.png\"><img alt=\"\" data-alt=1>\n<mj-image src='https://a.example/y.png' />\
                    <a HREF=x href = \"http://b.example\">b < c</a> <img data-alt=\"x\"><i style=\"top:0;color:red\">x</i>";
        let part = Part::of_file("t", text).unwrap();
        let found: Vec<_> = markup(&part, &DefaultAlts::of([&part]))
            .into_iter()
            .map(|p| (p.code, text.get(p.span).unwrap()))
            .collect();
        assert_eq!(
            found,
            [
                (codes::TEMPLATE_ALT, "img"),
                (codes::TEMPLATE_LINK, "http://a.example/x.png"),
                (codes::TEMPLATE_ALT, "mj-image"),
                (codes::TEMPLATE_LINK_TARGET, "x"),
                (codes::TEMPLATE_ALT, "img"),
                (codes::TEMPLATE_CSS, "top:0"),
            ]
        );
    }
}
