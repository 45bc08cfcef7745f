//! Keywords with bounds on numbers and on decimals in texts. They replace those of the validator,
//! whose comparisons use floats.

use std::sync::Arc;

use jsonschema::paths::Location;
use jsonschema::{Keyword, Retrieve, ValidationError, ValidationOptions};
use oms_core::money::Decimal;
use oms_core::value::{ScalarError, check_digits, decimal};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::instance::{Exact, Instance};
use super::number::Number;

/// The keyword that makes the bounds of a schema also apply to decimals in texts.
pub(super) const IN_TEXTS: &str = "oms:in-texts";
/// The keyword that limits the digits of decimals. Its value is a [`Digits`].
pub(super) const DIGITS: &str = "oms:digits";

type Options<'i> = ValidationOptions<'i, Arc<dyn Retrieve>, Exact>;

/// The keyword of a bound, its comparison, and the words for a message.
type Comparison = (&'static str, fn(&Number, &Number) -> bool, &'static str);

const COMPARISONS: [Comparison; 5] = [
    ("minimum", |number, limit| number >= limit, "must be at least"),
    ("maximum", |number, limit| number <= limit, "must be at most"),
    ("exclusiveMinimum", |number, limit| number > limit, "must be greater than"),
    ("exclusiveMaximum", |number, limit| number < limit, "must be less than"),
    ("multipleOf", Number::is_multiple_of, "must be a multiple of"),
];

/// Adds the keywords to a validator.
pub(super) fn register(mut options: Options<'_>) -> Options<'_> {
    for (keyword, holds, words) in COMPARISONS {
        options = options
            .with_keyword(keyword, move |schema, limit, at| bound(schema, limit, at, holds, words));
    }
    options.with_keyword(DIGITS, |_, value, _| digits(value))
}

type KeywordResult<'a> = Result<Box<dyn for<'i> Keyword<'i, Exact>>, ValidationError<'a>>;

fn bound<'a>(
    schema: &'a Map<String, Json>,
    limit: &'a Json,
    _: Location,
    holds: fn(&Number, &Number) -> bool,
    words: &'static str,
) -> KeywordResult<'a> {
    let shown = limit.to_string();
    let limit = Number::parse(&shown).ok_or_else(|| ValidationError::custom("not a number"))?;
    let message = format!("{words} {shown}");
    Ok(Box::new(Bound { limit, holds, in_texts: schema.contains_key(IN_TEXTS), message }))
}

struct Bound {
    limit: Number,
    holds: fn(&Number, &Number) -> bool,
    in_texts: bool,
    message: String,
}

impl<'i> Keyword<'i, Exact> for Bound {
    fn validate(&self, instance: &'i Instance) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) {
            Ok(())
        } else {
            Err(ValidationError::custom(self.message.as_str()))
        }
    }

    fn is_valid(&self, instance: &'i Instance) -> bool {
        let number = match instance {
            Instance::Number(text) => Number::parse(text),
            // A text that is not a decimal has another fault.
            Instance::Text(text) if self.in_texts && Decimal::parse(text).is_ok() => {
                Number::parse(text)
            }
            _ => None,
        };
        number.is_none_or(|number| (self.holds)(&number, &self.limit))
    }
}

fn digits(value: &Json) -> KeywordResult<'_> {
    let digits =
        Digits::deserialize(value).map_err(|error| ValidationError::custom(error.to_string()))?;
    Ok(Box::new(digits))
}

/// The maximum number of digits of a decimal.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Digits {
    pub(super) integer_digits: u32,
    pub(super) scale: u32,
    /// Whether every text must be a decimal within the limits.
    pub(super) all_texts: bool,
    /// Whether the limits apply to texts that are decimals.
    pub(super) texts: bool,
    /// Whether the limits apply to numbers.
    pub(super) numbers: bool,
}

impl Digits {
    fn check(&self, instance: &Instance) -> Result<(), ScalarError> {
        match instance {
            Instance::Text(text)
                if self.all_texts || (self.texts && Decimal::parse(text).is_ok()) =>
            {
                decimal(text, self.integer_digits, self.scale).map(drop)
            }
            Instance::Number(text) if self.numbers => {
                let number = Decimal::from_json_number(text)
                    .map_err(|error| format!("must not have {error}"))?;
                check_digits(number, self.integer_digits, self.scale).map(drop)
            }
            _ => Ok(()),
        }
    }
}

impl<'i> Keyword<'i, Exact> for Digits {
    fn validate(&self, instance: &'i Instance) -> Result<(), ValidationError<'i>> {
        self.check(instance).map_err(|error| ValidationError::custom(error.message))
    }

    fn is_valid(&self, instance: &'i Instance) -> bool {
        self.check(instance).is_ok()
    }
}
