//! What a JSON document must look like: the reader's instructions, made from an order schema or from a stored type.

use std::sync::Arc;

use super::types::{DateFormat, RecordType, Shape, Type};

/// Elements of a list in a document at the most; it bounds the memory that one document can take.
pub const ELEMENTS_MAX: usize = 100_000;

/// What a value in a document must be.
#[derive(Clone, Debug)]
pub struct JsonNode {
    /// Its form.
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
        /// The smallest allowed.
        min: i64,
        /// The largest allowed.
        max: i64,
    },
    /// An exact decimal.
    Decimal {
        /// Whether it may be a string.
        text: bool,
        /// Whether it may be a number.
        number: bool,
        /// Digits before the point at the most.
        integer_digits: u32,
        /// Digits after the point at the most.
        scale: u32,
    },
    /// A string.
    Text {
        /// Characters at the least.
        chars_min: u64,
        /// Characters at the most.
        chars_max: Option<u64>,
        /// The only ones allowed.
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
    /// A string with an instant (RFC 3339).
    Timestamp {
        /// Whether it keeps what is finer than a millisecond, as in the first semantics.
        fine: bool,
    },
    /// An array.
    List {
        /// What each element must be.
        element: Box<JsonNode>,
        /// Elements at the least.
        min: usize,
        /// Elements at the most.
        max: usize,
    },
    /// An object.
    Record(RecordNode),
    /// Anything.
    Json,
}

/// What an object must be.
#[derive(Clone, Debug)]
pub struct RecordNode {
    /// The layout of the value that is made.
    pub ty: Arc<RecordType>,
    /// The members in the order of the layout.
    pub members: Vec<Member>,
    /// Whether other members are allowed.
    pub additional: bool,
    /// Whether a value that is not an object is allowed; it is read as missing.
    pub lax: bool,
}

/// A member of an object.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name.
    pub name: Arc<str>,
    /// What it must be.
    pub node: JsonNode,
    /// Whether it must be there.
    pub required: bool,
    /// Whether another kind of value is allowed; it is read as missing.
    pub lax: bool,
}

impl RecordNode {
    /// Returns the position of a member, or its name if it is not known.
    pub(super) fn find(&self, name: &str) -> Result<usize, String> {
        self.ty.position(name).ok_or_else(|| name.to_owned())
    }
}

impl JsonNode {
    /// Anything at all.
    pub const ANY: Self = Self { kind: JsonKind::Json, nullable: true };

    /// Returns what a value of this type looks like in the journal: the form that [`super::write_json`] gives it.
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

    /// Returns what is wanted here, in words.
    pub(super) fn wanted(&self) -> String {
        match &self.kind {
            JsonKind::Bool => "true or false".to_owned(),
            JsonKind::Int { .. } => "a whole number".to_owned(),
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
            JsonKind::Date(DateFormat::MonthDayYear) => "a date written MM/DD/YYYY".to_owned(),
            JsonKind::Date(DateFormat::DayMonthYear) => "a date written DD/MM/YYYY".to_owned(),
            JsonKind::Timestamp { .. } => {
                "a date and time with an offset, such as 2025-12-31T23:59:59Z (RFC 3339)".to_owned()
            }
            JsonKind::List { .. } => "an array".to_owned(),
            JsonKind::Record(_) => "an object".to_owned(),
            JsonKind::Json => "any JSON".to_owned(),
        }
    }
}
