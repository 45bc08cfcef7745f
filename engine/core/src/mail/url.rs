//! Percent-encoding of values in URLs (RFC 3986), so that no value can change the structure of the
//! URL.

/// The part of a URL that contains a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlPart {
    /// The start: the value is the whole URL or its first part.
    Start,
    /// After the scheme of `https` and similar URLs, before a `?`.
    Path,
    /// The addresses in `mailto:` or the number in `tel:`, before a `?`.
    Address,
    /// After a `?` or a `#`.
    Query,
}

/// Schemes whose path is an e-mail address or a phone number.
const ADDRESS_SCHEMES: [&str; 3] = ["mailto:", "tel:", "sms:"];

impl UrlPart {
    /// Returns the part that follows `before`, the URL so far.
    pub fn after(before: &str) -> Self {
        let before = before.trim_start();
        if before.is_empty() {
            return Self::Start;
        }
        if before.contains(['?', '#']) {
            return Self::Query;
        }
        let begins = |scheme: &str| {
            before.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        if ADDRESS_SCHEMES.iter().any(|scheme| begins(scheme)) { Self::Address } else { Self::Path }
    }

    /// Appends a value for this part of a URL, percent-encoded except for the unreserved characters
    /// (RFC 3986, 2.1). An address keeps `@` (RFC 6068) and `+` (RFC 3966). A whole URL keeps its
    /// reserved characters and existing percent-encoding.
    pub fn encode(self, value: &str, out: &mut String) {
        let value = match self {
            Self::Start => value.trim(),
            _ => value,
        };
        let bytes = value.as_bytes();
        for (at, byte) in value.bytes().enumerate() {
            let unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            let stays = match self {
                Self::Path | Self::Query => unreserved,
                Self::Address => unreserved || matches!(byte, b'@' | b'+'),
                Self::Start if byte == b'%' => is_encoded(bytes, at),
                Self::Start => unreserved || b":/?#[]@!$&'()*+,;=".contains(&byte),
            };
            if stays {
                out.push(char::from(byte));
            } else {
                percent(byte, out);
            }
        }
    }

    /// Appends fixed text of the template. It is encoded as by [`Self::encode`], but keeps reserved
    /// characters outside of a query.
    pub fn encode_fixed(self, text: &str, out: &mut String) {
        match self {
            Self::Start | Self::Path | Self::Address => Self::Start.encode(text, out),
            Self::Query => self.encode(text, out),
        }
    }
}

/// Returns whether a percent sign starts an encoded byte.
fn is_encoded(bytes: &[u8], at: usize) -> bool {
    let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    is_hex(at + 1) && is_hex(at + 2)
}

fn percent(byte: u8, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().map_or('0', char::from);
    out.extend(['%', digit(byte >> 4), digit(byte & 0xf)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(part: UrlPart, value: &str) -> String {
        let mut out = String::new();
        part.encode(value, &mut out);
        out
    }

    #[test]
    fn a_value_cannot_change_the_structure_of_a_url() {
        for (before, value, result) in [
            ("https://a.example/o?e=", "jane+shop@example.com", "jane%2Bshop%40example.com"),
            ("https://a.example/o?n=", "Tom & Jerry=1&e=x", "Tom%20%26%20Jerry%3D1%26e%3Dx"),
            ("https://a.example/o#", "a?b#c", "a%3Fb%23c"),
            ("https://a.example/o/", "a/b?c#d%2F", "a%2Fb%3Fc%23d%252F"),
            ("https://a.example/o/", "ü\r\n\"<>", "%C3%BC%0D%0A%22%3C%3E"),
            ("https://", "evil.example/", "evil.example%2F"),
            (" MAILTO:", "jane+shop@example.com?bcc=x,y", "jane+shop@example.com%3Fbcc%3Dx%2Cy"),
            ("mailto:a@example.com?subject=", "a+b", "a%2Bb"),
            ("tel:", "+49 30-123", "+49%2030-123"),
            ("", " https://a.example/ü?a=b%20c&d=50% ", "https://a.example/%C3%BC?a=b%20c&d=50%25"),
            ("", "javascript:alert(1)", "javascript:alert(1)"),
            ("", "\tjavascript:x", "javascript:x"),
            ("", "java\tscript:x", "java%09script:x"),
        ] {
            assert_eq!(encoded(UrlPart::after(before), value), result, "{before}{value}");
        }
    }

    #[test]
    fn fixed_text_keeps_path_separators() {
        let mut out = String::new();
        UrlPart::Path.encode_fixed("de/my orders", &mut out);
        UrlPart::Query.encode_fixed("a & b", &mut out);
        assert_eq!(out, "de/my%20ordersa%20%26%20b");
    }
}
