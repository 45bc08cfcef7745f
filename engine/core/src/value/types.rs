//! Static types: the properties of an expression, a column or an output that are known before a
//! run.

use std::fmt;
use std::sync::Arc;

use super::interval::Interval;
use crate::money::{Currency, DIGITS_MAX};

/// Maximum number of characters of an e-mail address (RFC 5321).
const EMAIL_CHARS_MAX: u64 = 254;

/// The form of a date in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum DateFormat {
    /// `2025-12-31` (RFC 3339 full-date).
    #[default]
    Iso,
    /// `12/31/2025`, as `x-date-format: MM/DD/YYYY` declares.
    MonthDayYear,
    /// `31/12/2025`, as `x-date-format: DD/MM/YYYY` declares.
    DayMonthYear,
}

/// The currency of an amount.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A known currency.
    Code(Currency),
    /// The currency that a field names, given by its path from the scope, such as `order.currency`.
    Field(Arc<str>),
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(currency) => write!(f, "{}", currency.code()),
            Self::Field(path) => write!(f, "the currency that `{path}` names"),
        }
    }
}

/// The shape of a value that is not null.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Always null.
    Null,
    /// True or false.
    Bool,
    /// A 64-bit integer.
    Int,
    /// An exact decimal with at most this many digits before and after the decimal point.
    Decimal {
        /// The maximum number of digits before the decimal point.
        integer_digits: u32,
        /// The maximum number of digits after the decimal point.
        scale: u32,
    },
    /// Text.
    Text {
        /// The maximum number of characters, if known.
        chars_max: Option<u64>,
        /// The possible texts, if they are known.
        values: Option<Arc<[Arc<str>]>>,
    },
    /// An ISO 4217 code.
    Currency,
    /// An e-mail address (RFC 5321 mailbox).
    Email,
    /// An absolute URI.
    Uri,
    /// A calendar date.
    Date(DateFormat),
    /// A timestamp.
    Timestamp,
    /// Elements of one type.
    List(Arc<Type>),
    /// Named fields.
    Record(Arc<RecordType>),
    /// JSON for which no type can be derived. It is only validated, and expressions cannot refer to
    /// its parts.
    Json,
    /// The type of an invalid declaration. The declaration has its own finding, so uses of it are
    /// not checked.
    Broken,
}

/// The type of a value: its shape, whether it may be missing, and further properties.
#[derive(Clone, Debug, PartialEq)]
pub struct Type {
    /// Its shape if it is not null.
    pub shape: Shape,
    /// Whether it may be null or missing.
    pub nullable: bool,
    /// Whether it is, or is computed from, personal data.
    pub pii: bool,
    /// The currency of an amount, if known.
    pub unit: Option<Unit>,
    /// Maximum number of characters of an address or a link, if it is less than the shape allows.
    pub length_max: Option<u64>,
    /// Limits of its size beyond those of the shape.
    pub limits: Limits,
}

/// Limits of the size of a value beyond those of its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Limits {
    /// The range of a number.
    pub numbers: Option<Interval>,
    /// The maximum number of elements of a list.
    pub elements_max: Option<u64>,
}

impl Limits {
    /// No limits.
    pub const NONE: Self = Self { numbers: None, elements_max: None };

    /// Returns the limits of a value that has at least one of the two limits.
    fn join(self, other: Self) -> Self {
        Self {
            numbers: self.numbers.zip(other.numbers).map(|(a, b)| a.enclosing(b)),
            elements_max: self.elements_max.zip(other.elements_max).map(|(a, b)| a.max(b)),
        }
    }
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: Arc<str>,
    /// Its type; nullable if it may be missing.
    pub ty: Type,
}

/// The fields of a record, sorted by name. Two records with the same names have the same layout.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct RecordType {
    fields: Vec<Field>,
    /// The cases of a union; empty for other records.
    cases: Vec<Arc<Self>>,
}

impl RecordType {
    /// Creates a record type. If a name occurs twice, the last type is used.
    pub fn new(fields: impl IntoIterator<Item = (Arc<str>, Type)>) -> Self {
        let sorted: std::collections::BTreeMap<Arc<str>, Type> = fields.into_iter().collect();
        let fields = sorted.into_iter().map(|(name, ty)| Field { name, ty }).collect();
        Self { fields, cases: Vec::new() }
    }

    /// Sets the cases of a union: every value fits at least one of them.
    #[must_use]
    pub fn with_cases(self, cases: Vec<Arc<Self>>) -> Self {
        Self { cases, ..self }
    }

    /// Returns the cases of a union; empty for other records. A case has only its own fields, with
    /// its own types.
    pub fn cases(&self) -> &[Arc<Self>] {
        &self.cases
    }

