//! [`Mailbox`]: an address, perhaps with a name, as in `Orders <orders@example.com>`.

use std::fmt;

/// Why a text is no mailbox. The text is not repeated: it may be personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailboxError {
    /// The address is none.
    #[error(
        "must be an e-mail address, or a name and an address as in `Orders <orders@example.com>`"
    )]
    Address,
    /// The name holds what only a quoted name may hold.
    #[error(
        "the name before the address must be quoted, as in `\"Orders, Inc.\" <orders@example.com>`"
    )]
    Name,
    /// It holds a line break or another control character.
    #[error("must not contain control characters")]
    Control,
}

/// Characters that RFC 5322 calls specials; a name that has one must be quoted.
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
    /// Reads `orders@example.com`, `Orders <orders@example.com>` or `"Orders, Inc." <orders@example.com>`.
    ///
    /// # Errors
    /// When the address is none, the name needs quotes, or there are control characters.
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
    /// Returns the address's domain as it travels: in ASCII (IDNA).
    ///
    /// # Errors
    /// When it has none.
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

/// Takes the quotes off a name (RFC 5322 quoted-string).
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
    fn names_and_addresses_are_read() {
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
    fn what_is_not_one_mailbox_is_refused() {
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
    fn debug_output_names_nobody() {
        let mailbox = Mailbox::parse("Jane Doe <jane@example.com>").unwrap();
        assert_eq!(format!("{mailbox:?}"), "«mailbox»");
    }
}
