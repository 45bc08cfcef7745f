//! Rust types as values: what a step takes and gives is a plain struct, and its static type follows from it.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::data::Value;
use super::types::{DateFormat, Shape, Type};
use crate::money::{Currency, Decimal};

/// A Rust type that has a static [`Type`] and goes to and from a [`Value`].
pub trait Typed: Sized {
    /// Returns the static type; nothing where only the plan knows it.
    fn ty() -> Option<Type>;

    /// Takes it out of a value of that type. Nothing only if the value is of another type.
    fn from_value(value: &Value) -> Option<Self>;

    /// Makes it a value.
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
            // A whole number may stand wherever a decimal is wanted.
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

/// An e-mail address that was checked.
#[derive(Clone, PartialEq, Eq)]
pub struct EmailAddress(pub Arc<str>);

scalar!(
    EmailAddress,
    Type::of(Shape::Email),
    Value::Text(it) => Some(Self(Arc::clone(it))),
    it => Value::Text(it.0)
);

/// Nothing: the output of steps that only do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Nothing;

impl Typed for Nothing {
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

/// Declares a struct together with its static type and its way to and from a value.
///
/// ```
/// oms_engine::record! {
///     /// What a stock check says.
///     pub struct Stock {
///         /// Pieces on the shelf.
///         pub pieces: i64,
///         /// Where they lie, if known.
///         pub shelf: Option<String>,
///     }
/// }
/// use oms_engine::value::Typed;
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
