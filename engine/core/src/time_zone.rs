//! IANA time zones, and the conversion of instants to days in them.
//!
//! **Invariant:** only this module uses the time zone database. The database is compiled in, so
//! that an order has the same day on every machine.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{self, TimeZoneDatabase};

use crate::diagnostic::closest;

/// The zones that an editor suggests: the most populous ones, and at least one per region.
pub const COMMON: [&str; 32] = [
    "UTC",
    "Africa/Cairo",
    "Africa/Johannesburg",
    "Africa/Lagos",
    "America/Bogota",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Mexico_City",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Toronto",
    "Asia/Dubai",
    "Asia/Hong_Kong",
    "Asia/Jakarta",
    "Asia/Kolkata",
    "Asia/Manila",
    "Asia/Seoul",
    "Asia/Shanghai",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Europe/Amsterdam",
    "Europe/Berlin",
    "Europe/Istanbul",
    "Europe/London",
    "Europe/Madrid",
    "Europe/Paris",
    "Europe/Rome",
    "Europe/Warsaw",
    "Europe/Zurich",
    "Pacific/Auckland",
];

/// A time zone of the IANA database, or UTC.
#[derive(Clone, PartialEq, Eq)]
pub struct TimeZone(tz::TimeZone);

/// The error for a text that is not the name of a time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown time zone `{name}`")]
pub struct UnknownTimeZone {
    name: String,
}

impl TimeZone {
    /// Coordinated Universal Time.
    pub const UTC: Self = Self(tz::TimeZone::UTC);

    /// Returns the zone with exactly this name, such as `Europe/Berlin`. Links such as `US/Central`
    /// are accepted too.
    ///
    /// # Errors
    /// Returns an error if the database does not have the name.
    pub fn named(name: &str) -> Result<Self, UnknownTimeZone> {
        let unknown = || UnknownTimeZone { name: name.to_owned() };
        let zone = TimeZoneDatabase::bundled().get(name).map_err(|_| unknown())?;
        // The database ignores case, and `Etc/Unknown` stands for an unknown zone. Both are
        // rejected.
        if zone.is_unknown() || zone.iana_name() != Some(name) {
            return Err(unknown());
        }
        Ok(Self(zone))
    }

    /// Returns the zone's name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// Returns the day on which an instant falls in this zone.
    pub fn day(&self, instant: Timestamp) -> Date {
        self.0.to_datetime(instant).date()
    }

    /// Returns the first instant of a day in this zone, or `None` if the day is at the edge of the
    /// calendar.
    pub fn start_of(&self, day: Date) -> Option<Timestamp> {
        // If a change of the offset skips midnight, the day starts at the change.
        Some(day.to_zoned(self.0.clone()).ok()?.start_of_day().ok()?.timestamp())
    }
}

impl Default for TimeZone {
    fn default() -> Self {
        Self::UTC
    }
}

impl fmt::Debug for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl UnknownTimeZone {
    /// Returns a help text that suggests a zone.
    pub fn help(&self) -> String {
        let suggestion = likely_name(&self.name);
        suggestion.map_or_else(
            || {
                "use a name from the IANA time zone database, such as `Europe/Berlin` or `UTC`"
                    .to_owned()
            },
            |name| format!("did you mean `{name}`?"),
        )
    }
}

/// Returns the zone that a misspelled name most likely means.
fn likely_name(name: &str) -> Option<String> {
    let database = TimeZoneDatabase::bundled();
    let names: Vec<String> = database.available().map(|name| name.as_str().to_owned()).collect();
    let spelled = name.trim().replace(' ', "_");
    let same = |known: &&String| known.eq_ignore_ascii_case(&spelled);
    let place = |known: &&String| {
        known.rsplit_once('/').is_some_and(|(_, place)| place.eq_ignore_ascii_case(&spelled))
    };
    let found = names.iter().find(same).or_else(|| names.iter().find(place));
    // Similar abbreviations and offsets can mean different zones, so only place names are
    // corrected.
    let is_place = spelled.contains('/') && !spelled.contains(|char: char| char.is_ascii_digit());
    let near = || closest(&spelled, names.iter().map(String::as_str)).filter(|_| is_place);
    found.map(String::as_str).or_else(near).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn day(zone: &str, instant: &str) -> Date {
        TimeZone::named(zone).unwrap().day(instant.parse().unwrap())
    }

    #[test]
    fn the_zone_decides_the_day() {
        let instant = "2025-01-01T03:00:00Z";
        assert_eq!(day("UTC", instant), date(2025, 1, 1));
        assert_eq!(day("America/Chicago", instant), date(2024, 12, 31));
        assert_eq!(day("Pacific/Kiritimati", "2024-12-31T10:00:00Z"), date(2025, 1, 1));
    }

    #[test]
    fn the_first_and_the_last_instant_have_a_day_in_every_zone() {
        for zone in TimeZoneDatabase::bundled().available() {
            let zone = TimeZone::named(zone.as_str()).unwrap();
            for instant in [Timestamp::MIN, Timestamp::MAX] {
                let day = zone.day(instant);
                let _start = zone.start_of(day);
            }
        }
    }

    #[test]
    fn only_exact_names_of_the_database_are_accepted() {
        for name in ["UTC", "Etc/UTC", "US/Central", "EST", "GMT+0", "Etc/GMT+1", "Europe/Kyiv"] {
            assert_eq!(TimeZone::named(name).unwrap().name(), name);
        }
        for name in COMMON {
            assert!(TimeZone::named(name).is_ok(), "{name}");
        }
        for name in ["", "utc", "europe/berlin", "GMT+1", "+02:00", "Etc/Unknown", "Europe/Berlin "]
        {
            assert!(TimeZone::named(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_misspelled_name_has_a_suggestion_only_if_one_is_likely() {
        let help = |name: &str| TimeZone::named(name).unwrap_err().help();
        for (written, meant) in [
            ("Europe/Berln", "Europe/Berlin"),
            ("europe/berlin", "Europe/Berlin"),
            ("utc", "UTC"),
            ("Berlin", "Europe/Berlin"),
            ("America/New York", "America/New_York"),
            ("new york", "America/New_York"),
        ] {
            assert_eq!(help(written), format!("did you mean `{meant}`?"));
        }
        for written in ["PST", "+02:00", "UTC+2", "", "${{ order.zone }}"] {
            assert!(help(written).starts_with("use a name"), "{written}: {}", help(written));
        }
    }

    #[test]
    fn a_day_starts_at_the_first_instant_in_its_zone() {
        let start =
            |zone: &str, day| TimeZone::named(zone).unwrap().start_of(day).unwrap().to_string();
        assert_eq!(start("UTC", date(2024, 7, 1)), "2024-07-01T00:00:00Z");
        assert_eq!(start("Europe/Berlin", date(2024, 7, 1)), "2024-06-30T22:00:00Z");
        // Midnight is skipped on this day.
        assert_eq!(start("America/Asuncion", date(2024, 10, 6)), "2024-10-06T04:00:00Z");
    }
}
