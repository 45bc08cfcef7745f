//! The price file: the prices of AWS services, and the assumptions of the cost table. Users can
//! replace it.

use jiff::civil::Date;
use oms_engine::money::Decimal;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::arithmetic::grouped;

/// The name of the price file among the generated files.
pub(crate) const NAME: &str = "prices.json";

/// The price file that is used by default.
pub(crate) const DEFAULT: &str = include_str!("../../../templates/lambda/prices/us-east-1.json");

/// A price file is invalid.
#[derive(Debug, thiserror::Error)]
#[error("line {line}, column {column}: {}{message}", place_before_message(.place))]
pub struct PricesError {
    line: usize,
    column: usize,
    /// The path of the member, such as `prices.sns_publish.usd`.
    place: String,
    message: String,
}

fn place_before_message(place: &str) -> String {
    if place == "." { String::new() } else { format!("`{place}`: ") }
}

/// The prices of AWS services in a region at a date, and the assumptions of the cost table.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prices {
    pub(crate) region: String,
    /// The day on which the prices were valid.
    #[serde(deserialize_with = "date")]
    pub(crate) date: String,
    /// Where the prices come from.
    pub(crate) note: String,
    pub(crate) prices: PriceList,
    pub(crate) assumptions: Assumptions,
}

/// A price.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Price {
    /// The price in USD.
    #[serde(deserialize_with = "amount")]
    pub(crate) usd: Decimal,
    /// The number of units that the price is for.
    #[serde(deserialize_with = "power_of_ten")]
    pub(crate) per: u32,
    /// The URL of the page with the price.
    pub(crate) source: String,
    /// The conditions of the price, such as its tier.
    note: String,
}

/// An assumed figure.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assumption {
    #[serde(deserialize_with = "amount", serialize_with = "with_commas")]
    pub(crate) value: Decimal,
    /// The reason for the figure.
    note: String,
}

/// All prices that a stack can need.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PriceList {
    pub(crate) api_gateway_request: Price,
    pub(crate) data_transfer_gb: Price,
    pub(crate) lambda_request: Price,
    pub(crate) lambda_gb_second: Price,
    pub(crate) s3_put: Price,
    pub(crate) s3_get: Price,
    pub(crate) s3_storage_gb: Price,
    pub(crate) sns_publish: Price,
    pub(crate) sqs_request: Price,
    pub(crate) data_api_request: Price,
    pub(crate) aurora_acu_hour: Price,
    pub(crate) aurora_storage_gb: Price,
    pub(crate) aurora_io: Price,
    pub(crate) aurora_backup_gb: Price,
    pub(crate) secret: Price,
    pub(crate) secret_call: Price,
    pub(crate) ses_email: Price,
    pub(crate) cloudwatch_alarm: Price,
    pub(crate) cloudwatch_dashboard: Price,
    pub(crate) cloudwatch_metric: Price,
    pub(crate) logs_ingestion_gb: Price,
    pub(crate) logs_storage_gb: Price,
    pub(crate) xray_trace: Price,
}

/// The assumptions about orders, calls and AWS.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assumptions {
    /// Size of a stored order in kB.
    pub(crate) order_kb: Assumption,
    /// Size of a response of the API in kB.
    pub(crate) response_kb: Assumption,
    /// Size of the database rows of an order in kB.
    pub(crate) rows_kb: Assumption,
    /// Number of months of which orders are stored.
    pub(crate) stored_months: Assumption,
    /// Number of elements in a list of an order.
    pub(crate) elements: Assumption,
    /// Size of the log of an invocation in kB.
    pub(crate) log_kb: Assumption,
    /// Size of a version of the exchange rates in MB.
    pub(crate) rates_mb: Assumption,
    /// Number of updates of the exchange rates per month.
    pub(crate) rates_updates: Assumption,
    /// Duration of a handler's own work for an order, in milliseconds.
    pub(crate) handler_ms: Assumption,
    /// Duration of a request to S3 in milliseconds.
    pub(crate) s3_ms: Assumption,
    /// Duration of a request to the Data API in milliseconds.
    pub(crate) data_api_ms: Assumption,
    /// Duration of a request to SES in milliseconds.
    pub(crate) ses_ms: Assumption,
    /// Number of I/O requests of an SQL statement.
    pub(crate) statement_io: Assumption,
    /// Number of requests to Secrets Manager for an SQL statement.
    pub(crate) statement_secret_calls: Assumption,
    /// Number of ACUs of an active database.
    pub(crate) active_acu: Assumption,
    /// Number of empty receive requests of Lambda per queue and month.
    pub(crate) empty_receives: Assumption,
    /// Maximum number of concurrent Lambda invocations of the account.
    pub(crate) account_concurrency: Assumption,
    /// Maximum number of PUT requests of S3 per second.
    pub(crate) s3_puts_per_second: Assumption,
    /// Number of SQL statements per second and ACU.
    pub(crate) statements_per_acu: Assumption,
}

