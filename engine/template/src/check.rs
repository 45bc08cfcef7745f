//! Walks the syntax tree of a template and reports its problems with data of a given type.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use handlebars::template::{HelperTemplate, Parameter, Template as Tree, TemplateElement};
use oms_core::diagnostic::{Severity, codes};
use oms_core::value::{Shape, Type};

use super::check_link::{first_printed, link_start_tags};
use super::check_partial::second_line;
use super::check_path::{ResolvedValue, Scopes};
use super::helpers::{BLOCKS, CALLS, PLURAL, TEXT};
use super::lint::lint;
use super::load::{Template, Variant};
use super::part::Part;
use super::problem::{Fault, PROBLEMS_MAX, TemplateProblem};
use super::render::escape_of;
use super::scan::{Tag, TagKind};
use super::texts::Texts;
use super::writer::Escape;

/// Prefix of the comment `{{!-- unescaped: reason --}}`.
const UNESCAPED: &str = "unescaped:";

/// A walk through one part of an e-mail and the partials that it includes.
pub(super) struct Checker<'t> {
    pub(super) partials: &'t BTreeMap<String, Part>,
    pub(super) texts: &'t Texts,
    /// The locale of the texts.
    pub(super) locale: &'t str,
    pub(super) scopes: Scopes,
    problems: Vec<TemplateProblem>,
    /// The partials that contain the current position, from the outside in.
    pub(super) including: Vec<&'t str>,
    pub(super) inclusions: usize,
    /// Number of invalid blocks around the current position. Problems inside them are not reported.
    pub(super) suppressed: usize,
    pub(super) one_line: bool,
    /// Whether links are checked. They are checked only in HTML source files.
    links: bool,
    /// Whether the current position is at the start of a link's URL.
    pub(super) in_link: bool,
}

/// The role of a part in an e-mail, which determines its checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// A single line of text.
    Subject,
    Text,
    Html,
    /// HTML that MJML generated from a source that was checked already.
    Generated,
}

/// The current position in one file.
pub(super) struct Cursor<'t> {
    pub(super) part: &'t Part,
    next: usize,
    /// Start positions of the tags that print the start of a link's URL.
    links: BTreeSet<usize>,
}

impl<'t> Cursor<'t> {
    /// Returns the next tag that has its own element in the syntax tree.
    fn tag(&mut self) -> Option<&'t Tag> {
        loop {
            let tag = self.part.tags.get(self.next)?;
            self.next += 1;
            if !matches!(tag.kind, TagKind::Else | TagKind::Close) {
                return Some(tag);
            }
        }
    }

    /// Returns the text of a range of bytes.
    pub(super) fn text(&self, span: &Range<usize>) -> &'t str {
        self.part.text.get(span.clone()).unwrap_or_default()
    }
}

impl Template {
    /// Returns the problems of the template for data of this type: at most [`PROBLEMS_MAX`] errors
    /// and as many warnings. If there are no errors, rendering such data can fail only because of
    /// the size limit.
    pub fn check(&self, data: &Type) -> Vec<TemplateProblem> {
        let mut problems: Vec<TemplateProblem> = Vec::new();
        // Errors and warnings have separate limits, so that warnings never hide an error.
        let mut left = [PROBLEMS_MAX; 2];
        let mut add = |found: Vec<TemplateProblem>| {
            for problem in found {
                let [errors, warnings] = &mut left;
                let left = if problem.severity == Severity::Error { errors } else { warnings };
                if *left > 0 && !problems.contains(&problem) {
                    *left -= 1;
                    problems.push(problem);
                }
            }
        };
        add(self.warnings().cloned().collect());
        for variant in self.variants() {
            let check = |part: &Part, role| self.check_part(part, variant, data, role);
            add(check(&variant.subject, Role::Subject));
            add(variant.text.as_ref().map(|text| check(text, Role::Text)).unwrap_or_default());
            let html = &variant.html;
            add(lint(variant));
            let mut found = check(&html.source, Role::Html);
            found.extend(html.included.iter().flat_map(|part| check(part, Role::Html)));
            // MJML moves elements. A tag that is valid in the source must also be valid at its
            // position in the generated HTML.
            let is_error = |problem: &TemplateProblem| problem.severity == Severity::Error;
            if let Some(made) = html.generated.as_ref().filter(|_| !found.iter().any(is_error)) {
                let moved = check(made, Role::Generated).into_iter().filter(is_error);
                found.extend(moved.map(|problem| in_mjml_source(problem, &html.source, made)));
            }
            add(found);
            for (name, part) in &self.attachments {
                let html = escape_of(name) == Escape::Html;
                add(check(part, if html { Role::Html } else { Role::Text }));
            }
        }
        add(self.sample(data).err().unwrap_or_default());
        problems
    }

