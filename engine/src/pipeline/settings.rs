//! The `settings` section: values that differ between environments.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value as Json;

/// A value that differs between environments. Expressions use it as `settings.<name>`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingSection {
    /// The type of the value.
    #[serde(rename = "type")]
    pub ty: SettingType,
    /// The environment variable that contains the value.
    #[schemars(regex(pattern = r"^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub env: Option<String>,
    /// The value if the environment variable is not set. Write a decimal as quoted text.
    pub default: Option<SettingDefault>,
}

/// The type of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SettingType {
    /// Text.
    Text,
    /// A 64-bit integer.
    Integer,
    /// An exact decimal with at most 18 digits before and 10 after the decimal point.
    Decimal,
    /// `true` or `false`.
    Boolean,
    /// An e-mail address.
    Email,
    /// An absolute URI, such as `https://example.com/`.
    Uri,
    /// An ISO 4217 currency code in uppercase, such as `EUR`.
    Currency,
    /// A date, such as `2025-12-31`.
    Date,
}

/// The default value of a setting, as text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "Json")]
pub struct SettingDefault(pub String);

impl From<Json> for SettingDefault {
    fn from(json: Json) -> Self {
        match json {
            Json::String(text) => Self(text),
            other => Self(other.to_string()),
        }
    }
}

impl JsonSchema for SettingDefault {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SettingDefault".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The value if the environment variable is not set. Write a decimal as quoted text.",
            "type": ["string", "integer", "boolean"],
        })
    }
}
