//! Addresses as they travel.

/// Who a mail server is told that a message is from and for.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The sender's address.
    pub from: String,
    /// The recipient's address.
    pub to: String,
    /// Whether one of them has letters beyond ASCII before the `@`, so that the server must know SMTPUTF8 (RFC 6531).
    pub beyond_ascii: bool,
}

impl std::fmt::Debug for Envelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Envelope").field("beyond_ascii", &self.beyond_ascii).finish_non_exhaustive()
    }
}

/// Returns an address as every server takes it: its domain in ASCII (IDNA, UTS #46). One with letters beyond ASCII before the `@` only travels between
/// servers that know them, and stays as it is. Nothing if the domain is none.
pub(super) fn travelling(address: &str) -> Option<String> {
    if address.is_ascii() {
        return Some(address.to_owned());
    }
    let (local, domain) = address.rsplit_once('@')?;
    if !local.is_ascii() {
        return Some(address.to_owned());
    }
    let domain = idna::domain_to_ascii(domain).ok().filter(|domain| !domain.is_empty())?;
    Some(format!("{local}@{domain}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_travel_in_ascii_unless_the_local_part_cannot() {
        for (address, travels) in [
            ("jane@example.com", Some("jane@example.com")),
            ("jane@bücher.example", Some("jane@xn--bcher-kva.example")),
            ("jane@例子.广告", Some("jane@xn--fsqu00a.xn--4rr70v")),
            ("用户@例子.广告", Some("用户@例子.广告")),
            ("jane@\u{200d}.example", None),
        ] {
            assert_eq!(travelling(address).as_deref(), travels, "{address}");
        }
    }
}
