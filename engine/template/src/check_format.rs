//! Checks of the helpers that format a value for a locale.

use handlebars::JsonValue;
use handlebars::template::{HelperTemplate, Parameter};
use oms_core::diagnostic::codes;
use oms_core::money::Currency;
use oms_core::time_zone::TimeZone;
use oms_core::value::{Shape, Type, Unit};

use super::check::{Checker, Cursor};
use super::check_helper::Operand;
use super::helpers::{DATE, ZONE};
use super::problem::Fault;
use super::tag::{Argument, Call};

impl<'t> Checker<'t> {
    /// Checks the parameters of `money`, `number`, `date` or `country`, and returns the type of the
    /// formatted value.
    pub(super) fn format_call(
        &mut self,
        name: &str,
        params: &'t [Parameter],
        places: &[Argument],
        at: &Call,
        cursor: &Cursor<'_>,
    ) -> Option<Type> {
        let given = params.iter().zip(places);
        let operands: Vec<_> =
            given.map(|(param, at)| self.operand(param, at, cursor)).collect::<Option<_>>()?;
        let mut valid = true;
        for operand in &operands {
            valid &= self.printable(&operand.ty, operand.span.clone(), cursor);
        }
        let (value, other) = (operands.first()?, operands.get(1));
        let (fits, expected) = match name {
            "date" => (
                matches!(value.ty.shape, Shape::Date(_) | Shape::Timestamp),
                "a date or a timestamp",
            ),
            "country" => (matches!(value.ty.shape, Shape::Text { .. }), "a country code"),
            _ => (matches!(value.ty.shape, Shape::Int | Shape::Decimal { .. }), "a number"),
        };
        if valid && !fits {
            self.report_shape(value, name, expected, cursor);
            valid = false;
        }
        if let Some(other) = other.filter(|_| valid) {
            valid = self.currency(value, other, cursor);
        }
        if valid && matches!(value.ty.shape, Shape::Date(_)) {
            valid = self.check_no_time_zone(value, at, cursor);
        }
        let pii = operands.iter().any(|operand| operand.ty.pii);
        valid.then(|| Type::text().with_pii(pii))
    }

    /// Checks the options of a helper. Only `date` has an option.
    pub(super) fn settings(
        &mut self,
        name: &str,
        call: &HelperTemplate,
        at: &Call,
        cursor: &Cursor<'_>,
    ) -> bool {
        for (position, (key, value)) in at.named.iter().enumerate() {
            let setting = cursor.text(key);
            let fault = if name != DATE {
                let message = format!("`{name}` has no option `{setting}`");
                Fault::new(codes::TEMPLATE_HELPER, key.clone(), message)
            } else if setting != ZONE {
                let message = format!("`{name}` has no option `{setting}`");
                Fault::new(codes::TEMPLATE_HELPER, key.clone(), message)
                    .help(format!("to set the time zone, write `{ZONE}=\"Europe/Berlin\"`"))
            } else if position > 0 {
                let message = format!("duplicate option `{ZONE}`");
                Fault::new(codes::TEMPLATE_HELPER, key.clone(), message)
            } else {
                match zone(call.hash.get(ZONE)) {
                    Ok(()) => continue,
                    Err((message, help)) => {
                        Fault::new(codes::TEMPLATE_SHAPE, value.span.clone(), message).help(help)
                    }
                }
            };
            self.report(cursor, fault);
            return false;
        }
        true
    }

    /// Rejects a time zone for a value that is already a date.
    fn check_no_time_zone(&mut self, value: &Operand, at: &Call, cursor: &Cursor<'_>) -> bool {
        let Some((key, _)) = at.named.first() else { return true };
        let shown = cursor.text(&value.span);
        let message = format!("`{shown}` is a date, and dates have no time zone");
        let fault = Fault::new(codes::TEMPLATE_SHAPE, key.clone(), message);
        self.report(cursor, fault.help(format!("remove `{ZONE}`")));
        false
    }

    fn report_shape(&mut self, value: &Operand, name: &str, expected: &str, cursor: &Cursor<'_>) {
        let shown = cursor.text(&value.span);
        let message = format!("`{name}` expects {expected}, but `{shown}` is {}", value.ty.shape);
        self.report(cursor, Fault::new(codes::TEMPLATE_SHAPE, value.span.clone(), message));
    }

    /// Checks the currency argument of `money`. It must match the currency of the amount, if known.
    fn currency(&mut self, amount: &Operand, currency: &Operand, cursor: &Cursor<'_>) -> bool {
        let shown = cursor.text(&currency.span);
        let refuse = |code, message| Fault::new(code, currency.span.clone(), message);
        let Some(code) = currency.literal.as_ref().and_then(|literal| literal.as_str()) else {
            if currency.ty.shape == Shape::Currency {
                return true;
            }
            let message = format!("`{shown}` is {}, not a currency", currency.ty.shape);
            let help = "use a field with `format: currency`, or a code such as `\"USD\"`";
            self.report(cursor, refuse(codes::TEMPLATE_SHAPE, message).help(help.to_owned()));
            return false;
        };
        let literal = match Currency::parse(code) {
            Ok(literal) => literal,
            Err(error) => {
                self.report(
                    cursor,
                    refuse(codes::CURRENCY_UNKNOWN, format!("`{code}` is {error}")),
                );
                return false;
            }
        };
        match &amount.ty.unit {
            Some(Unit::Code(unit)) if *unit != literal => {
                let message =
                    format!("the amount is in {}, but is formatted as {code}", unit.code());
                self.report(cursor, refuse(codes::CURRENCY_MISMATCH, message));
                false
            }
            _ => true,
        }
    }
}

/// Checks the name of a time zone, which must be a constant in the template.
///
/// # Errors
/// Returns the message and the help text.
fn zone(value: Option<&Parameter>) -> Result<(), (String, String)> {
    match value {
        Some(Parameter::Literal(JsonValue::String(name))) => match TimeZone::named(name) {
            Ok(_) => Ok(()),
            Err(error) => Err((error.to_string(), error.help())),
        },
        _ => {
            let message = "the time zone must be a quoted name".to_owned();
            Err((message, format!("write a constant name, such as `{ZONE}=\"Europe/Berlin\"`")))
        }
    }
}
