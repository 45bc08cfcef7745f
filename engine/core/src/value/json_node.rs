//! The expected form of a JSON document, which drives the reader. It is derived from an order
//! schema, or from the type of a stored value.

use std::sync::Arc;

use super::types::{DateFormat, RecordType, Shape, Type};

/// The maximum number of elements of a list. It limits the memory that a document can take up.
pub const ELEMENTS_MAX: usize = 100_000;

/// The expected form of a value in a document.
#[derive(Clone, Debug)]
pub struct JsonNode {
    /// The form.
    pub kind: JsonKind,
    /// Whether null is allowed.
    pub nullable: bool,
}

/// The form of a value in a document.
#[derive(Clone, Debug)]
pub enum JsonKind {
    /// `true` or `false`.
    Bool,
    /// A number without a fraction.
    Int {
        /// The minimum.
        min: i64,
        /// The maximum.
        max: i64,
    },
    /// An exact decimal.
    Decimal {
        /// Whether a string is allowed.
        text: bool,
        /// Whether a number is allowed.
        number: bool,
        /// The maximum number of digits before the decimal point.
        integer_digits: u32,
        /// The maximum number of digits after the decimal point.
        scale: u32,
    },
    /// A string.
    Text {
        /// The minimum number of characters.
        chars_min: u64,
        /// The maximum number of characters.
        chars_max: Option<u64>,
        /// The allowed values, if they are limited.
        values: Option<Arc<[Arc<str>]>>,
    },
    /// A string with an ISO 4217 code.
    Currency,
    /// A string with an e-mail address.
    Email,
    /// A string with an absolute URI.
    Uri,
    /// A string with a date.
    Date(DateFormat),
    /// A string with a timestamp (RFC 3339).
    Timestamp {
        /// Whether it keeps fractions below a millisecond, as in the first version of the
        /// semantics.
        fine: bool,
    },
    /// An array.
    List {
        /// The form of each element.
        element: Box<JsonNode>,
        /// The minimum number of elements.
        min: usize,
        /// The maximum number of elements.
        max: usize,
    },
    /// An object.
    Record(RecordNode),
    /// Anything.
    Json,
}

/// The expected form of an object.
#[derive(Clone, Debug)]
pub struct RecordNode {
    /// The layout of the resulting value.
    pub ty: Arc<RecordType>,
    /// The members in the order of the layout.
    pub members: Vec<Member>,
    /// Whether other members are allowed.
    pub additional: bool,
    /// Whether a value that is not an object is allowed. It is read as missing.
    pub lax: bool,
}

/// A member of an object.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name.
    pub name: Arc<str>,
    /// The form of its value.
    pub node: JsonNode,
    /// Whether it is required.
    pub required: bool,
    /// Whether a value of another form is allowed. It is read as missing.
    pub lax: bool,
}

/// The name of a member that a record does not have.
pub(super) struct UnknownMember(pub(super) String);

impl RecordNode {
    /// Returns the position of the member with a name.
    pub(super) fn find(&self, name: &str) -> Result<usize, UnknownMember> {
        self.ty.position(name).ok_or_else(|| UnknownMember(name.to_owned()))
    }
}

impl JsonNode {
    /// Any value.
    pub const ANY: Self = Self { kind: JsonKind::Json, nullable: true };

    /// Returns the form of a value of this type in the journal, as [`super::write_json`] writes it.
    pub fn stored(ty: &Type) -> Self {
        let kind = match &ty.shape {
            Shape::Null | Shape::Json | Shape::Broken => JsonKind::Json,
            Shape::Bool => JsonKind::Bool,
            Shape::Int => JsonKind::Int { min: i64::MIN, max: i64::MAX },
            Shape::Decimal { .. } => {
                JsonKind::Decimal { text: true, number: true, integer_digits: 28, scale: 28 }
            }
            Shape::Text { .. } | Shape::Currency | Shape::Email | Shape::Uri => {
                JsonKind::Text { chars_min: 0, chars_max: None, values: None }
            }
            Shape::Date(_) => JsonKind::Date(DateFormat::Iso),
            Shape::Timestamp => JsonKind::Timestamp { fine: false },
            Shape::List(element) => JsonKind::List {
                element: Box::new(Self::stored(element)),
                min: 0,
                max: ELEMENTS_MAX,
            },
            Shape::Record(record) => JsonKind::Record(RecordNode {
                ty: Arc::clone(record),
                members: record
                    .fields()
                    .iter()
                    .map(|field| Member {
                        name: Arc::clone(&field.name),
                        node: Self::stored(&field.ty),
                        required: !field.ty.nullable,
                        lax: false,
                    })
                    .collect(),
                additional: true,
                lax: false,
            }),
        };
        Self { kind, nullable: ty.nullable }
    }

    /// Returns a description of the expected value.
    pub(super) fn expected(&self) -> String {
        match &self.kind {
            JsonKind::Bool => "true or false".to_owned(),
            JsonKind::Int { .. } => "an integer".to_owned(),
            JsonKind::Decimal { text: true, number: false, .. } => {
                "a decimal written as text, such as \"12.30\"".to_owned()
            }
            JsonKind::Decimal { text: false, .. } => "a number".to_owned(),
            JsonKind::Decimal { .. } => "a decimal".to_owned(),
            JsonKind::Text { values: Some(values), .. } => {
                let names: Vec<String> =
                    values.iter().map(|value| format!("\"{value}\"")).collect();
                format!("one of {}", names.join(", "))
            }
            JsonKind::Text { .. } => "text".to_owned(),
            JsonKind::Currency => "an ISO 4217 currency code".to_owned(),
            JsonKind::Email => "an e-mail address".to_owned(),
            JsonKind::Uri => "an absolute URI".to_owned(),
            JsonKind::Date(DateFormat::Iso) => "a date such as 2025-12-31".to_owned(),
            JsonKind::Date(DateFormat::MonthDayYear) => "a date in the form MM/DD/YYYY".to_owned(),
            JsonKind::Date(DateFormat::DayMonthYear) => "a date in the form DD/MM/YYYY".to_owned(),
            JsonKind::Timestamp { .. } => {
                "a date and time with an offset, such as 2025-12-31T23:59:59Z (RFC 3339)".to_owned()
            }
            JsonKind::List { .. } => "an array".to_owned(),
            JsonKind::Record(_) => "an object".to_owned(),
            JsonKind::Json => "any JSON".to_owned(),
        }
    }
}
