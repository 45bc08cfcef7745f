//! [`Unsubscribe`]: how the recipient can unsubscribe.

use std::fmt::Write as _;

use fluent_uri::Uri;

/// The maximum number of bytes of an unsubscribe address, so its line has at most 998 bytes (RFC
/// 5322).
const URL_BYTES_MAX: usize = 900;

/// The reason why a text is not an unsubscribe address. It does not repeat the text, which may be
/// personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsubscribeError {
    /// It is not a URI.
    #[error("it is not a URI")]
    NotUri,
    /// It is neither an `https:` address with a host nor a `mailto:` address, or it is a `mailto:`
    /// address for one-click unsubscription.
    #[error("it must begin with `https://` or `mailto:`")]
    Scheme,
    /// It does not fit into a header.
    #[error("it has more than {URL_BYTES_MAX} bytes")]
    TooLong,
}

/// The address for unsubscribing (`List-Unsubscribe`, RFC 2369), and whether a single `POST` is
/// enough (RFC 8058).
#[derive(Clone, PartialEq, Eq)]
pub struct Unsubscribe {
    url: String,
    one_click: bool,
}

impl std::fmt::Debug for Unsubscribe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The address may identify the recipient.
        f.debug_struct("Unsubscribe").field("one_click", &self.one_click).finish_non_exhaustive()
    }
}

impl Unsubscribe {
    /// Creates it from an `https:` or `mailto:` address. One-click unsubscription needs `https:`.
    ///
    /// # Errors
    /// Returns an error if the address is not such a URI, or is too long for a header.
    pub fn new(url: &str, one_click: bool) -> Result<Self, UnsubscribeError> {
        if url.len() > URL_BYTES_MAX {
            return Err(UnsubscribeError::TooLong);
        }
        let uri = Uri::parse(url).map_err(|_| UnsubscribeError::NotUri)?;
        match uri.scheme().as_str() {
            "https" if uri.authority().is_some() => {}
            "mailto" if !one_click => {}
            _ => return Err(UnsubscribeError::Scheme),
        }
        Ok(Self { url: url.to_owned(), one_click })
    }

    /// Creates it from an address that values were filled into. Characters that are not allowed in
    /// a URI are percent-encoded (RFC 3986, 2.1).
    ///
    /// # Errors
    /// Returns the same errors as [`Unsubscribe::new`].
    pub fn encoded(url: &str, one_click: bool) -> Result<Self, UnsubscribeError> {
        let hex = |at: usize| url.as_bytes().get(at).is_some_and(u8::is_ascii_hexdigit);
        let fits = |at: usize, byte: u8| match byte {
            b'%' => hex(at + 1) && hex(at + 2),
            byte => byte.is_ascii_alphanumeric() || b"-._~:/?@!$&'()*+,;=".contains(&byte),
        };
        let mut encoded = String::with_capacity(url.len());
        for (at, byte) in url.bytes().enumerate() {
            match fits(at, byte) {
                true => encoded.push(char::from(byte)),
                // Writing to a string cannot fail.
                false => drop(write!(encoded, "%{byte:02X}")),
            }
        }
        Self::new(&encoded, one_click)
    }

    /// Returns the address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns whether a single `POST` is enough.
    pub const fn is_one_click(&self) -> bool {
        self.one_click
    }

    /// Returns the headers.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&'static str, String)> {
        let post = ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned());
        let list = ("List-Unsubscribe", format!("<{}>", self.url));
        std::iter::once(list).chain(self.one_click.then_some(post))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filled_in_values_stay_within_the_address() {
        for value in ["100%", "50%off", "a[1]", "#1 #2", "%zz", "a\u{0}b", "\u{7f}"] {
            let url = format!("https://example.com/stop?c={value}&x=1");
            assert!(Unsubscribe::encoded(&url, true).is_ok(), "{value:?}");
        }
        let url = Unsubscribe::encoded("https://example.com/stop?c=ü <b>\r\nBcc: x", true).unwrap();
        assert_eq!(url.url(), "https://example.com/stop?c=%C3%BC%20%3Cb%3E%0D%0ABcc:%20x");
    }

    #[test]
    fn only_valid_addresses_are_accepted() {
        use UnsubscribeError::{NotUri, Scheme, TooLong};
        let long = format!("https://example.com/{}", "x".repeat(URL_BYTES_MAX));
        for (url, one_click, error) in [
            ("https://example.com/u?c=1", true, None),
            ("mailto:stop@example.com?subject=stop", false, None),
            ("mailto:stop@example.com", true, Some(Scheme)),
            ("http://example.com/u", false, Some(Scheme)),
            ("https:u", false, Some(Scheme)),
            ("https://example.com/> <b", false, Some(NotUri)),
            ("https://example.com/\r\nBcc: x", false, Some(NotUri)),
            ("https://example.com/ü", false, Some(NotUri)),
            ("/u", false, Some(NotUri)),
            (long.as_str(), false, Some(TooLong)),
        ] {
            assert_eq!(Unsubscribe::new(url, one_click).err(), error, "{url}");
        }
    }
}
