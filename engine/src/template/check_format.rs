//! The helpers that write a value as readers of a locale do: what types they take.

use handlebars::template::Parameter;

use super::check::{Checker, Cursor};
use super::check_helper::Operand;
use super::problem::Fault;
use super::tag::Argument;
use crate::diagnostic::codes;
use crate::money::Currency;
use crate::value::{Shape, Type, Unit};

impl<'t> Checker<'t> {
    /// Checks the parameters of `money`, `number`, `date` or `country`, and returns the type of what it writes.
    pub(super) fn format_call(
        &mut self,
        name: &str,
        params: &'t [Parameter],
        places: &[Argument],
        cursor: &Cursor<'_>,
    ) -> Option<Type> {
        let given = params.iter().zip(places);
        let operands: Vec<_> =
            given.map(|(param, at)| self.operand(param, at, cursor)).collect::<Option<_>>()?;
        let mut fine = true;
        for operand in &operands {
            fine &= self.printable(&operand.ty, operand.span.clone(), cursor);
        }
        let (value, other) = (operands.first()?, operands.get(1));
        let (fits, wanted) = match name {
            "date" => (
                matches!(value.ty.shape, Shape::Date(_) | Shape::Timestamp),
                "a date or an instant",
            ),
            "country" => (matches!(value.ty.shape, Shape::Text { .. }), "the code of a country"),
            _ => (matches!(value.ty.shape, Shape::Int | Shape::Decimal { .. }), "a number"),
        };
        if fine && !fits {
            self.refuse_shape(value, name, wanted, cursor);
            fine = false;
        }
        if let Some(other) = other.filter(|_| fine) {
            fine = self.currency(value, other, cursor);
        }
        let pii = operands.iter().any(|operand| operand.ty.pii);
        fine.then(|| Type::text().with_pii(pii))
    }

    fn refuse_shape(&mut self, value: &Operand, name: &str, wanted: &str, cursor: &Cursor<'_>) {
        let shown = cursor.text(&value.span);
        let message = format!("`{shown}` is {}, and `{name}` writes {wanted}", value.ty.shape);
        self.report(cursor, Fault::new(codes::TEMPLATE_SHAPE, value.span.clone(), message));
    }

    /// Checks what `money` is given as the currency of an amount.
    fn currency(&mut self, amount: &Operand, currency: &Operand, cursor: &Cursor<'_>) -> bool {
        let shown = cursor.text(&currency.span);
        let refuse = |code, message| Fault::new(code, currency.span.clone(), message);
        let Some(code) = currency.literal.as_ref().and_then(|literal| literal.as_str()) else {
            if currency.ty.shape == Shape::Currency {
                return true;
            }
            let message = format!("`{shown}` is {} and no currency", currency.ty.shape);
            let help = "give a field of the format `currency`, or a code such as `\"USD\"`";
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
                let message = format!("the amount is in {}, and is written as {code}", unit.code());
                self.report(cursor, refuse(codes::CURRENCY_MISMATCH, message));
                false
            }
            _ => true,
        }
    }
}
