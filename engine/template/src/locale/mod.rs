//! How readers of a locale write numbers, money, dates and countries, by the Unicode CLDR through ICU4X.
//!
//! [`Formats`] is all that a mail needs of a locale. Nothing else of the engine knows ICU4X.

mod amount;
mod formats;
mod tag;

pub use formats::{Formats, PLURAL_CATEGORIES};
pub use tag::{candidates, is_language_tag, language};
