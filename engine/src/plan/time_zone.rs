//! The time zone at the top of the file.

use oms_core::diagnostic::{Finding, Place, Route, codes};
use oms_core::time_zone::TimeZone;

use super::sink::Sink;
use crate::pipeline::Pipeline;

/// Returns the pipeline's time zone; UTC if the file names none or one that does not exist.
pub(super) fn check(pipeline: &Pipeline, sink: &mut Sink<'_>) -> TimeZone {
    let Some(name) = &pipeline.time_zone else { return TimeZone::UTC };
    TimeZone::named(name).unwrap_or_else(|error| {
        let place = Place::value(Route::root().key("time_zone"));
        let (message, help) = match name.contains("${{") {
            false => (error.to_string(), error.help()),
            true => (
                "the time zone must be a name, not an expression".to_owned(),
                "write the name itself, such as `Europe/Berlin`; `date(t, \"Asia/Tokyo\")` uses another zone for one date"
                    .to_owned(),
            ),
        };
        sink.add(Finding::error(codes::TIME_ZONE, place, message).help(help));
        TimeZone::UTC
    })
}
