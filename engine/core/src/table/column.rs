//! Column types: `text`, `text(50)`, `integer`, `boolean`, `decimal(19,4)`, `currency`, `email`,
//! `date` and `timestamp`. A `?` after the type allows null.

use std::fmt;
use std::sync::Arc;

use crate::money::Decimal;
use crate::value::{DateFormat, Shape, Type, Value};

/// The type of a column, without nullability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnShape {
    /// Text, optionally with a maximum number of characters.
    Text(Option<u32>),
    /// A 64-bit integer.
    Integer,
    /// True or false.
    Boolean,
    /// An exact decimal.
    Decimal {
        /// The total number of digits.
        precision: u32,
        /// The number of digits after the decimal point.
        scale: u32,
    },
    /// An ISO 4217 code.
    Currency,
    /// An e-mail address.
    Email,
    /// A calendar date.
    Date,
    /// An instant with a precision of milliseconds.
    Timestamp,
}

/// A column of a declared table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name.
    pub name: Arc<str>,
    /// The type.
    pub shape: ColumnShape,
    /// Whether the column may be null.
    pub nullable: bool,
    /// Whether the column contains personal data.
    pub pii: bool,
    /// Whether the column identifies the customer to whom a row belongs.
    pub customer: bool,
}

/// Why a column cannot store a value. The messages do not contain the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ColumnValueError {
    /// The decimal has too many digits before the decimal point.
    #[error("column `{column}` holds at most {max} digits before the decimal point")]
    TooManyDigits {
        /// The column.
        column: Arc<str>,
        /// The maximum number of digits.
        max: u32,
    },
    /// The decimal has too many digits after the decimal point.
    #[error("column `{column}` holds at most {max} decimal places")]
    TooManyDecimals {
        /// The column.
        column: Arc<str>,
        /// The maximum number of digits.
        max: u32,
    },
    /// The text is too long.
    #[error("column `{column}` holds at most {max} characters")]
    TooLong {
        /// The column.
        column: Arc<str>,
        /// The maximum number of characters.
        max: u32,
    },
    /// The value is null.
    #[error("column `{column}` must not be null")]
    Null {
        /// The column.
        column: Arc<str>,
    },
}

/// An invalid column type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ColumnTypeError {
    /// The name of the type is unknown.
    #[error("unknown column type `{0}`")]
    Unknown(String),
    /// The digits of a decimal are invalid.
    #[error("`decimal(p,s)` needs a precision `p` of 1 to {max} digits and a scale `s` of at most `p`", max = ColumnShape::PRECISION_MAX)]
    Digits,
    /// The length of a text is invalid.
    #[error("`text(n)` needs a length `n` of 1 to {max} characters", max = ColumnShape::CHARS_MAX)]
    Length,
}

impl ColumnShape {
    /// Maximum number of digits of a decimal. 96 bits can represent this many digits exactly.
    pub const PRECISION_MAX: u32 = 28;
    /// Maximum number of characters of a text.
    pub const CHARS_MAX: u32 = 1_000_000;
    /// The types as they are written, for help texts and completion.
    pub const NAMES: [&str; 8] =
        ["text", "integer", "boolean", "decimal(19,4)", "currency", "email", "date", "timestamp"];

    /// Parses a column type. Returns it with whether the column may be null.
    ///
    /// # Errors
    /// Returns an error if the text is not a valid column type.
    pub fn parse(text: &str) -> Result<(Self, bool), ColumnTypeError> {
        let (text, nullable) = match text.strip_suffix('?') {
            Some(text) => (text, true),
            None => (text, false),
        };
        let (name, arguments) = match text.strip_suffix(')').and_then(|text| text.split_once('(')) {
            Some((name, arguments)) => (name, Some(arguments)),
            None => (text, None),
        };
        let shape = match (name, arguments) {
            ("text", None) => Self::Text(None),
            ("text", Some(length)) => {
                let length: u32 = length.trim().parse().map_err(|_| ColumnTypeError::Length)?;
                if !(1..=Self::CHARS_MAX).contains(&length) {
                    return Err(ColumnTypeError::Length);
                }
                Self::Text(Some(length))
            }
            ("integer", None) => Self::Integer,
            ("boolean", None) => Self::Boolean,
            ("decimal", Some(digits)) => {
                let (precision, scale) = digits.split_once(',').ok_or(ColumnTypeError::Digits)?;
                let precision = precision.trim().parse().map_err(|_| ColumnTypeError::Digits)?;
                let scale = scale.trim().parse().map_err(|_| ColumnTypeError::Digits)?;
                if !(1..=Self::PRECISION_MAX).contains(&precision) || scale > precision {
                    return Err(ColumnTypeError::Digits);
                }
                Self::Decimal { precision, scale }
            }
            ("decimal", None) => return Err(ColumnTypeError::Digits),
            ("currency", None) => Self::Currency,
            ("email", None) => Self::Email,
            ("date", None) => Self::Date,
            ("timestamp", None) => Self::Timestamp,
            _ => return Err(ColumnTypeError::Unknown(text.to_owned())),
        };
        Ok((shape, nullable))
    }
}

