//! The `rates` section: reads rate files and checks fixed tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use oms_core::diagnostic::{Finding, Place, Route, Source, closest, codes};
use oms_core::document::{FileError, Files};
use oms_core::money::{Currency, Decimal, Quote, RateFileError, RateTable};

use super::semantics::Semantics;
use super::sink::{InFile, Sink};
use crate::pipeline::{FixedQuote, Pipeline, RatesSection, RatesSource, Section};
use crate::step::{RateSource, Resources};

pub(super) fn check(
    pipeline: &Pipeline,
    sink: &mut Sink<'_>,
    files: &dyn Files,
    resources: &mut Resources,
    semantics: Semantics,
) {
    for named in &pipeline.rates {
        let source = named.section.as_ref().and_then(|section| {
            let (table, label) = match section.source {
                RatesSource::Ecb => (ecb(named, section, sink, files)?, "ECB"),
                RatesSource::Fixed => (fixed(named, section, sink)?, "fixed"),
            };
            let table =
                if semantics.has_euro_changeovers() { table.with_changeovers() } else { table };
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
                sink.not_text(Place::value(place.clone()), &shown);
                None
            }
        },
        Err(error) => {
            sink.unreadable(Place::value(place.clone()), &shown, &error);
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
    let length = cell_length(text, error);
    let start = Source::new(Arc::clone(text)).byte_at(error.line, error.column);
    let cell = text.get(start..start + length).unwrap_or_default();
    let message = match error.cause.expected() {
        Some(expected) if !cell.is_empty() => {
            format!("invalid rate file: `{cell}` is not {expected}")
        }
        _ => format!("invalid rate file: {}", error.cause),
    };
    sink.add_in_file(InFile {
        code: codes::RATES,
        path: &files.shown(path),
        text,
        private: false,
        line: error.line,
        column: error.column,
        length,
        message,
        help: None,
    });
}

/// Returns the length in bytes of the cell that an error refers to.
fn cell_length(text: &Arc<str>, error: &RateFileError) -> usize {
    let source = Source::new(Arc::clone(text));
    let rest = text.get(source.byte_at(error.line, error.column)..).unwrap_or_default();
    rest.find([',', '\r', '\n']).unwrap_or(rest.len())
}

fn ecb(
    named: &Section<RatesSection>,
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
    // The overrides file may be missing: users create it when they add the first rate.
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
    named: &Section<RatesSection>,
    section: &RatesSection,
    sink: &mut Sink<'_>,
) -> Option<RateTable> {
    let mut valid = true;
    let mut refuse = |sink: &mut Sink<'_>, place: Place, message: String, help: Option<String>| {
        valid = false;
        sink.add(Finding::error(codes::RATES, place, message).help(help));
    };
    let base_text = section.base.as_deref()?;
    let base = Currency::parse(base_text);
    if base.is_err() {
        let place = Place::value(named.route.key("base"));
        let message = format!("unknown currency code `{base_text}`");
        refuse(sink, place, message, currency_help(base_text));
    }
    let mut table = BTreeMap::new();
    for (code, rate) in section.table.as_ref()? {
        let route = named.route.key("table").key(code);
        match Currency::parse(code) {
            Err(_) => {
                let message = format!("unknown currency code `{code}`");
                refuse(sink, Place::key(route), message, currency_help(code));
            }
            Ok(currency) => match Decimal::parse(rate) {
                Err(_) => {
                    let message = format!("the rate of `{code}` is not a decimal number");
                    let help = rate.replace(',', ".");
                    let help = match Decimal::parse(&help) {
                        Ok(_) => format!("write `\"{help}\"`"),
                        Err(_) => {
                            "write digits with a decimal point, such as `\"0.79\"`".to_owned()
                        }
                    };
                    refuse(sink, Place::value(route), message, Some(help));
                }
                Ok(rate) if rate.is_zero() || rate.is_negative() => {
                    let message = format!("the rate of `{code}` must be greater than zero");
                    refuse(sink, Place::value(route), message, None);
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
    if !valid {
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

/// Returns a help text that suggests the currency code that was probably meant.
fn currency_help(text: &str) -> Option<String> {
    let upper = text.to_uppercase();
    let known = Currency::all().map(Currency::code);
    match closest(&upper, known) {
        Some(code) => Some(format!("did you mean `{code}`?")),
        None => Some("use an ISO 4217 code, such as `EUR`".to_owned()),
    }
}
