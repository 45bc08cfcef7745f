//! What the attributes of HTML hold, and which addresses a link may lead to.

use super::entity::decoded;

/// What an attribute's value is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Attribute {
    /// A URL that a reader follows.
    Link,
    /// A URL that is loaded.
    Source,
    /// Words that are shown or read out.
    Words,
    /// Declarations of CSS.
    Style,
    /// Anything else.
    #[default]
    Plain,
}

/// Schemes of links that a mail may have. Any other may run a program at the reader's, or lead nowhere.
const LINK_SCHEMES: [&str; 4] = ["http:", "https:", "mailto:", "tel:"];
/// Schemes of what a mail may load, `cid:` being a part of itself (RFC 2392). What has no scheme is not loaded and does no harm.
const SOURCE_SCHEMES: [&str; 4] = ["http:", "https:", "cid:", "data:image/"];

impl Attribute {
    /// Returns what an attribute of this name, in lower case, holds.
    pub(super) fn named(name: &str) -> Self {
        match name.rsplit(':').next().unwrap_or_default() {
            "href" | "action" | "formaction" => Self::Link,
            "src" | "background" | "poster" | "cite" | "longdesc" | "data" => Self::Source,
            "alt" | "title" | "placeholder" | "aria-label" | "aria-description" => Self::Words,
            "style" => Self::Style,
            _ => Self::Plain,
        }
    }

    /// Tells whether an attribute with this value, as it is written in HTML, may stay.
    pub(super) fn allows(self, value: &str) -> bool {
        match self {
            Self::Link => is_link(value),
            Self::Source => {
                let start = beginning(value);
                scheme(&start).is_none() || begins(&start, &SOURCE_SCHEMES)
            }
            Self::Words | Self::Style | Self::Plain => true,
        }
    }
}

/// Tells whether a value of `href`, as it is written in HTML, is a link that a mail may have: one of [`LINK_SCHEMES`], or a place in the mail
/// itself.
pub(super) fn is_link(value: &str) -> bool {
    let start = beginning(value);
    start.starts_with('#') || begins(&start, &LINK_SCHEMES)
}

/// Characters of a value that tell its scheme.
const BEGINNING_CHARS: usize = 32;

/// Returns the beginning of a URL as a browser reads it: character references are read, control characters and spaces before it and
/// line breaks within it are dropped (WHATWG URL, 4.4).
fn beginning(value: &str) -> String {
    let chars = decoded(value).filter(|char| !matches!(char, '\t' | '\n' | '\r'));
    let chars = chars.skip_while(|char| char.is_control() || char.is_whitespace());
    chars.take(BEGINNING_CHARS).collect()
}

fn begins(url: &str, schemes: &[&str]) -> bool {
    let begins = |scheme: &&str| {
        url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    schemes.iter().any(begins)
}

/// Returns the scheme of a URL, if it has one (RFC 3986, 3.1). A reference that was not read may stand for any character.
fn scheme(url: &str) -> Option<&str> {
    let end = url.find([':', '/', '?', '#', '&'])?;
    let (scheme, rest) = url.split_at(end);
    rest.starts_with([':', '&']).then_some(scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_web_to_mail_and_to_telephones() {
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
    fn what_is_loaded_is_a_picture() {
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
