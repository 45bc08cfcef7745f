//! The key `time_zone`.

use oms_core::diagnostic::{Finding, Place, Route, codes};
use oms_core::time_zone::TimeZone;

use super::sink::Sink;
use crate::pipeline::Pipeline;

/// Returns the pipeline's time zone. The default is UTC, which also replaces an unknown time zone.
pub(super) fn check(pipeline: &Pipeline, sink: &mut Sink<'_>) -> TimeZone {
    let Some(name) = &pipeline.time_zone else { return TimeZone::UTC };
    TimeZone::named(name).unwrap_or_else(|error| {
        let place = Place::value(Route::root().key("time_zone"));
        let (message, help) = match name.contains("${{") {
            false => (error.to_string(), error.help()),
            true => (
                "the time zone must be a name, not an expression".to_owned(),
                "write a name, such as `Europe/Berlin`; use `date(t, \"Asia/Tokyo\")` for a single date in another zone"
                    .to_owned(),
            ),
        };
        sink.add(Finding::error(codes::TIME_ZONE, place, message).help(help));
        TimeZone::UTC
    })
}
