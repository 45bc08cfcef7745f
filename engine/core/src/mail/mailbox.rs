//! [`Mailbox`]: an address with an optional name, as in `Orders <orders@example.com>`.

use std::fmt;

/// The reason why a text is not a mailbox. It does not repeat the text, which may be personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailboxError {
    /// The address is invalid.
    #[error(
        "must be an e-mail address, or a name and an address as in `Orders <orders@example.com>`"
    )]
    Address,
    /// The name has characters that are only allowed in a quoted name.
    #[error(
        "the name before the address must be quoted, as in `\"Orders, Inc.\" <orders@example.com>`"
    )]
    Name,
    /// The text has a line break or another control character.
    #[error("must not contain control characters")]
    Control,
}

/// The `specials` of RFC 5322, except the dot, which many names contain unquoted (`obs-phrase`). A
/// name with any of these characters must be quoted.
const SPECIALS: &[char] = &['(', ')', '<', '>', '[', ']', ':', ';', '@', '\\', ',', '"'];

/// An address with or without a name.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Mailbox {
    /// The name that mail programs show.
    pub name: Option<String>,
    /// The address: a mailbox of RFC 5321.
    pub address: String,
}

impl Mailbox {
    /// Parses `orders@example.com`, `Orders <orders@example.com>` or
    /// `"Orders, Inc." <orders@example.com>`.
    ///
    /// # Errors
    /// Returns an error if the address is invalid, the name must be quoted, or there are control
    /// characters.
    pub fn parse(text: &str) -> Result<Self, MailboxError> {
        if text.chars().any(char::is_control) {
            return Err(MailboxError::Control);
        }
        let text = text.trim();
        let (name, address) = match text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
            Some((name, address)) => (unquoted(name.trim())?, address.trim()),
            None => (String::new(), text),
        };
        if address.parse::<lettre::Address>().is_err() {
            return Err(MailboxError::Address);
        }
        Ok(Self { name: Some(name).filter(|name| !name.is_empty()), address: address.to_owned() })
    }
}

impl Mailbox {
    /// Returns the domain of the address in ASCII (IDNA).
    ///
    /// # Errors
    /// Returns an error if the domain is missing or invalid.
    pub fn domain(&self) -> Result<String, MailboxError> {
        let (_, domain) = self.address.rsplit_once('@').ok_or(MailboxError::Address)?;
        idna::domain_to_ascii(domain).map_err(|_| MailboxError::Address)
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("«mailbox»")
    }
}

/// Removes the quotes from a name (RFC 5322 quoted-string).
fn unquoted(name: &str) -> Result<String, MailboxError> {
    let Some(rest) = name.strip_prefix('"') else {
        return if name.contains(SPECIALS) { Err(MailboxError::Name) } else { Ok(name.to_owned()) };
    };
    let inner = rest.strip_suffix('"').ok_or(MailboxError::Name)?;
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => plain.push(chars.next().ok_or(MailboxError::Name)?),
            '"' => return Err(MailboxError::Name),
            other => plain.push(other),
        }
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_parsed() {
        for (text, name, address) in [
            ("orders@example.com", None, "orders@example.com"),
            ("<orders@example.com>", None, "orders@example.com"),
            ("Orders <orders@example.com>", Some("Orders"), "orders@example.com"),
            ("\"Orders, Inc.\" <o@example.com>", Some("Orders, Inc."), "o@example.com"),
            (r#""The \"Shop\"" <o@example.com>"#, Some("The \"Shop\""), "o@example.com"),
            ("注文 <o@example.com>", Some("注文"), "o@example.com"),
            ("O'Brien <o'brien@example.com>", Some("O'Brien"), "o'brien@example.com"),
        ] {
            let mailbox = Mailbox::parse(text).unwrap();
            assert_eq!(
                (mailbox.name.as_deref(), mailbox.address.as_str()),
                (name, address),
                "{text}"
            );
        }
    }

    #[test]
    fn a_text_that_is_not_a_single_mailbox_is_rejected() {
        use MailboxError::{Address, Control, Name};
        for (text, error) in [
            ("", Address),
            ("Orders", Address),
            ("Orders <>", Address),
            ("a@example.com, b@example.com", Address),
            ("a@example.com <b@example.com>", Name),
            ("Orders, Inc. <o@example.com>", Name),
            ("\"Orders\" x\" <o@example.com>", Name),
            ("Orders\r\nBcc: x@example.org <o@example.com>", Control),
            ("Orders <o@example.com>\u{0}", Control),
        ] {
            assert_eq!(Mailbox::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn debug_output_has_no_personal_data() {
        let mailbox = Mailbox::parse("Jane Doe <jane@example.com>").unwrap();
        assert_eq!(format!("{mailbox:?}"), "«mailbox»");
    }
}
