//! A setting that can contain expressions.

use std::borrow::Cow;
use std::marker::PhantomData;

use oms_core::value::{Shape, Type, Typed};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;

/// A setting of type `T`: a literal, an expression in `${{ }}`, or a text that contains
/// expressions. [`super::PlanContext::expr`] checks and compiles it.
#[derive(Clone, Debug)]
pub struct Expr<T> {
    raw: Json,
    of: PhantomData<fn() -> T>,
}

impl<T: Typed> Expr<T> {
    /// Returns the setting as written.
    pub const fn raw(&self) -> &Json {
        &self.raw
    }

    /// Returns the expected type, or `None` if any type is allowed.
    pub fn expected() -> Option<Type> {
        T::ty()
    }
}

impl<'de, T> Deserialize<'de> for Expr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { raw: Json::deserialize(deserializer)?, of: PhantomData })
    }
}

impl<T: Typed> JsonSchema for Expr<T> {
    fn schema_name() -> Cow<'static, str> {
        "Expression".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // A text can always be an expression. The type of its result is checked later, not by the
        // schema.
        match T::ty().map(|ty| ty.shape) {
            None | Some(Shape::Json) => json_schema!({}),
            Some(Shape::Bool) => json_schema!({ "type": ["string", "boolean"] }),
            Some(Shape::Int | Shape::Decimal { .. }) => {
                json_schema!({ "type": ["string", "integer"] })
            }
            Some(Shape::List(_)) => json_schema!({ "type": ["string", "array"] }),
            Some(Shape::Record(_)) => json_schema!({ "type": ["string", "object"] }),
            Some(_) => json_schema!({ "type": ["string", "null"] }),
        }
    }
}
