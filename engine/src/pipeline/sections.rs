//! Tables and rate tables as the file declares them.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::money::Rounding;
use crate::table::ColumnShape;

/// A table: its columns, and which of them tell one row from another.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableSection {
    /// The columns that tell one row from another.
    #[schemars(length(min = 1))]
    pub key: Vec<String>,
    /// The columns and their types: `text`, `text(50)`, `integer`, `boolean`, `decimal(19,4)`,
    /// `currency`, `email`, `date`, `timestamp`; with `?` behind it a column may be null.
    pub columns: BTreeMap<String, ColumnSection>,
    /// A file of rows (NDJSON) that are there from the start.
    pub seed: Option<String>,
}

/// A column: its type, or its type with what else is known of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "ColumnForm")]
pub struct ColumnSection {
    /// The type as it is written.
    pub ty: String,
    /// Whether it holds personal data, which stays out of logs.
    pub pii: bool,
    /// Whether it identifies the customer that a row belongs to.
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
        // One form for text and map instead of alternatives, so that a fault is told where it is.
        json_schema!({
            "description": "A column's type, such as `decimal(19,4)` or `email?` (may be null), or a map that also says whether it holds personal data or identifies a customer.",
            "type": ["string", "object"],
            "examples": examples,
            "properties": {
                "type": { "type": "string", "description": "The column's type.", "examples": examples },
                "pii": {
                    "type": "boolean",
                    "description": "Whether it holds personal data, which stays out of logs and terminal output.",
                },
                "customer": {
                    "type": "boolean",
                    "description": "Whether it identifies the customer that a row belongs to: the customer's id, or an e-mail address of the customer. `oms forget` erases the rows of a customer.",
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
    /// Where the rates come from.
    pub source: RatesSource,
    /// For `ecb`: the file, in the European Central Bank's history or daily format (CSV).
    pub file: Option<String>,
    /// For `ecb`: a file of rates to add (`date,currency,per_eur`), read at every start; it may be
    /// missing. A currency that the euro replaced after 1 January 1999 keeps its fixed conversion
    /// rate from that day on.
    pub overrides: Option<String>,
    /// For `ecb`: how many days a rate may be old.
    #[schemars(range(min = 0, max = 366))]
    pub max_age_days: Option<u32>,
    /// For `fixed`: the currency that the table's rates are in.
    pub base: Option<String>,
    /// For `fixed`: which way the rates are quoted.
    pub quote: Option<FixedQuote>,
    /// For `fixed`: the rates, written as text.
    pub table: Option<BTreeMap<String, String>>,
    /// How an amount is rounded to the currency's minor units.
    #[serde(default = "rounding_default")]
    pub rounding: Rounding,
}

const fn rounding_default() -> Rounding {
    Rounding::HalfEven
}

/// Where rates come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RatesSource {
    /// The euro foreign exchange reference rates of the European Central Bank.
    Ecb,
    /// A table in the pipeline itself.
    Fixed,
}

/// Which way fixed rates are quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FixedQuote {
    /// Units of the base for one unit of the currency: with base USD, `CAD: "0.79"` makes 100 CAD
    /// 79 USD.
    BasePerUnit,
    /// Units of the currency for one unit of the base.
    UnitPerBase,
}
