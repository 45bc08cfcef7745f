//! The sections `tables` and `rates`.

use std::collections::BTreeMap;

use oms_core::money::Rounding;
use oms_core::table::ColumnShape;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// A table: its columns and its key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableSection {
    /// The columns that identify a row.
    #[schemars(length(min = 1))]
    pub key: Vec<String>,
    /// The columns and their types: `text`, `text(50)`, `integer`, `boolean`, `decimal(19,4)`,
    /// `currency`, `email`, `date` or `timestamp`. A `?` after the type allows null.
    pub columns: BTreeMap<String, ColumnSection>,
    /// A file with initial rows (NDJSON).
    pub seed: Option<String>,
}

/// A column: its type, or a map with its type and further properties.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "ColumnForm")]
pub struct ColumnSection {
    /// The type as written.
    pub ty: String,
    /// Whether the column contains personal data, which is masked in logs, in the console and in
    /// `oms runs show`.
    pub pii: bool,
    /// Whether the column identifies the customer to whom a row belongs.
    pub customer: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ColumnForm {
    Short(String),
    Long {
        #[serde(rename = "type")]
        ty: String,
        #[serde(default)]
        pii: bool,
        #[serde(default)]
        customer: bool,
    },
}

impl From<ColumnForm> for ColumnSection {
    fn from(form: ColumnForm) -> Self {
        match form {
            ColumnForm::Short(ty) => Self { ty, pii: false, customer: false },
            ColumnForm::Long { ty, pii, customer } => Self { ty, pii, customer },
        }
    }
}

impl JsonSchema for ColumnSection {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Column".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let examples: Vec<String> = ColumnShape::NAMES
            .iter()
            .flat_map(|name| [(*name).to_owned(), format!("{name}?")])
            .collect();
        // A single schema for text and map instead of alternatives. Faults in alternatives have no
        // exact place.
        json_schema!({
            "description": "The column's type, such as `decimal(19,4)` or `email?` (may be null). Use a map to also mark personal data or the column that identifies a customer.",
            "type": ["string", "object"],
            "examples": examples,
            "properties": {
                "type": { "type": "string", "description": "The column's type.", "examples": examples },
                "pii": {
                    "type": "boolean",
                    "description": "Whether the column contains personal data. `oms` masks it in logs, in the console and in `oms runs show`, and `oms forget` erases it.",
                },
                "customer": {
                    "type": "boolean",
                    "description": "Whether the column identifies the customer to whom a row belongs: the customer's id or e-mail address. `oms forget` erases the rows of a customer.",
                },
            },
            "required": ["type"],
            "additionalProperties": false,
        })
    }
}

/// A rate table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RatesSection {
    /// The source of the rates.
    pub source: RatesSource,
    /// For `ecb`: the file with the rates, in the history or daily format (CSV) of the European
    /// Central Bank.
    pub file: Option<String>,
    /// For `ecb`: a file with additional rates (`date,currency,per_eur`). It is read at every start
    /// and may be missing. For a currency that the euro replaced after 1 January 1999, the fixed
    /// conversion rate applies from the day of the replacement.
    pub overrides: Option<String>,
    /// For `ecb`: the maximum age of a rate in days.
    #[schemars(range(min = 0, max = 366))]
    pub max_age_days: Option<u32>,
    /// For `fixed`: the base currency of the rates.
    pub base: Option<String>,
    /// For `fixed`: the direction in which the rates are quoted.
    pub quote: Option<FixedQuote>,
    /// For `fixed`: the rates by currency, as quoted text.
    pub table: Option<BTreeMap<String, String>>,
    /// The rounding of amounts to the currency's minor units.
    #[serde(default = "rounding_default")]
    pub rounding: Rounding,
}

const fn rounding_default() -> Rounding {
    Rounding::HalfEven
}

/// The source of rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RatesSource {
    /// The euro foreign exchange reference rates of the European Central Bank.
    Ecb,
    /// A table in the pipeline itself.
    Fixed,
}

/// The direction in which fixed rates are quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FixedQuote {
    /// Units of the base currency per unit of the currency. With the base USD, `CAD: "0.79"`
    /// converts 100 CAD to 79 USD.
    BasePerUnit,
    /// Units of the currency per unit of the base currency.
    UnitPerBase,
}
