//! `date`: the day of a timestamp in a time zone.

use oms_core::diagnostic::codes;
use oms_core::time_zone::TimeZone;
use oms_core::value::{DateFormat, Shape, Type};

use super::check::{Checked, Checker};
use super::node::Node;
use super::syntax::Expr;

impl Checker<'_> {
    pub(super) fn date(&mut self, expr: &Expr, instant: &Expr, zone: Option<&Expr>) -> Checked {
        let span = expr.span.clone();
        let instant = self.check(instant);
        let zone = match zone {
            None => Some(self.scope.time_zone().clone()),
            Some(zone) => self.time_zone(zone),
        };
        let Some(ty) = &instant.ty else { return Checked::broken(span) };
        if ty.shape != Shape::Timestamp {
            self.wrong_argument("date", "a timestamp", &instant);
            return Checked::broken(span);
        }
        let pii = ty.pii;
        let present = self.present(&instant);
        let Some(zone) = zone.filter(|_| present) else { return Checked::broken(span) };
        Checked::new(Node::Day(Box::new(instant.node), zone), Some(day_type(pii)), span)
    }

    /// Checks the name of a time zone, which must be constant.
    fn time_zone(&mut self, zone: &Expr) -> Option<TimeZone> {
        let zone = self.check(zone);
        let Some(name) = zone.constant_text() else {
            if zone.ty.is_some() {
                let message = "the time zone must be a quoted name";
                self.report(codes::EXPRESSION_TYPE, zone.span, message, "not a constant name")
                    .help("write the name itself, such as `\"Europe/Berlin\"`".to_owned());
            }
            return None;
        };
        match TimeZone::named(name) {
            Ok(zone) => Some(zone),
            Err(error) => {
                let message = error.to_string();
                self.report(
                    codes::EXPRESSION_TYPE,
                    zone.span.clone(),
                    message,
                    "unknown time zone",
                )
                .help(error.help());
                None
            }
        }
    }
}

/// Returns the type of a day.
pub(super) fn day_type(pii: bool) -> Type {
    Type { pii, ..Type::of(Shape::Date(DateFormat::Iso)) }
}
