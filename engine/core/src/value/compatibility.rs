//! Decides whether a value stored under an earlier type also fits a later type.

use std::sync::Arc;

use super::types::{RecordType, Shape, Type};

impl Type {
    /// Returns whether every value of an earlier version of this type is also a value of this type.
    /// The type may allow more values, and records may have additional nullable members. Amounts
    /// must have the same currency, and personal data must still be marked as such.
    /// [Limits](super::Limits) are ignored: they only affect warnings and the check of divisors,
    /// where an expression fails on a value outside of them.
    pub fn accepts_values_of(&self, earlier: &Self) -> bool {
        (self.nullable || !earlier.nullable)
            && (self.pii || !earlier.pii)
            && self.unit == earlier.unit
            && is_within(earlier.length_max, self.length_max)
            && self.shape.accepts_values_of(&earlier.shape)
    }
}

impl Shape {
    fn accepts_values_of(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (
                Self::Decimal { integer_digits, scale },
                Self::Decimal { integer_digits: earlier_digits, scale: earlier_scale },
            ) => integer_digits >= earlier_digits && scale >= earlier_scale,
            (
                Self::Text { chars_max, values },
                Self::Text { chars_max: earlier_max, values: earlier_values },
            ) => {
                let among = |values: &Arc<[Arc<str>]>| {
                    let earlier = earlier_values.iter().flat_map(|values| values.iter());
                    earlier_values.is_some() && earlier.clone().all(|value| values.contains(value))
                };
                is_within(*earlier_max, *chars_max) && values.as_ref().is_none_or(among)
            }
            (Self::List(element), Self::List(earlier)) => element.accepts_values_of(earlier),
            (Self::Record(record), Self::Record(earlier)) => record_accepts(record, earlier),
            _ => self == earlier,
        }
    }
}

fn record_accepts(record: &RecordType, earlier: &RecordType) -> bool {
    let kept = earlier
        .fields()
        .iter()
        .all(|was| record.field(&was.name).is_some_and(|is| is.ty.accepts_values_of(&was.ty)));
    let added =
        record.fields().iter().all(|is| is.ty.nullable || earlier.field(&is.name).is_some());
    // The cases of a union distinguish its members, so they must stay the same.
    kept && added && record.cases() == earlier.cases()
}

/// Returns whether an earlier maximum is within a later one. `None` means no maximum.
fn is_within(earlier: Option<u64>, later: Option<u64>) -> bool {
    later.is_none_or(|later| earlier.is_some_and(|earlier| earlier <= later))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_type_accepts_all_earlier_values_and_may_accept_more() {
        let row = |note: bool| {
            let mut fields = vec![("customer", Type::text()), ("total", Type::amount().or_null())];
            fields.extend(note.then(|| ("note", Type::text().or_null())));
            Type::record(fields)
        };
        assert!(
            row(true).accepts_values_of(&row(false)) && row(false).accepts_values_of(&row(false))
        );
        assert!(!row(false).accepts_values_of(&row(true)), "a member was removed");
        assert!(row(false).or_null().accepts_values_of(&row(false)));
        assert!(!row(false).accepts_values_of(&row(false).or_null()));
        assert!(
            !Type::record([("a", Type::text()), ("b", Type::text())])
                .accepts_values_of(&Type::record([("a", Type::text())])),
            "the new member is not nullable"
        );
        assert!(Type::list(row(true)).accepts_values_of(&Type::list(row(false))));
        assert!(
            Type::decimal().accepts_values_of(&Type::amount())
                && !Type::amount().accepts_values_of(&Type::decimal())
        );
        assert!(!Type::text().accepts_values_of(&Type::of(Shape::Email)));
        let one =
            Type::of(Shape::Text { chars_max: Some(1), values: Some(Arc::from([Arc::from("a")])) });
        let two = Type::of(Shape::Text {
            chars_max: Some(1),
            values: Some(Arc::from([Arc::from("a"), Arc::from("b")])),
        });
        assert!(
            two.accepts_values_of(&one)
                && !one.accepts_values_of(&two)
                && Type::text().accepts_values_of(&one)
                && !one.accepts_values_of(&Type::text())
        );
    }
}
