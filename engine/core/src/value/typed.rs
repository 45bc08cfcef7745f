//! Conversions between Rust types and values. The input and the output of a step are plain structs,
//! from which their static types are derived.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::data::Value;
use super::types::{DateFormat, Shape, Type};
use crate::money::{Currency, Decimal};

/// A Rust type with a static [`Type`] and conversions from and to a [`Value`].
pub trait Typed: Sized {
    /// Returns the static type; `None` if only the plan knows it.
    fn ty() -> Option<Type>;

    /// Converts a value of that type. Returns `None` only if the value has another type.
    fn from_value(value: &Value) -> Option<Self>;

    /// Converts it to a value.
    fn into_value(self) -> Value;
}

macro_rules! scalar {
    ($rust:ty, $ty:expr, $value:pat => $from:expr, $this:ident => $into:expr) => {
        impl Typed for $rust {
            fn ty() -> Option<Type> {
                Some($ty)
            }

            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    $value => $from,
                    _ => None,
                }
            }

            fn into_value(self) -> Value {
                let $this = self;
                $into
            }
        }
    };
}

scalar!(bool, Type::of(Shape::Bool), Value::Bool(it) => Some(*it), it => Value::Bool(it));
scalar!(i64, Type::of(Shape::Int), Value::Int(it) => Some(*it), it => Value::Int(it));
scalar!(Arc<str>, Type::text(), Value::Text(it) => Some(Arc::clone(it)), it => Value::Text(it));
scalar!(String, Type::text(), Value::Text(it) => Some(it.to_string()), it => Value::text(&it));
scalar!(
    Currency,
    Type::of(Shape::Currency),
    Value::Text(it) => Currency::parse(it).ok(),
    it => Value::text(it.code())
);
scalar!(Date, Type::of(Shape::Date(DateFormat::Iso)), Value::Date(it) => Some(*it), it => Value::Date(it));
scalar!(Timestamp, Type::of(Shape::Timestamp), Value::Timestamp(it) => Some(*it), it => Value::Timestamp(it));

impl Typed for Decimal {
    fn ty() -> Option<Type> {
        Some(Type::decimal())
    }

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Decimal(it) => Some(*it),
            // An integer is accepted where a decimal is expected.
            Value::Int(it) => Some(Self::from_int(*it)),
            _ => None,
        }
    }

    fn into_value(self) -> Value {
        Value::Decimal(self)
    }
}

impl Typed for Value {
    fn ty() -> Option<Type> {
        None
    }

    fn from_value(value: &Value) -> Option<Self> {
        Some(value.clone())
    }

    fn into_value(self) -> Value {
        self
    }
}

impl<T: Typed> Typed for Option<T> {
    fn ty() -> Option<Type> {
        T::ty().map(Type::or_null)
    }

    fn from_value(value: &Value) -> Option<Self> {
        if value.is_null() { Some(None) } else { T::from_value(value).map(Some) }
    }

    fn into_value(self) -> Value {
        self.map_or(Value::Null, T::into_value)
    }
}

impl<T: Typed> Typed for Vec<T> {
    fn ty() -> Option<Type> {
        T::ty().map(Type::list)
    }

    fn from_value(value: &Value) -> Option<Self> {
        value.as_list()?.iter().map(T::from_value).collect()
    }

    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(T::into_value).collect())
    }
}

/// A validated e-mail address.
#[derive(Clone, PartialEq, Eq)]
pub struct EmailAddress(pub Arc<str>);

scalar!(
    EmailAddress,
    Type::of(Shape::Email),
    Value::Text(it) => Some(Self(Arc::clone(it))),
    it => Value::Text(it.0)
);

/// The output of steps that have no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct NoOutput;

impl Typed for NoOutput {
    fn ty() -> Option<Type> {
        Some(Type::record([]))
    }

    fn from_value(_: &Value) -> Option<Self> {
        Some(Self)
    }

    fn into_value(self) -> Value {
        static EMPTY: std::sync::OnceLock<Value> = std::sync::OnceLock::new();
        EMPTY
            .get_or_init(|| Value::Record(Arc::new(super::Record::new(Arc::default(), Vec::new()))))
            .clone()
    }
}

/// Declares a struct together with its static type and its conversions from and to a value.
///
/// ```
/// oms_core::record! {
///     /// The result of a stock check.
///     pub struct Stock {
///         /// Pieces on the shelf.
///         pub pieces: i64,
///         /// The shelf, if known.
///         pub shelf: Option<String>,
///     }
/// }
/// use oms_core::value::Typed;
/// let value = Stock { pieces: 3, shelf: None }.into_value();
/// assert_eq!(Stock::from_value(&value).map(|stock| stock.pieces), Some(3));
/// ```
#[macro_export]
macro_rules! record {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$field_attribute:meta])* $field_visibility:vis $field:ident: $ty:ty,)*
        }
    ) => {
        $(#[$attribute])*
        $visibility struct $name {
            $($(#[$field_attribute])* $field_visibility $field: $ty,)*
        }

        impl $name {
            fn record_type() -> &'static std::sync::Arc<$crate::value::RecordType> {
                static TYPE: std::sync::OnceLock<std::sync::Arc<$crate::value::RecordType>> =
                    std::sync::OnceLock::new();
                TYPE.get_or_init(|| {
                    let fields = [$((
                        std::sync::Arc::from(stringify!($field)),
                        <$ty as $crate::value::Typed>::ty()
                            .unwrap_or_else(|| $crate::value::Type::of($crate::value::Shape::Json).or_null()),
                    ),)*];
                    std::sync::Arc::new($crate::value::RecordType::new(fields))
                })
            }
        }

        impl $crate::value::Typed for $name {
            fn ty() -> Option<$crate::value::Type> {
                let record = std::sync::Arc::clone(Self::record_type());
                Some($crate::value::Type::of($crate::value::Shape::Record(record)))
            }

            fn from_value(value: &$crate::value::Value) -> Option<Self> {
                let record = value.as_record()?;
                Some(Self {
                    $($field: $crate::value::Typed::from_value(
                        record.get(stringify!($field)).unwrap_or(&$crate::value::Value::Missing),
                    )?,)*
                })
            }

            fn into_value(self) -> $crate::value::Value {
                let ty = Self::record_type();
                let mut fields = vec![$crate::value::Value::Missing; ty.fields().len()];
                $(
                    let value = $crate::value::Typed::into_value(self.$field);
                    if let Some(slot) =
                        ty.position(stringify!($field)).and_then(|position| fields.get_mut(position))
                    {
                        *slot = value;
                    }
                )*
                $crate::value::Value::Record(std::sync::Arc::new($crate::value::Record::new(
                    std::sync::Arc::clone(ty),
                    fields,
                )))
            }
        }
    };
}
