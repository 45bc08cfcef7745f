//! Checks of partials, texts of a locale, and subjects.

use handlebars::JsonValue;
use handlebars::template::{DecoratorTemplate, HelperTemplate, Parameter};
use oms_core::diagnostic::{codes, did_you_mean};

use super::check::{Checker, Cursor};
use super::check_path::{ResolvedValue, Scope};
use super::helpers::TEXT;
use super::part::Part;
use super::problem::Fault;
use super::scan::Tag;

/// Maximum number of partials and texts that an e-mail may include. Repeated inclusions count each
/// time.
const INCLUSIONS_MAX: usize = 500;

/// Returns a fault if a subject has a second line.
pub(super) fn second_line(part: &Part) -> Option<Fault> {
    let text = part.text.strip_suffix('\n').unwrap_or(&part.text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    let within_tag = |at: usize| part.tags.iter().any(|tag| tag.span.contains(&at));
    let (at, _) = text.match_indices(['\n', '\r']).find(|(at, _)| !within_tag(*at))?;
    let after = text.get(at..).unwrap_or_default();
    let start = at + (after.len() - after.trim_start().len());
    let length = text.get(start..).and_then(|rest| rest.lines().next()).map_or(0, str::len);
    let fault = Fault::new(
        codes::TEMPLATE_SUBJECT,
        start..start + length,
        "a subject must be a single line, found a second line",
    );
    Some(fault.help(
        "write the subject on the first line; `{{~` and `~}}` do not join lines here".to_owned(),
    ))
}

impl<'t> Checker<'t> {
    pub(super) fn partial(
        &mut self,
        partial: &'t DecoratorTemplate,
        tag: &Tag,
        cursor: &Cursor<'t>,
    ) {
        let refuse =
            |message: String| Fault::new(codes::TEMPLATE_HELPER, tag.call.name.clone(), message);
        let name = partial.name.as_name().unwrap_or_default();
        let partials = self.partials;
        let Some((name, part)) = partials.get_key_value(name) else {
            let shown = cursor.text(&tag.call.name);
            let fault = refuse(format!("unknown partial `{shown}`"))
                .help(did_you_mean(shown, partials.keys().map(String::as_str)));
            return self.report(cursor, fault);
        };
        if self.including.contains(&name.as_str()) {
            return self.report(cursor, refuse(format!("the partial `{name}` includes itself")));
        }
        self.inclusions += 1;
        if self.inclusions > INCLUSIONS_MAX {
            let message =
                format!("this e-mail includes more than {INCLUSIONS_MAX} partials and texts");
            return self.report(cursor, refuse(message));
        }
        if self.one_line && part.text.trim_end().contains(['\n', '\r']) {
            let message =
                format!("a subject must be a single line, but the partial `{name}` has several");
            let fault = Fault::new(codes::TEMPLATE_SUBJECT, tag.call.name.clone(), message);
            return self.report(cursor, fault);
        }
        let this = match (partial.params.as_slice(), tag.call.params.as_slice()) {
            ([], []) => self.scopes.this().cloned(),
            ([param @ Parameter::Path(_)], [place]) => match self.operand(param, place, cursor) {
                None => return,
                Some(operand) if operand.ty.as_record().is_none() => {
                    let message = format!("a partial expects a record, found {}", operand.ty.shape);
                    let fault = Fault::new(codes::TEMPLATE_SHAPE, place.span.clone(), message);
                    return self.report(
                        cursor,
                        fault.help(
                            "pass single values by name: `{{> partial name=value}}`".to_owned(),
                        ),
                    );
                }
                Some(operand) => operand.place.map(|place| ResolvedValue { ty: operand.ty, place }),
            },
            _ => {
                return self.report(
                    cursor,
                    refuse(format!("the partial `{name}` accepts at most one record")),
                );
            }
        };
        let Some(this) = this else { return };
        let mut names = Vec::new();
        for (key, place) in &tag.call.named {
            let key = cursor.text(key);
            let Some(operand) = partial.hash.get(key).and_then(|v| self.operand(v, place, cursor))
            else {
                return;
            };
            let at = operand.place.unwrap_or_else(|| self.scopes.fresh_place());
            names.push((key.to_owned(), ResolvedValue { ty: operand.ty, place: at }));
        }
        let in_list = self.scopes.in_list();
        self.scopes.push(Scope { this, in_list, names });
        self.including.push(name);
        self.file(part);
        self.including.pop();
        self.scopes.pop();
    }

    /// Checks the text that `{{t "name"}}` includes, at each position where it is included.
    pub(super) fn locale_text(&mut self, call: &'t HelperTemplate, tag: &Tag, cursor: &Cursor<'_>) {
        let refuse = |span: &std::ops::Range<usize>, message: String| {
            Fault::new(codes::TEMPLATE_HELPER, span.clone(), message)
        };
        let ([Parameter::Literal(JsonValue::String(name))], [place]) =
            (call.params.as_slice(), tag.call.params.as_slice())
        else {
            let fault = refuse(&tag.call.name, format!("`{TEXT}` expects the name of a text"));
            return self.report(
                cursor,
                fault.help(format!("write the name in quotes: `{{{{{TEXT} \"title\"}}}}`")),
            );
        };
        let texts = self.texts;
        let Some((name, part)) = texts.get_key_value(name) else {
            let fault = refuse(&place.span, format!("unknown text `{name}`"));
            let help = did_you_mean(name, texts.keys().map(String::as_str));
            let help = help.or_else(|| Some("add the text to `texts.yaml`".to_owned()));
            return self.report(cursor, fault.help(help));
        };
        if self.including.contains(&name.as_str()) {
            return self
                .report(cursor, refuse(&place.span, format!("the text `{name}` includes itself")));
        }
        if self.one_line && part.text.trim_end().contains(['\n', '\r']) {
            let message =
                format!("a subject must be a single line, but the text `{name}` has several");
            let fault = Fault::new(codes::TEMPLATE_SUBJECT, place.span.clone(), message);
            return self.report(cursor, fault);
        }
        self.inclusions += 1;
        if self.inclusions > INCLUSIONS_MAX {
            let message =
                format!("this e-mail includes more than {INCLUSIONS_MAX} partials and texts");
            return self.report(cursor, refuse(&place.span, message));
        }
        self.including.push(name);
        self.file(part);
        self.including.pop();
    }
}
