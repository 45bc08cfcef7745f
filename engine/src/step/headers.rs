//! The headers that a pipeline can add to requests.

/// Headers that the HTTP client or other settings determine.
const RESERVED: [(&str, &str); 11] = [
    ("authorization", "use `auth` of the service, which refers to a secret"),
    ("connection", REMOVE),
    ("content-length", REMOVE),
    ("content-type", "it follows from `json`, `form` or `content_type`"),
    ("expect", REMOVE),
    ("host", "it follows from `base_url`"),
    ("proxy-authorization", REMOVE),
    ("te", REMOVE),
    ("trailer", REMOVE),
    ("transfer-encoding", REMOVE),
    ("upgrade", REMOVE),
];
const REMOVE: &str = "remove it";

/// Returns why a header cannot be sent, and what to do. A name is a token (RFC 9110, section
/// 5.6.2). A value consists of visible ASCII characters, spaces and tabs.
pub fn header_fault(name: &str, value: &str) -> Option<(String, &'static str)> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Some((format!("invalid header name `{name}`"), "use letters, digits and `-`"));
    }
    let reserved = RESERVED.iter().find(|(reserved, _)| name.eq_ignore_ascii_case(reserved));
    if let Some((_, help)) = reserved {
        return Some((format!("the header `{name}` cannot be set here"), help));
    }
    let is_allowed = |byte: u8| (b' '..=b'~').contains(&byte) || byte == b'\t';
    if !value.bytes().all(is_allowed) {
        let message = format!("the value of the header `{name}` is not visible ASCII text");
        return Some((message, "encode other characters"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_cannot_break_a_request() {
        assert_eq!(header_fault("X-Api-Version", "2026-01"), None);
        for (name, value) in [
            ("", "a"),
            ("X Y", "a"),
            ("X:Y", "a"),
            ("x\r\ny", "a"),
            ("X-A", "a\r\nX-B: c"),
            ("X-A", "é"),
            ("Host", "other"),
            ("CONTENT-LENGTH", "0"),
        ] {
            assert!(header_fault(name, value).is_some(), "{name:?}: {value:?}");
        }
    }
}