    /// Checks one part of an e-mail in one locale.
    fn check_part(
        &self,
        part: &Part,
        variant: &Variant,
        data: &Type,
        role: Role,
    ) -> Vec<TemplateProblem> {
        let one_line = role == Role::Subject;
        let mut checker = Checker {
            partials: &self.partials,
            texts: &variant.texts,
            locale: &variant.locale,
            scopes: Scopes::new(data),
            problems: Vec::new(),
            including: Vec::new(),
            inclusions: 0,
            suppressed: 0,
            one_line,
            links: role == Role::Html,
            in_link: false,
        };
        if let Some(fault) = second_line(part).filter(|_| one_line) {
            checker.problems.push(part.problem(fault));
        }
        checker.file(part);
        checker.problems
    }
}

/// Converts a problem in the HTML that MJML generated into a problem in the MJML source.
fn in_mjml_source(problem: TemplateProblem, source: &Part, made: &Part) -> TemplateProblem {
    let text = made.text.get(problem.span.clone()).unwrap_or_default();
    let at = source.text.find(text).unwrap_or(0);
    let message = format!("in the HTML that MJML generates: {}", problem.message);
    let fault = Fault::new(codes::TEMPLATE_MJML, at..at + text.len(), message);
    source.problem(fault.help("put blocks that surround elements into `<mj-raw>`".to_owned()))
}