    /// Returns the fields in the order of their names.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Returns the position of a field.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.binary_search_by(|field| field.name.as_ref().cmp(name)).ok()
    }

    /// Returns a field by its name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.get(self.position(name)?)
    }

    /// Returns the names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.fields.iter().map(|field| field.name.as_ref())
    }
}

/// The reason why a value of one type is not allowed where another type is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The shapes differ. The path leads to the part that differs.
    Shape {
        /// Dotted path below the value; empty for the value itself.
        path: String,
        /// The description of the expected shape.
        expected: String,
        /// The description of the actual shape.
        found: String,
    },
    /// It may be missing.
    MayBeMissing {
        /// Dotted path below the value; empty for the value itself.
        path: String,
    },
    /// A required field is missing.
    NoField {
        /// Dotted path below the value.
        path: String,
    },
}

impl Type {
    /// Creates a type that is not nullable.
    pub const fn of(shape: Shape) -> Self {
        Self {
            shape,
            nullable: false,
            pii: false,
            unit: None,
            length_max: None,
            limits: Limits::NONE,
        }
    }

    /// Creates a type for text of any length.
    pub const fn text() -> Self {
        Self::of(Shape::Text { chars_max: None, values: None })
    }

    /// Creates a decimal type with the widest range of an amount (15 digits before the decimal
    /// point, 4 after it).
    pub const fn amount() -> Self {
        Self::of(Shape::Decimal { integer_digits: 15, scale: 4 })
    }

    /// Creates a decimal type with the widest possible range.
    pub const fn decimal() -> Self {
        Self::of(Shape::Decimal { integer_digits: 28, scale: 28 })
    }

    /// Creates a list type.
    pub fn list(element: Self) -> Self {
        let pii = element.pii;
        Self { pii, ..Self::of(Shape::List(Arc::new(element))) }
    }

