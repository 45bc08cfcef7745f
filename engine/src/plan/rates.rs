//! The rates section: files read, fixed tables checked.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::sink::{InFile, Sink};
use crate::diagnostic::{Finding, Place, Route, codes};
use crate::document::{FileError, Files};
use crate::money::{Currency, Decimal, Quote, RateFileError, RateTable};
use crate::pipeline::{FixedQuote, Named, Pipeline, RatesSection, RatesSource};
use crate::step::{RateSource, Resources};

pub(super) fn check(
    pipeline: &Pipeline,
    sink: &mut Sink<'_>,
    files: &dyn Files,
    resources: &mut Resources,
) {
    for named in &pipeline.rates {
        let source = named.section.as_ref().and_then(|section| {
            let (table, label) = match section.source {
                RatesSource::Ecb => (ecb(named, section, sink, files)?, "ECB"),
                RatesSource::Fixed => (fixed(named, section, sink)?, "fixed"),
            };
            Some(Arc::new(RateSource {
                name: Arc::from(named.name.as_str()),
                table,
                max_age_days: section.max_age_days.unwrap_or(0),
                rounding: section.rounding,
                label: Arc::from(label),
            }))
        });
        resources.rates.insert(Arc::from(named.name.as_str()), source);
    }
}

fn text(path: &str, place: &Route, sink: &mut Sink<'_>, files: &dyn Files) -> Option<Arc<str>> {
    let shown = files.shown(path);
    match files.read(path) {
        Ok(bytes) => match std::str::from_utf8(&bytes) {
            Ok(text) => Some(Arc::from(text)),
            Err(_) => {
                sink.unreadable(Place::value(place.clone()), &shown, "it is not UTF-8 text");
                None
            }
        },
        Err(error) => {
            sink.unreadable(Place::value(place.clone()), &shown, &error.to_string());
            None
        }
    }
}

fn in_file(
    error: &RateFileError,
    path: &str,
    text: &Arc<str>,
    sink: &mut Sink<'_>,
    files: &dyn Files,
) {
    sink.add_in_file(InFile {
        code: codes::RATES,
        path: &files.shown(path),
        text,
        private: false,
        line: error.line,
        column: error.column,
        length: 12,
        message: format!("the rate file cannot be used: {}", error.cause),
        help: None,
    });
}

fn ecb(
    named: &Named<RatesSection>,
    section: &RatesSection,
    sink: &mut Sink<'_>,
    files: &dyn Files,
) -> Option<RateTable> {
    let path = section.file.as_deref()?;
    let rates = text(path, &named.route.key("file"), sink, files)?;
    let table = match RateTable::ecb(&rates) {
        Ok(table) => table,
        Err(error) => {
            in_file(&error, path, &rates, sink, files);
            return None;
        }
    };
    let Some(path) = section.overrides.as_deref() else { return Some(table) };
    // The file of additions may be missing: it is made when the first rate has to be added.
    if matches!(files.read(path), Err(FileError::Missing)) {
        return Some(table);
    }
    let overrides = text(path, &named.route.key("overrides"), sink, files)?;
    match table.with_overrides(&overrides) {
        Ok(table) => Some(table),
        Err(error) => {
            in_file(&error, path, &overrides, sink, files);
            None
        }
    }
}

fn fixed(
    named: &Named<RatesSection>,
    section: &RatesSection,
    sink: &mut Sink<'_>,
) -> Option<RateTable> {
    let mut sound = true;
    let mut refuse = |sink: &mut Sink<'_>, place: Place, message: String| {
        sound = false;
        sink.add(Finding::error(codes::RATES, place, message));
    };
    let base_text = section.base.as_deref()?;
    let base = Currency::parse(base_text);
    if base.is_err() {
        let place = Place::value(named.route.key("base"));
        refuse(sink, place, format!("`{base_text}` is not an ISO 4217 currency code"));
    }
    let mut table = BTreeMap::new();
    for (code, rate) in section.table.as_ref()? {
        let route = named.route.key("table").key(code);
        match Currency::parse(code) {
            Err(error) => refuse(sink, Place::key(route), format!("`{code}`: {error}")),
            Ok(currency) => match Decimal::parse(rate) {
                Err(error) => refuse(sink, Place::value(route), error.to_string()),
                Ok(rate) if rate.is_zero() || rate.is_negative() => {
                    refuse(
                        sink,
                        Place::value(route),
                        "a rate must be greater than zero".to_owned(),
                    );
                }
                Ok(rate) => {
                    table.insert(currency, rate);
                }
            },
        }
    }
    let quote = match section.quote? {
        FixedQuote::BasePerUnit => Quote::BasePerUnit,
        FixedQuote::UnitPerBase => Quote::UnitPerBase,
    };
    let base = base.ok()?;
    if !sound {
        return None;
    }
    match RateTable::fixed(base, quote, table) {
        Ok(table) => Some(table),
        Err(error) => {
            let place = Place::key(named.route.key("table"));
            sink.add(Finding::error(codes::RATES, place, error.to_string()));
            None
        }
    }
}