impl<'t> Checker<'t> {
    pub(super) fn report(&mut self, cursor: &Cursor<'_>, fault: Fault) {
        let problem = cursor.part.problem(fault);
        // A partial that is included twice is reported once.
        let alike = self.problems.iter().filter(|known| known.severity == problem.severity).count();
        let has_room = self.suppressed == 0 && alike < PROBLEMS_MAX;
        if has_room && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    pub(super) fn file(&mut self, part: &'t Part) {
        let mut links = if self.links { link_start_tags(part) } else { BTreeSet::new() };
        if self.in_link {
            links.extend(first_printed(part, 0..part.text.len()));
        }
        let mut cursor = Cursor { part, next: 0, links };
        self.walk(&part.tree, &mut cursor);
        if cursor.tag().is_some() {
            self.report_ambiguous(&cursor);
        }
    }

    /// Reports that the tags do not match the syntax tree. The check must not accept a file that it
    /// cannot follow.
    pub(super) fn report_ambiguous(&mut self, cursor: &Cursor<'_>) {
        let end = cursor.part.text.len();
        let message = "the tags of this file are ambiguous";
        let fault = Fault::new(codes::TEMPLATE_SYNTAX, end..end, message);
        self.report(cursor, fault.help("use fewer backslashes and braces".to_owned()));
    }

    pub(super) fn walk(&mut self, tree: &'t Tree, cursor: &mut Cursor<'t>) {
        for (at, element) in tree.elements.iter().enumerate() {
            if matches!(element, TemplateElement::RawString(_)) {
                continue;
            }
            let Some(tag) = cursor.tag() else {
                return self.report_ambiguous(cursor);
            };
            match (element, tag.kind) {
                (TemplateElement::Comment(_), TagKind::Comment) => {}
                (TemplateElement::Expression(call), TagKind::Print) => {
                    self.print(call, tag, cursor);
                }
                (TemplateElement::HtmlExpression(call), TagKind::Print) => {
                    if !has_unescaped_reason(tree.elements.get(..at).unwrap_or_default()) {
                        self.report_unescaped(tag, cursor);
                    }
                    self.print(call, tag, cursor);
                }
                (TemplateElement::HelperBlock(call), TagKind::Open | TagKind::Chain) => {
                    self.block(call, tag, cursor);
                }
                (TemplateElement::PartialExpression(partial), TagKind::Partial) => {
                    self.at_link(tag, cursor, |checker| checker.partial(partial, tag, cursor));
                }
                _ => return self.report_ambiguous(cursor),
            }
        }
    }

    fn report_unescaped(&mut self, tag: &Tag, cursor: &Cursor<'_>) {
        let name = cursor.text(&tag.call.name);
        let fault = Fault::new(
            codes::TEMPLATE_UNESCAPED,
            tag.span.clone(),
            format!("`{name}` is printed without escaping"),
        );
        self.report(
            cursor,
            fault.help(format!(
                "write `{{{{{name}}}}}`, or add a comment before it that states why it is safe: `{{{{!-- {UNESCAPED} … --}}}}`"
            )),
        );
    }

    fn print(&mut self, call: &'t HelperTemplate, tag: &Tag, cursor: &Cursor<'_>) {
        let name = cursor.text(&tag.call.name);
        if name == TEXT && !(call.params.is_empty() && call.hash.is_empty()) {
            return self.at_link(tag, cursor, |checker| checker.locale_text(call, tag, cursor));
        }
        let known = if call.params.is_empty() && call.hash.is_empty() {
            if matches!(call.name, Parameter::Subexpression(_)) {
                let fault = Fault::new(
                    codes::TEMPLATE_SHAPE,
                    tag.call.name.clone(),
                    "a printed value cannot be in parentheses",
                );
                return self.report(cursor, fault.help("remove the parentheses".to_owned()));
            }
            // Templates of runs that started before `plural` was a helper may print a field with
            // this name.
            let is_helper = BLOCKS.contains(&name) || CALLS.contains(&name) && name != PLURAL;
            if is_helper {
                let fault = Fault::new(
                    codes::TEMPLATE_HELPER,
                    tag.call.name.clone(),
                    format!("`{name}` is a helper and requires a value"),
                );
                let help = format!("to print a field with this name, write `{{{{this.{name}}}}}`");
                return self.report(cursor, fault.help(help));
            }
            self.path(name, tag.call.name.start, cursor).map(|known| known.ty)
        } else {
            self.helper_call(call, &tag.call, cursor).map(|operand| operand.ty)
        };
        if let Some(ty) = known {
            self.printable(&ty, tag.call.name.clone(), cursor);
            if cursor.links.contains(&tag.span.start) {
                self.link(&ty, tag, cursor);
            }
        }
    }

    /// Walks the content that a tag includes at its position.
    fn at_link(&mut self, tag: &Tag, cursor: &Cursor<'_>, walk: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.in_link, cursor.links.contains(&tag.span.start));
        walk(self);
        self.in_link = outer;
    }

    /// Reports a value that cannot be printed. Returns whether it can be printed.
    pub(super) fn printable(&mut self, ty: &Type, span: Range<usize>, cursor: &Cursor<'_>) -> bool {
        let name = cursor.text(&span);
        let fault = match ty.shape {
            Shape::Record(_) | Shape::List(_) | Shape::Json => {
                let help = match ty.shape {
                    Shape::List(_) => format!("iterate over it with `{{{{#each {name}}}}}`"),
                    _ => format!("print one of its fields, such as `{name}.…`"),
                };
                Fault::new(
                    codes::TEMPLATE_SHAPE,
                    span,
                    format!("`{name}` is {} and cannot be printed", ty.shape),
                )
                .help(help)
            }
            _ if ty.nullable || ty.shape == Shape::Null => {
                Fault::new(codes::TEMPLATE_MAY_BE_MISSING, span, format!("`{name}` may be missing"))
                    .label("printed without a check")
                    .help(format!(
                        "wrap it in `{{{{#if {name}}}}}`, or write `{{{{default {name} \"…\"}}}}`"
                    ))
            }
            _ => return true,
        };
        self.report(cursor, fault);
        false
    }

    /// Resolves a path and reports its problems.
    pub(super) fn path(
        &mut self,
        raw: &str,
        start: usize,
        cursor: &Cursor<'_>,
    ) -> Option<ResolvedValue> {
        self.scopes.resolve(raw, start).map_err(|fault| self.report(cursor, fault)).ok()
    }
}

/// Returns whether a comment before the tag gives a reason for not escaping.
fn has_unescaped_reason(before: &[TemplateElement]) -> bool {
    let mut before = before.iter().rev().skip_while(
        |element| matches!(element, TemplateElement::RawString(text) if text.trim().is_empty()),
    );
    matches!(
        before.next(),
        Some(TemplateElement::Comment(text))
            if text.trim().strip_prefix(UNESCAPED).is_some_and(|reason| !reason.trim().is_empty())
    )
}
