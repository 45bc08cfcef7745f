//! The ids of spans in traces (OpenTelemetry). The id of a trace is the id of its run.

use crate::value::Digest;

/// Returns the id of the span of an attempt. Services receive it in the header `traceparent`, so
/// that their spans belong to the attempt.
pub fn span_id(run: &str, step: &str, element: Option<u32>, attempt: u32) -> [u8; 8] {
    let element = element.map(|element| element.to_string()).unwrap_or_default();
    span_id_of(&[run, step, &element, &attempt.to_string()])
}

/// Derives the id of a span. Equal parts have equal ids.
pub fn span_id_of(parts: &[&str]) -> [u8; 8] {
    let digest = Digest::of_parts(parts.iter().map(|part| part.as_bytes()));
    let mut id = [0; 8];
    for (to, from) in id.iter_mut().zip(digest.bytes()) {
        *to = *from;
    }
    id
}
