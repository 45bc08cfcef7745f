//! Money: exact decimals, currencies, dated exchange rates and the rule that converts between them.
//!
//! [`Decimal`] is an exact decimal number of at most 28 digits that keeps its scale as written,
//! [`Currency`] a code of ISO 4217 with its minor units, [`RateTable`] an immutable table of quotes
//! and [`convert`] the one conversion rule. Nothing in here may use binary floating point, round
//! where no rounding was asked for, read a clock or a file, or repeat in an error message the text
//! it was given: amounts may be personal data.

mod arithmetic;
mod convert;
mod currency;
mod dated;
mod decimal;
mod ecb;
mod euro;
mod overrides;
mod parse;
mod rate_file;
mod rates;
mod rounding;

pub use convert::{Conversion, ConvertError, RATE_PLACES, convert};
pub use currency::{Currency, CurrencyError};
pub use decimal::{DIGITS_MAX, Decimal};
pub use parse::DecimalError;
pub use rate_file::{FILE_BYTES_MAX, FILE_ROWS_MAX, RateFileCause, RateFileError};
pub use rates::{FixedTableError, NoRate, Quote, QuoteSource, RatePair, RateTable};
pub use rounding::{Rounding, UnknownRounding};