impl fmt::Display for ColumnShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(None) => f.write_str("text"),
            Self::Text(Some(length)) => write!(f, "text({length})"),
            Self::Integer => f.write_str("integer"),
            Self::Boolean => f.write_str("boolean"),
            Self::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            Self::Currency => f.write_str("currency"),
            Self::Email => f.write_str("email"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
        }
    }
}

impl fmt::Display for Column {
    /// Writes the declared type, such as `decimal(19,4)?`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.shape, if self.nullable { "?" } else { "" })
    }
}

impl Column {
    /// Returns the type of the column's values.
    pub fn ty(&self) -> Type {
        let shape = match self.shape {
            ColumnShape::Text(chars) => {
                Shape::Text { chars_max: chars.map(u64::from), values: None }
            }
            ColumnShape::Integer => Shape::Int,
            ColumnShape::Boolean => Shape::Bool,
            ColumnShape::Decimal { precision, scale } => {
                Shape::Decimal { integer_digits: precision - scale, scale }
            }
            ColumnShape::Currency => Shape::Currency,
            ColumnShape::Email => Shape::Email,
            ColumnShape::Date => Shape::Date(DateFormat::Iso),
            ColumnShape::Timestamp => Shape::Timestamp,
        };
        Type { nullable: self.nullable, pii: self.pii, ..Type::of(shape) }
    }

    /// Converts a value of the right type to the form that the column stores. Decimals receive the
    /// column's scale.
    ///
    /// # Errors
    /// Returns the limit that the value exceeds.
    pub fn fit(&self, value: Value) -> Result<Value, ColumnValueError> {
        let column = || Arc::clone(&self.name);
        match (self.shape, value) {
            (
                ColumnShape::Decimal { precision, scale },
                value @ (Value::Decimal(_) | Value::Int(_)),
            ) => {
                let decimal = match value {
                    Value::Int(whole) => Decimal::from_int(whole),
                    Value::Decimal(decimal) => decimal,
                    _ => Decimal::ZERO,
                };
                let max = precision - scale;
                if decimal.integer_digits() > max {
                    return Err(ColumnValueError::TooManyDigits { column: column(), max });
                }
                // With at most `max` digits before the decimal point, the column's scale fits.
                let fitted = decimal.rescale(scale).ok_or_else(|| {
                    ColumnValueError::TooManyDecimals { column: column(), max: scale }
                })?;
                Ok(Value::Decimal(fitted))
            }
            (ColumnShape::Text(Some(max)), Value::Text(text))
                if text.len() > max as usize && text.chars().count() > max as usize =>
            {
                Err(ColumnValueError::TooLong { column: column(), max })
            }
            (_, value) if value.is_null() && !self.nullable => {
                Err(ColumnValueError::Null { column: column() })
            }
            (_, value) => Ok(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_parsed_and_displayed() {
        for text in [
            "text",
            "text(50)",
            "integer",
            "boolean",
            "decimal(19,4)",
            "currency",
            "email",
            "date",
            "timestamp",
        ] {
            assert_eq!(
                ColumnShape::parse(text).map(|(shape, null)| (shape.to_string(), null)),
                Ok((text.to_owned(), false))
            );
            let (_, nullable) = ColumnShape::parse(&format!("{text}?")).unwrap();
            assert!(nullable);
        }
        for bad in [
            "varchar",
            "decimal",
            "decimal(0,0)",
            "decimal(29,2)",
            "decimal(4,5)",
            "text(0)",
            "text()",
            "date()",
        ] {
            assert!(ColumnShape::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_decimal_is_stored_with_the_columns_scale_or_rejected() {
        let column = Column {
            name: "amount".into(),
            shape: ColumnShape::Decimal { precision: 5, scale: 2 },
            nullable: false,
            pii: false,
            customer: false,
        };
        let fit = |text: &str| {
            column.fit(Value::Decimal(Decimal::parse(text).unwrap())).map(|value| value.display())
        };
        assert_eq!(fit("1.5"), Ok("1.50".to_owned()));
        assert_eq!(fit("999.990"), Ok("999.99".to_owned()));
        let (column, max) = (Arc::clone(&column.name), 3);
        let too_large = ColumnValueError::TooManyDigits { column: Arc::clone(&column), max };
        assert_eq!(fit("1000"), Err(too_large.clone()));
        // With two decimals, this number has more digits than a decimal can have.
        assert_eq!(fit("1234567890123456789012345678"), Err(too_large.clone()));
        assert_eq!(fit("1000.001"), Err(too_large));
        assert_eq!(fit("0.001"), Err(ColumnValueError::TooManyDecimals { column, max: 2 }));
    }
}
