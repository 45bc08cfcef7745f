//! The addresses of a message for its transport.

/// The sender and the recipient that the mail server receives for a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The sender's address.
    pub from: String,
    /// The recipient's address.
    pub to: String,
    /// Whether a local part has non-ASCII characters, so the server must support SMTPUTF8 (RFC
    /// 6531).
    pub needs_smtputf8: bool,
}

impl std::fmt::Debug for Envelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Envelope")
            .field("beyond_ascii", &self.needs_smtputf8)
            .finish_non_exhaustive()
    }
}

/// Returns an address with its domain in ASCII (IDNA, UTS #46), which every server accepts. An
/// address with non-ASCII characters before the `@` only works between servers that support them,
/// and is not changed. Returns `None` if the domain is invalid.
pub(super) fn with_ascii_domain(address: &str) -> Option<String> {
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
    fn domains_are_in_ascii_unless_the_local_part_is_not() {
        for (address, travels) in [
            ("jane@example.com", Some("jane@example.com")),
            ("jane@bücher.example", Some("jane@xn--bcher-kva.example")),
            ("jane@例子.广告", Some("jane@xn--fsqu00a.xn--4rr70v")),
            ("用户@例子.广告", Some("用户@例子.广告")),
            ("jane@\u{200d}.example", None),
        ] {
            assert_eq!(with_ascii_domain(address).as_deref(), travels, "{address}");
        }
    }
}
