//! Durations in the pipeline file, such as `90s`, `36h` or `2d 12h`.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

/// Parses a duration in the friendly format of the crate `jiff`. A day has 24 hours, and a week has
/// 7 days. Returns `None` if the text is not a duration, or if it has months or years, whose length
/// varies, or if it is not positive.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let span: Span = text.parse().ok()?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Duration::try_from(duration).ok().filter(|duration| !duration.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_fixed_units_and_are_positive() {
        let seconds = |text: &str| parse_duration(text).map(|duration| duration.as_secs());
        assert_eq!(seconds("90s"), Some(90));
        assert_eq!(seconds("2d 12h"), Some(216_000));
        assert_eq!(seconds("1w"), Some(604_800));
        assert_eq!(parse_duration("250ms"), Some(Duration::from_millis(250)));
        for text in ["", "10", "0s", "-5s", "1mo", "1y", "soon", "1e3s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
