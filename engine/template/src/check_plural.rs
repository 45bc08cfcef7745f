//! Checks of `{{plural n one="…" other="…"}}`: every plural form of the language is required (UTS
//! #35, part 3, "Language Plural Rules").

use handlebars::JsonValue;
use handlebars::template::{HelperTemplate, Parameter};
use oms_core::diagnostic::{codes, did_you_mean};
use oms_core::value::{Shape, Type};

use super::check::{Checker, Cursor};
use super::check_helper::{Operand, values};
use super::helpers::PLURAL;
use super::problem::Fault;
use super::tag::Call;
use crate::locale::{Formats, PLURAL_CATEGORIES};

impl<'t> Checker<'t> {
    /// Checks the number and the forms, and returns the type of the result.
    pub(super) fn plural(
        &mut self,
        call: &'t HelperTemplate,
        at: &Call,
        cursor: &Cursor<'_>,
    ) -> Option<Operand> {
        let refuse = |span: &std::ops::Range<usize>, message: String| {
            Fault::new(codes::TEMPLATE_HELPER, span.clone(), message)
        };
        let ([param], [place]) = (call.params.as_slice(), at.params.as_slice()) else {
            let message =
                format!("`{PLURAL}` expects 1 value, found {}", values(call.params.len()));
            self.report(cursor, refuse(&at.name, message));
            return None;
        };
        let mut valid = true;
        let mut given: Vec<&str> = Vec::new();
        for (key, value) in &at.named {
            let name = cursor.text(key);
            let fault = if !PLURAL_CATEGORIES.contains(&name) {
                let help = did_you_mean(name, PLURAL_CATEGORIES);
                refuse(key, format!("unknown plural form `{name}`")).help(help)
            } else if given.contains(&name) {
                refuse(key, format!("duplicate plural form `{name}`"))
            } else if !matches!(call.hash.get(name), Some(Parameter::Literal(JsonValue::String(_))))
            {
                let help = format!("write a constant text: `{name}=\"# items\"`");
                refuse(&value.span, format!("the plural form `{name}` must be quoted text"))
                    .help(help)
            } else {
                given.push(name);
                continue;
            };
            self.report(cursor, fault);
            valid = false;
        }
        let operand = self.operand(param, place, cursor)?;
        valid &= self.printable(&operand.ty, operand.span.clone(), cursor);
        if valid && !matches!(operand.ty.shape, Shape::Int | Shape::Decimal { .. }) {
            let shown = cursor.text(&operand.span);
            let message =
                format!("`{PLURAL}` expects a number, but `{shown}` is {}", operand.ty.shape);
            self.report(cursor, Fault::new(codes::TEMPLATE_SHAPE, operand.span.clone(), message));
            valid = false;
        }
        let needed = Formats::of(self.locale).plural_categories();
        let missing: Vec<&str> = needed.into_iter().filter(|form| !given.contains(form)).collect();
        if valid && !missing.is_empty() {
            let locale = self.locale;
            let forms: Vec<String> = missing.iter().map(|form| format!("`{form}`")).collect();
            let message = format!("`{PLURAL}` requires {} for `{locale}`", forms.join(", "));
            let forms: Vec<String> = missing.iter().map(|form| format!("{form}=\"…\"")).collect();
            let help = format!(
                "add `{}`, or write each language's forms in its `texts.yaml`",
                forms.join(" ")
            );
            self.report(cursor, refuse(&at.name, message).help(help));
            valid = false;
        }
        let ty = Type::text().with_pii(operand.ty.pii);
        valid.then(|| Operand { ty, place: None, literal: None, span: at.name.clone() })
    }
}
