//! The text formats in which metrics are requested.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// The format of the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetricsFormat {
    /// The text format of Prometheus
    /// (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
    Prometheus,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl MetricsFormat {
    /// Returns the format that the header `Accept` prefers (RFC 9110, 12.5.1).
    pub(crate) fn preferred(headers: &HeaderMap) -> Self {
        let (mut open, mut text) = (0.0, 0.0);
        let accepts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        for range in accepts.flat_map(|accept| accept.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
            let weight = weight.unwrap_or(1.0);
            match kind.as_str() {
                "application/openmetrics-text" => open = weight.max(open),
                "text/plain" | "text/*" => text = weight.max(text),
                _ => {}
            }
        }
        if open > 0.0 && open >= text { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// Returns the media type of the format.
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Converts metrics from OpenMetrics to this format. Keeps a sample only if `shown` returns
    /// true for its pipeline, or for `None` if the sample has no pipeline.
    pub(crate) fn convert(self, text: &str, shown: impl Fn(Option<&str>) -> bool) -> String {
        // In the Prometheus format, `# HELP` and `# TYPE` use the counter's name with `_total`.
        let counters: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
            .collect();
        let mut written = String::with_capacity(text.len());
        for line in text.lines() {
            match line.strip_prefix("# ").and_then(|rest| rest.split_once(' ')) {
                Some((word @ ("HELP" | "TYPE"), rest)) if self == Self::Prometheus => {
                    let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                    let end = if counters.contains(&name) { "_total" } else { "" };
                    written.extend(["# ", word, " ", name, end, " ", rest, "\n"]);
                    continue;
                }
                None if line.starts_with('#') && self == Self::Prometheus => continue,
                _ => {}
            }
            // The label may be at any position. Its value ends at the next quote, because label
            // values never contain escaped characters.
            let label = line.split_once("{pipeline=\"").or_else(|| line.split_once(",pipeline=\""));
            let pipeline = label.and_then(|(_, rest)| rest.split('"').next());
            if line.starts_with('#') || shown(pipeline) {
                written.extend([line, "\n"]);
            }
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::{HeaderValue, StatusCode};

    use super::super::metrics::{BUCKETS_SECONDS, Metrics};
    use super::*;

    #[test]
    fn the_preferred_format_is_used() {
        let of = |accept: &'static str| {
            MetricsFormat::preferred(&HeaderMap::from_iter([(
                ACCEPT,
                HeaderValue::from_static(accept),
            )]))
        };
        assert_eq!(MetricsFormat::preferred(&HeaderMap::new()), MetricsFormat::Prometheus);
        for (accept, format) in [
            ("*/*", MetricsFormat::Prometheus),
            ("text/plain", MetricsFormat::Prometheus),
            ("application/openmetrics-text", MetricsFormat::OpenMetrics),
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
                MetricsFormat::OpenMetrics,
            ),
            (
                "text/plain;version=0.0.4;q=0.6, Application/OpenMetrics-Text; q=0.5",
                MetricsFormat::Prometheus,
            ),
            ("application/openmetrics-text;q=0, */*", MetricsFormat::Prometheus),
        ] {
            assert_eq!(of(accept), format, "{accept}");
        }
    }

    #[test]
    fn a_key_shows_only_the_metrics_of_its_pipelines() {
        let metrics = Metrics::new();
        for pipeline in ["one", "two"] {
            metrics.of_pipeline(pipeline).count_order(StatusCode::CREATED);
        }
        metrics.of_pipeline("one").record_acceptance(Duration::from_millis(3));
        metrics.count_request(StatusCode::OK);
        let text = metrics.encode().unwrap();
        let one = MetricsFormat::OpenMetrics.convert(&text, |pipeline| pipeline == Some("one"));
        assert!(one.contains("oms_orders_total{pipeline=\"one\",status=\"201\"} 1\n"), "{one}");
        assert!(!one.contains("two") && !one.contains("oms_http_requests_total"), "{one}");
        let buckets = one.matches("oms_acceptance_seconds_bucket{").count();
        assert_eq!(buckets, BUCKETS_SECONDS.len() + 1, "{one}");
        assert!(one.contains("# TYPE oms_orders counter\n") && one.ends_with("# EOF\n"), "{one}");
        let all = MetricsFormat::Prometheus.convert(&text, |_| true);
        assert!(all.contains("# TYPE oms_orders_total counter\n"), "{all}");
        assert!(all.contains("oms_http_requests_total{status=\"200\"} 1\n"), "{all}");
        assert!(!all.contains("EOF") && !all.contains("# TYPE oms_orders counter"), "{all}");
    }
}