    /// Creates a record type with these fields.
    pub fn record<'a>(fields: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        Self::of(Shape::Record(Arc::new(RecordType::new(
            fields.into_iter().map(|(name, ty)| (Arc::from(name), ty)),
        ))))
    }

    /// Creates an integer type with this range.
    pub fn int_within(interval: Interval) -> Self {
        let numbers = interval.within(Interval::whole());
        Self { limits: Limits { numbers, ..Limits::NONE }, ..Self::of(Shape::Int) }
    }

    /// Creates a decimal type with this range and at most `scale` decimals.
    pub fn decimal_within(interval: Interval, scale: u32) -> Self {
        let integer_digits = interval.integer_digits();
        let scale = scale.min(DIGITS_MAX);
        let limits = Limits { numbers: Some(interval), ..Limits::NONE };
        Self { limits, ..Self::of(Shape::Decimal { integer_digits, scale }) }
    }

    /// Creates a list type with at most `elements_max` elements.
    pub fn list_of_at_most(element: Self, elements_max: Option<u64>) -> Self {
        Self { limits: Limits { elements_max, ..Limits::NONE }, ..Self::list(element) }
    }

    /// Returns the range of a number; `None` for other types.
    pub fn interval(&self) -> Option<Interval> {
        match self.shape {
            Shape::Int => Some(self.limits.numbers.unwrap_or_else(Interval::whole)),
            Shape::Decimal { integer_digits, scale } => {
                let by_digits = Interval::of_digits(integer_digits, scale);
                let known = self.limits.numbers.and_then(|known| known.within(by_digits));
                Some(known.unwrap_or(by_digits))
            }
            _ => None,
        }
    }

    /// Returns this type as nullable.
    #[must_use]
    pub fn or_null(self) -> Self {
        Self { nullable: true, ..self }
    }

    /// Returns this type as not nullable.
    #[must_use]
    pub fn not_null(self) -> Self {
        Self { nullable: false, ..self }
    }

    /// Returns this type marked as personal data if `pii`, including the elements of a list.
    #[must_use]
    pub fn with_pii(self, pii: bool) -> Self {
        if !pii {
            return self;
        }
        let shape = match self.shape {
            Shape::List(element) if !element.pii => {
                Shape::List(Arc::new(element.as_ref().clone().with_pii(true)))
            }
            shape => shape,
        };
        Self { shape, pii: true, ..self }
    }

    /// Returns the record type if it is a record.
    pub fn as_record(&self) -> Option<&Arc<RecordType>> {
        match &self.shape {
            Shape::Record(record) => Some(record),
            _ => None,
        }
    }

    /// Returns whether the type or a part of it is personal data.
    pub fn contains_pii(&self) -> bool {
        self.pii
            || match &self.shape {
                Shape::List(element) => element.contains_pii(),
                Shape::Record(record) => {
                    record.fields().iter().any(|field| field.ty.contains_pii())
                }
                _ => false,
            }
    }

    /// Returns whether the type or a part of it comes from an invalid declaration.
    pub fn contains_broken(&self) -> bool {
        match &self.shape {
            Shape::Broken => true,
            Shape::List(element) => element.contains_broken(),
            Shape::Record(record) => record.fields().iter().any(|field| field.ty.contains_broken()),
            _ => false,
        }
    }

    /// Checks whether a value of type `found` is allowed where this type is expected. Integers are
    /// allowed as decimals, and codes, addresses and links as texts. Lengths and digits are not
    /// checked here, because columns report them as warnings.
    pub fn accepts(&self, found: &Self) -> Result<(), Mismatch> {
        self.accepts_at(found, "")
    }

    fn accepts_at(&self, found: &Self, path: &str) -> Result<(), Mismatch> {
        if matches!(found.shape, Shape::Null) {
            return if self.nullable {
                Ok(())
            } else {
                Err(Mismatch::MayBeMissing { path: path.to_owned() })
            };
        }
        let differs = || {
            Err(Mismatch::Shape {
                path: path.to_owned(),
                expected: self.shape.to_string(),
                found: found.shape.to_string(),
            })
        };
        match (&self.shape, &found.shape) {
            (Shape::Json | Shape::Broken, _)
            | (_, Shape::Broken)
            | (Shape::Bool, Shape::Bool)
            | (Shape::Int, Shape::Int)
            | (Shape::Decimal { .. }, Shape::Decimal { .. } | Shape::Int)
            | (Shape::Currency, Shape::Currency)
            | (Shape::Email, Shape::Email)
            | (Shape::Uri, Shape::Uri)
            | (Shape::Date(_), Shape::Date(_))
            | (Shape::Timestamp, Shape::Timestamp) => {}
            (
                Shape::Text { values: None, .. },
                Shape::Text { .. } | Shape::Currency | Shape::Email | Shape::Uri,
            ) => {}
            (
                Shape::Text { values: Some(expected), .. },
                Shape::Text { values: Some(possible), .. },
            ) if possible.iter().all(|value| expected.contains(value)) => {}
            (Shape::List(expected), Shape::List(element)) => {
                expected.accepts_at(element, &format!("{path}[]"))?;
            }
            (Shape::Record(expected), Shape::Record(record)) => {
                for field in expected.fields() {
                    let below = if path.is_empty() {
                        field.name.to_string()
                    } else {
                        format!("{path}.{}", field.name)
                    };
                    match record.field(&field.name) {
                        Some(there) => field.ty.accepts_at(&there.ty, &below)?,
                        None if field.ty.nullable => {}
                        None => return Err(Mismatch::NoField { path: below }),
                    }
                }
            }
            _ => return differs(),
        }
        if found.nullable && !self.nullable {
            return Err(Mismatch::MayBeMissing { path: path.to_owned() });
        }
        Ok(())
    }

    /// Returns the first pair of known currencies that differ, at the same place in both types.
    pub fn differing_units<'a>(&'a self, other: &'a Self) -> Option<(&'a Unit, &'a Unit)> {
        match (&self.unit, &other.unit) {
            (Some(a), Some(b)) if a != b => return Some((a, b)),
            _ => {}
        }
        match (&self.shape, &other.shape) {
            (Shape::List(a), Shape::List(b)) => a.differing_units(b),
            (Shape::Record(a), Shape::Record(b)) => a
                .fields()
                .iter()
                .find_map(|field| field.ty.differing_units(&b.field(&field.name)?.ty)),
            _ => None,
        }
    }

    /// Returns the type of a value that has one of the two types, or `None` if there is no common
    /// type. Amounts of two currencies have no common type. A number without a currency takes that
    /// of the other type, as in a sum.
    pub fn join(&self, other: &Self) -> Option<Self> {
        let nullable = self.nullable || other.nullable;
        let pii = self.pii || other.pii;
        let unit = match (&self.unit, &other.unit) {
            (Some(a), Some(b)) if a != b => return None,
            (a, b) => a.clone().or_else(|| b.clone()),
        };
        let length_max = self.length_max.zip(other.length_max).map(|(a, b)| a.max(b));
        let limits = match (&self.shape, &other.shape) {
            (Shape::Null, _) => other.limits,
            (_, Shape::Null) => self.limits,
            _ if self.limits == other.limits => self.limits,
            _ => self.limits_of_all().join(other.limits_of_all()),
        };
        let shape = match (&self.shape, &other.shape) {
            (Shape::Null, shape) | (shape, Shape::Null) => {
                let length_max = self.length_max.or(other.length_max);
                return Some(Self {
                    shape: shape.clone(),
                    nullable: true,
                    pii,
                    unit,
                    length_max,
                    limits,
                });
            }
            (a, b) if a == b => a.clone(),
            (
                Shape::Decimal { integer_digits: a, scale: b },
                Shape::Decimal { integer_digits: c, scale: d },
            ) => Shape::Decimal { integer_digits: *a.max(c), scale: *b.max(d) },
            (Shape::Int, Shape::Decimal { scale, .. })
            | (Shape::Decimal { scale, .. }, Shape::Int) => {
                let numbers = limits.numbers.unwrap_or_else(Interval::whole);
                Shape::Decimal { integer_digits: numbers.integer_digits(), scale: *scale }
            }
            (
                Shape::Text { .. } | Shape::Currency | Shape::Email | Shape::Uri,
                Shape::Text { .. } | Shape::Currency | Shape::Email | Shape::Uri,
            ) => Shape::Text {
                chars_max: self.chars_max().zip(other.chars_max()).map(|(a, b)| a.max(b)),
                values: None,
            },
            (Shape::Date(_), Shape::Date(_)) => Shape::Date(DateFormat::Iso),
            (Shape::List(a), Shape::List(b)) => Shape::List(Arc::new(a.join(b)?)),
            (Shape::Record(a), Shape::Record(b)) if a.names().eq(b.names()) => {
                let mut fields = Vec::with_capacity(a.fields().len());
                for (left, right) in a.fields().iter().zip(b.fields()) {
                    fields.push((Arc::clone(&left.name), left.ty.join(&right.ty)?));
                }
                Shape::Record(Arc::new(RecordType::new(fields)))
            }
            _ => return None,
        };
        Some(Self { shape, nullable, pii, unit, length_max, limits })
    }

    /// Returns the limits, including those that follow from the shape.
    fn limits_of_all(&self) -> Limits {
        Limits { numbers: self.interval(), ..self.limits }
    }

    /// Returns the maximum number of characters of a text of this type, if known.
    pub fn chars_max(&self) -> Option<u64> {
        match &self.shape {
            Shape::Text { values: Some(values), .. } => {
                values.iter().map(|value| value.chars().count() as u64).max()
            }
            Shape::Text { chars_max, .. } => *chars_max,
            Shape::Currency => Some(3),
            Shape::Email => {
                Some(self.length_max.map_or(EMAIL_CHARS_MAX, |max| max.min(EMAIL_CHARS_MAX)))
            }
            Shape::Uri => self.length_max,
            _ => None,
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("a boolean"),
            Self::Int => f.write_str("an integer"),
            Self::Decimal { .. } => f.write_str("a decimal"),
            Self::Text { values: Some(values), .. } => {
                f.write_str("one of the values ")?;
                for (position, value) in values.iter().enumerate() {
                    let comma = if position == 0 { "" } else { ", " };
                    write!(f, "{comma}`{value}`")?;
                }
                Ok(())
            }
            Self::Text { .. } => f.write_str("text"),
            Self::Currency => f.write_str("a currency code"),
            Self::Email => f.write_str("an e-mail address"),
            Self::Uri => f.write_str("a URI"),
            Self::Date(_) => f.write_str("a date"),
            Self::Timestamp => f.write_str("a timestamp"),
            Self::List(_) => f.write_str("a list"),
            Self::Record(_) => f.write_str("a record"),
            Self::Json => f.write_str("JSON of unknown type"),
            Self::Broken => f.write_str("a value of unknown type"),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let perhaps = if self.nullable && self.shape != Shape::Null { " or null" } else { "" };
        write!(f, "{}{perhaps}", self.shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_is_accepted_as_a_decimal_but_not_vice_versa() {
        let int = Type::of(Shape::Int);
        assert_eq!(Type::amount().accepts(&int), Ok(()));
        assert!(int.accepts(&Type::amount()).is_err());
    }

    #[test]
    fn a_nullable_field_is_not_accepted_as_required() {
        let expected = Type::record([("a", Type::text())]);
        let found = Type::record([("a", Type::text().or_null())]);
        assert_eq!(expected.accepts(&found), Err(Mismatch::MayBeMissing { path: "a".to_owned() }));
        assert_eq!(found.accepts(&expected), Ok(()));
    }

    #[test]
    fn amounts_of_two_currencies_have_no_common_type() {
        let of = |path: &str| Type { unit: Some(Unit::Field(Arc::from(path))), ..Type::amount() };
        let (a, b) = (of("order.a"), of("order.b"));
        assert_eq!(a.join(&b), None);
        assert_eq!(a.join(&Type::amount()), Some(a.clone()));
        let inside = |ty: &Type| Type::list(Type::record([("x", ty.clone())]));
        assert_eq!(inside(&a).join(&inside(&b)), None);
        assert_eq!(inside(&a).differing_units(&inside(&b)).map(|(a, _)| a), a.unit.as_ref());
    }

    #[test]
    fn records_with_the_same_names_share_a_layout() {
        let a = RecordType::new([(Arc::from("b"), Type::text()), (Arc::from("a"), Type::text())]);
        assert_eq!(a.position("a"), Some(0));
        assert_eq!(a.position("b"), Some(1));
        assert_eq!(a.position("c"), None);
    }
}