impl Prices {
    /// Reads a price file.
    ///
    /// # Errors
    /// Returns an error if the JSON is invalid, a member is unknown or missing, or a number is
    /// invalid.
    pub(crate) fn read(json: &[u8]) -> Result<Self, PricesError> {
        let json = json.strip_prefix("\u{feff}".as_bytes()).unwrap_or(json);
        let mut reader = serde_json::Deserializer::from_slice(json);
        let prices = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let place = error.path().to_string();
            PricesError::new(place, error.inner())
        })?;
        reader.end().map_err(|error| PricesError::new(".".to_owned(), &error))?;
        Ok(prices)
    }
}

impl PricesError {
    fn new(place: String, error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let message = error.to_string();
        let position = format!(" at line {line} column {column}");
        let message = message.strip_suffix(&position).unwrap_or(&message);
        // The list of all known names is too long to help.
        let message = message.split(", expected one of").next().unwrap_or(message);
        Self { line, column, place, message: message.to_owned() }
    }
}

fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.parse::<Date>() {
        Ok(_) => Ok(text),
        Err(_) => Err(D::Error::custom("expected a date, such as 2025-06-01")),
    }
}

fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    let amount = Decimal::deserialize(deserializer)?;
    if amount.is_negative() {
        return Err(D::Error::custom("the number must not be negative"));
    }
    Ok(amount)
}

fn with_commas<S: Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&grouped(*value))
}

/// The units of AWS's price lists. With a power of ten, every cost is an exact decimal.
fn power_of_ten<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let per = u32::deserialize(deserializer)?;
    if per == 0 || 10_u32.pow(per.ilog10()) != per {
        return Err(D::Error::custom("expected a power of ten, such as 1 or 1000000"));
    }
    Ok(per)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(from: &str, to: &str) -> String {
        assert!(DEFAULT.contains(from), "{from}");
        Prices::read(DEFAULT.replacen(from, to, 1).as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn every_price_of_the_default_file_has_an_aws_page_and_a_note() {
        let prices = Prices::read(DEFAULT.as_bytes()).unwrap();
        let list = serde_json::to_value(&prices.prices).unwrap();
        for (name, price) in list.as_object().unwrap() {
            let source = price["source"].as_str().unwrap();
            assert!(source.starts_with("https://aws.amazon.com/"), "{name}");
            assert!(!price["note"].as_str().unwrap().is_empty(), "{name}");
        }
        let list = serde_json::to_value(&prices.assumptions).unwrap();
        for (name, assumption) in list.as_object().unwrap() {
            assert!(!assumption["note"].as_str().unwrap().is_empty(), "{name}");
        }
    }

    #[test]
    fn an_invalid_price_file_is_refused_with_the_place_of_the_error() {
        let message = refused("\"usd\": \"3.50\"", "\"usd\": 3.5");
        assert_eq!(
            message,
            "line 6, column 39: `prices.api_gateway_request.usd`: a decimal number must be text, such as \"12.30\""
        );
        for (from, to, expected) in [
            ("\"usd\": \"3.50\"", "\"usd\": \"-1\"", ".usd`: the number must not be negative"),
            ("\"per\": 1000000", "\"per\": 3", ".per`: expected a power of ten"),
            ("\"per\": 1000000", "\"per\": 0", ".per`: expected a power of ten"),
            (
                "sns_publish",
                "sns_publication",
                "`prices.sns_publication`: unknown field `sns_publication`",
            ),
            ("\"secret\":", "\"secret_call\":", "duplicate field `secret_call`"),
            ("\"date\": \"", "\"date\": \"x", "`date`: expected a date"),
            ("\"region\"", "region", "key must be a string"),
        ] {
            let message = refused(from, to);
            assert!(message.contains(expected), "{message}");
        }
        assert!(Prices::read(b"{}").unwrap_err().to_string().contains("missing field `region`"));
        let twice = format!("{DEFAULT} {{}}");
        assert!(Prices::read(twice.as_bytes()).unwrap_err().to_string().contains("trailing"));
    }
}
