//! Kinds of HTML attributes, and the URLs that a link may have.

use super::entity::decoded;

/// The kind of an attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Attribute {
    /// The URL of a link.
    Link,
    /// The URL of an image or another resource.
    Source,
    /// Text for readers or screen readers.
    Text,
    /// CSS declarations.
    Style,
    /// Any other attribute.
    #[default]
    Plain,
}

/// Schemes that are allowed in links. Other schemes can run code in a webmail client or do not work
/// in e-mails.
pub(super) const LINK_SCHEMES: [&str; 4] = ["http:", "https:", "mailto:", "tel:"];
/// Schemes that are allowed for resources. `cid:` refers to a part of the e-mail (RFC 2392). A URL
/// without a scheme does not load in an e-mail and is harmless.
const SOURCE_SCHEMES: [&str; 4] = ["http:", "https:", "cid:", "data:image/"];

impl Attribute {
    /// Returns the kind of the attribute with this lower-case name.
    pub(super) fn named(name: &str) -> Self {
        match name.rsplit(':').next().unwrap_or_default() {
            "href" | "action" | "formaction" | "ping" => Self::Link,
            "src" | "srcset" | "background" | "poster" | "cite" | "longdesc" | "data" => {
                Self::Source
            }
            "alt" | "title" | "placeholder" | "aria-label" | "aria-description" => Self::Text,
            "style" => Self::Style,
            _ => Self::Plain,
        }
    }

    /// Returns whether an attribute may have this value. `value` is the HTML source of the value.
    pub(super) fn allows(self, value: &str) -> bool {
        match self {
            Self::Link => is_link(value),
            Self::Source => {
                let start = url_start(value);
                scheme(&start).is_none() || has_scheme(&start, &SOURCE_SCHEMES)
            }
            Self::Text | Self::Style | Self::Plain => true,
        }
    }
}

/// Returns whether the HTML source of an `href` value is an allowed link: it has one of
/// [`LINK_SCHEMES`] or points to an anchor in the e-mail.
pub(super) fn is_link(value: &str) -> bool {
    let start = url_start(value);
    start.starts_with('#') || has_scheme(&start, &LINK_SCHEMES)
}

/// Number of characters that are examined to find the scheme.
const START_CHARS: usize = 32;

/// Returns the start of a URL as a browser parses it (WHATWG URL, 4.4). Decodes character
/// references. Removes leading control characters and spaces, and all tabs and line breaks.
fn url_start(value: &str) -> String {
    let chars = decoded(value).filter(|char| !matches!(char, '\t' | '\n' | '\r'));
    let chars = chars.skip_while(|char| char.is_control() || char.is_whitespace());
    chars.take(START_CHARS).collect()
}

fn has_scheme(url: &str, schemes: &[&str]) -> bool {
    let begins = |scheme: &&str| {
        url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    schemes.iter().any(begins)
}

/// Returns the scheme of a URL, if it has one (RFC 3986, 3.1). An undecoded character reference may
/// represent a colon.
fn scheme(url: &str) -> Option<&str> {
    let end = url.find([':', '/', '?', '#', '&'])?;
    let (scheme, rest) = url.split_at(end);
    rest.starts_with([':', '&']).then_some(scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_allowed_schemes_are_links() {
        for url in [
            "https://a.example/",
            "HTTP://a.example",
            " mailto:a@example.com",
            "tel:+4930123",
            "#top",
            "\nhttps&#58;//a.example",
            "&#x68;ttps://a.example",
            "ht\ntps://a.example",
        ] {
            assert!(is_link(url), "{url:?}");
        }
        for url in [
            "",
            "javascript:alert(1)",
            " JaVaScRiPt:alert(1)",
            "java\tscript:alert(1)",
            "\u{1}javascript:alert(1)",
            "java&#115;cript:alert(1)",
            "&#106avascript:alert(1)",
            "javascript&colon;alert(1)",
            "&Tab;javascript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            "blob:https://a.example",
            "//a.example",
            "/orders",
            "orders",
            "https",
            "httpsx://a.example",
        ] {
            assert!(!is_link(url), "{url:?}");
        }
    }

    #[test]
    fn resources_have_allowed_schemes() {
        for (url, allowed) in [
            ("https://a.example/x.png", true),
            ("cid:logo@example.com", true),
            ("data:image/png;base64,AAAA", true),
            ("logo.png", true),
            ("", true),
            ("javascript:alert(1)", false),
            ("javascript&colon;alert(1)", false),
            ("data:text/html,x", false),
        ] {
            assert_eq!(Attribute::Source.allows(url), allowed, "{url}");
        }
    }
}
