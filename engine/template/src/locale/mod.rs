//! Formats numbers, money, dates and countries for a locale, with the Unicode CLDR data of ICU4X.
//!
//! [`Formats`] is the interface for e-mails. No other module of the engine uses ICU4X.

mod amount;
mod formats;
mod tag;

pub use formats::{Formats, PLURAL_CATEGORIES};
pub use tag::{candidates, is_language_tag, language};
