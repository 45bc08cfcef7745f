//! Money: exact decimals, currencies, dated exchange rates and the rule that converts between them.
//!
//! [`Decimal`] is an exact decimal number of at most 28 digits that keeps its scale as written.
//! [`Currency`] is an ISO 4217 code with its minor units, [`RateTable`] is an immutable table of
//! quotes, and [`convert`] is the only conversion rule.
//!
//! Code in this module must not use binary floating point, round without an explicit rounding mode,
//! or read a clock or a file. Error messages must not repeat their input, because amounts may be
//! personal data.

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
