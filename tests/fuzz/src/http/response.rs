//! Checks everything that the server sent on a connection.

use serde_json::Value as Json;

use super::contains;

/// The statuses of the server, except 5xx.
const STATUSES: &[u16] = &[
    100, 200, 201, 303, 304, 400, 401, 403, 404, 405, 408, 409, 413, 414, 415, 421, 422, 429, 431,
];
/// Maximum number of headers of a response.
const HEADERS_MAX: usize = 32;

/// Checks that `output` consists of complete and valid responses to `input`.
///
/// # Panics
/// If it does not.
pub(super) fn check(input: &[u8], output: &[u8]) {
    // The response to a HEAD request has the length of a body but no body. With several requests,
    // it is unknown which response that is, so only the first one is checked.
    let is_head = input.starts_with(b"HEAD ");
    let only_first = is_head || contains(input, b"head ");
    let mut rest = output;
    while !rest.is_empty() {
        rest = response(rest, is_head);
        if only_first {
            return;
        }
    }
}

/// Checks the first response in `bytes` and returns the bytes after it.
fn response(bytes: &[u8], is_head: bool) -> &[u8] {
    let shown = || String::from_utf8_lossy(bytes);
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        other => panic!("the response is not HTTP ({other:?}): {}", shown()),
    };
    let status = head.code.unwrap_or_default();
    assert!(STATUSES.contains(&status), "unknown status: {}", shown());
    let after = &bytes[length..];
    if status == 100 {
        return after;
    }
    let header = |name: &str| {
        let mut found = head.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        let value = found.next().map(|header| header.value);
        assert!(found.next().is_none(), "`{name}` is repeated: {}", shown());
        value.map(|value| std::str::from_utf8(value).expect("the header is text"))
    };
    assert_eq!(header("x-content-type-options"), Some("nosniff"), "{}", shown());
    assert!(header("transfer-encoding").is_none(), "{}", shown());
    if is_head || status == 304 {
        return after;
    }
    let length = header("content-length").and_then(|length| length.parse().ok());
    let length: usize = length.unwrap_or_else(|| panic!("the length is missing: {}", shown()));
    let (body, after) = after.split_at_checked(length).unwrap_or_else(|| {
        panic!("the response is not complete: {}", shown());
    });
    match header("content-type") {
        Some("application/problem+json") => {
            let problem: Json = serde_json::from_slice(body).expect("the problem is JSON");
            assert_eq!(problem["status"], status, "{}", shown());
        }
        Some("application/json") => {
            let _valid: Json = serde_json::from_slice(body).expect("the body is JSON");
        }
        Some(kind) if kind.starts_with("text/html") => {
            std::str::from_utf8(body).expect("the page is UTF-8");
        }
        _ => {}
    }
    after
}
