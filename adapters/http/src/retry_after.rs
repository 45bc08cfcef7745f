//! The header `Retry-After` (RFC 9110, section 10.2.3).

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// Returns how long a service asks to wait: a number of seconds, or the time from the date of the
/// answer until another date. Invalid values are ignored.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let written = text(RETRY_AFTER)?;
    if let Ok(seconds) = written.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(written).ok()?;
    let answered = httpdate::parse_http_date(text(DATE)?).ok()?;
    Some(until.duration_since(answered).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_seconds_or_dates() {
        let wait = |retry: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, retry.parse().unwrap());
            if let Some(date) = date {
                headers.insert(DATE, date.parse().unwrap());
            }
            retry_after(&headers).map(|wait| wait.as_secs())
        };
        let date = Some("Fri, 31 Dec 1999 23:59:00 GMT");
        assert_eq!(wait("120", None), Some(120));
        assert_eq!(wait(" 0 ", None), Some(0));
        assert_eq!(wait("Fri, 31 Dec 1999 23:59:59 GMT", date), Some(59));
        assert_eq!(wait("Fri, 31 Dec 1999 23:00:00 GMT", date), Some(0));
        assert_eq!(wait("Fri, 31 Dec 1999 23:59:59 GMT", None), None);
        for invalid in ["soon", "-1", "1.5", "99999999999999999999999"] {
            assert_eq!(wait(invalid, date), None, "{invalid}");
        }
    }
}
