//! [`Mail`] and its RFC 5322 form.

use std::fmt;
use std::time::SystemTime;

use jiff::Timestamp;
use lettre::message::header::{ContentType, Subject};
use lettre::message::{Message, MultiPart};

use super::envelope::{Envelope, with_ascii_domain};
use super::header::{encoded, must_be_encoded};
use super::mime::{boundary_of, bytes_max, part, raw, raw_from};
use super::{Attachment, Mailbox, Unsubscribe};

/// The maximum size of a complete message in bytes.
pub const MAIL_BYTES_MAX: usize = 10 * 1024 * 1024;

/// The maximum number of characters of a subject. Folded, such a subject fits the lines of RFC
/// 5322.
const SUBJECT_CHARS_MAX: usize = 998;

/// The maximum number of bytes of a Message-ID, so its line has at most 998 bytes (RFC 5322).
const MESSAGE_ID_BYTES_MAX: usize = 900;

/// Returns the Message-ID, without angle brackets, of the e-mail with this idempotency key and
/// sender domain.
pub fn message_id(key: &str, domain: &str) -> String {
    format!("{key}@{domain}")
}

/// A rendered e-mail to one person.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// The Message-ID without its angle brackets. It is the same on every attempt.
    pub message_id: String,
    /// The sender.
    pub from: Mailbox,
    /// The checked address of the recipient.
    pub to: String,
    /// The subject, a single line.
    pub subject: String,
    /// The body as plain text.
    pub text: String,
    /// The body as HTML.
    pub html: String,
    /// The date in the `Date` header.
    pub date: Timestamp,
    /// How the recipient can unsubscribe.
    pub unsubscribe: Option<Unsubscribe>,
    /// The attached files.
    pub attachments: Vec<Attachment>,
}

/// The reason why an e-mail cannot be written as a message. It does not repeat the content, which
/// is personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// An address is invalid.
    #[error("`{0}` of the e-mail is not a valid address")]
    Address(&'static str),
    /// A header would contain a line break or another control character.
    #[error("`{0}` of the e-mail contains control characters")]
    Control(&'static str),
    /// The Message-ID is not allowed in a header.
    #[error("the Message-ID of the e-mail is malformed")]
    MessageId,
    /// The subject is too long for a header.
    #[error("the subject of the e-mail is longer than {SUBJECT_CHARS_MAX} characters")]
    SubjectLength,
    /// The date is before 1970, which the library cannot write in a `Date` header.
    #[error("the date of the e-mail is before 1970")]
    Date,
    /// The message is too large.
    #[error("the e-mail is larger than {MAIL_BYTES_MAX} bytes")]
    TooLarge,
    /// The library rejected the headers.
    #[error("the headers of the e-mail are invalid")]
    Headers,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail")
            .field("message_id", &self.message_id)
            .field("to", &format_args!("«email»"))
            .field("subject", &format_args!("«text»"))
            .field("text_bytes", &self.text.len())
            .field("html_bytes", &self.html.len())
            .field("attachments", &self.attachments.len())
            .field("date", &self.date)
            .finish_non_exhaustive()
    }
}

impl Mail {
    /// Returns the complete message: headers, bodies and attachments, in lines of at most 998 bytes
    /// that end with CRLF. The same e-mail always results in the same bytes.
    ///
    /// # Errors
    /// Returns an error if a header would be malformed or the message is too large. Only the latter
    /// can happen for an e-mail made from checked parts.
    pub fn to_rfc5322(&self) -> Result<Vec<u8>, MailError> {
        // Encoding never makes the content smaller, so this check avoids encoding large content for
        // nothing.
        if self.content_bytes() > MAIL_BYTES_MAX {
            return Err(MailError::TooLarge);
        }
        self.check_headers()?;
        let from_address = address(&self.from.address, "from")?;
        let to_address = address(&self.to, "to")?;
        let envelope =
            lettre::address::Envelope::new(Some(from_address.clone()), vec![to_address.clone()])
                .map_err(|_| MailError::Headers)?;
        let bodies = MultiPart::alternative()
            .boundary(self.boundary("alternative"))
            .singlepart(part(ContentType::TEXT_PLAIN, &self.text))
            .singlepart(part(ContentType::TEXT_HTML, &self.html));
        let parts = match self.attachments.as_slice() {
            [] => bodies,
            attachments => attachments.iter().fold(
                MultiPart::mixed().boundary(self.boundary("mixed")).multipart(bodies),
                |parts, attachment| parts.singlepart(attachment.part()),
            ),
        };
        let message = Message::builder()
            .envelope(envelope)
            .raw_header(raw("Message-ID", format!("<{}>", self.message_id)))
            .date(SystemTime::from(self.date));
        let message = match self.from.name.as_deref().filter(|name| must_be_encoded(name)) {
            Some(name) => {
                let name = encoded("From", name);
                let written = format!("{name}\r\n <{from_address}>");
                message.raw_header(raw_from(from_address.as_ref(), written))
            }
            None => {
                message.from(lettre::message::Mailbox::new(self.from.name.clone(), from_address))
            }
        };
        let message = message.to(to_address.into());
        let message = match must_be_encoded(&self.subject) {
            true => message.raw_header(raw("Subject", encoded("Subject", &self.subject))),
            false => message.header(Subject::from(self.subject.clone())),
        };
        let mut message = message.raw_header(raw("Auto-Submitted", "auto-generated".to_owned()));
        for (name, value) in self.unsubscribe.iter().flat_map(Unsubscribe::headers) {
            message = message.raw_header(raw(name, value));
        }
        let message = message.multipart(parts).map_err(|_| MailError::Headers)?.formatted();
        if message.len() > MAIL_BYTES_MAX { Err(MailError::TooLarge) } else { Ok(message) }
    }

    /// Checks that [`Mail::to_rfc5322`] will succeed. It writes the message only if it might be too
    /// large.
    ///
    /// # Errors
    /// Returns the same errors as [`Mail::to_rfc5322`].
    pub fn check(&self) -> Result<(), MailError> {
        // A byte of a subject or name takes up at most three bytes, and folding adds at most a
        // fifth.
        const HEADERS_MAX: usize = 32 * 1024;
        let name = self.from.name.as_ref().map_or(0, String::len);
        // No encoding makes a text more than four times as large: quoted-printable takes three
        // bytes for one, and three more for each line of 72. With this bound, most e-mails are
        // accepted without measuring their texts.
        let small = self.content_bytes().saturating_add(name + 1024 * self.attachments.len());
        if small.saturating_mul(4) > MAIL_BYTES_MAX - HEADERS_MAX {
            let bodies = [&self.text, &self.html].into_iter().map(|body| bytes_max(body));
            let attached = self.attachments.iter().map(Attachment::bytes_max);
            let largest =
                bodies.chain(attached).fold(HEADERS_MAX + 4 * name, usize::saturating_add);
            if largest > MAIL_BYTES_MAX {
                return self.to_rfc5322().map(drop);
            }
        }
        self.check_headers()?;
        address(&self.from.address, "from")?;
        address(&self.to, "to").map(drop)
    }

    /// Returns the addresses for the mail server.
    ///
    /// # Errors
    /// Returns an error if one of them is invalid.
    pub fn envelope(&self) -> Result<Envelope, MailError> {
        let [from, to] = [
            address(&self.from.address, "from")?.to_string(),
            address(&self.to, "to")?.to_string(),
        ];
        let beyond_ascii = !(from.is_ascii() && to.is_ascii());
        Ok(Envelope { from, to, needs_smtputf8: beyond_ascii })
    }

    fn content_bytes(&self) -> usize {
        let attached = self.attachments.iter().map(|attachment| attachment.content.len());
        attached.fold(self.text.len().saturating_add(self.html.len()), usize::saturating_add)
    }

    /// Rejects values that are not allowed in a header. The values were already checked at their
    /// source. This check, at the place where headers are written, guarantees that no value can add
    /// a header.
    fn check_headers(&self) -> Result<(), MailError> {
        let from_name = self.from.name.as_deref().unwrap_or_default();
        for (header, value) in [
            ("from", from_name),
            ("from", &self.from.address),
            ("to", &self.to),
            ("subject", &self.subject),
        ] {
            if value.chars().any(char::is_control) {
                return Err(MailError::Control(header));
            }
        }
        if self.subject.chars().count() > SUBJECT_CHARS_MAX {
            return Err(MailError::SubjectLength);
        }
        let id_is_plain = self.message_id.bytes().all(|byte| byte.is_ascii_graphic())
            && !self.message_id.contains(['<', '>'])
            && self.message_id.split_once('@').is_some_and(|(left, right)| {
                !left.is_empty() && !right.is_empty() && !right.contains('@')
            });
        if !id_is_plain || self.message_id.len() > MESSAGE_ID_BYTES_MAX {
            return Err(MailError::MessageId);
        }
        if self.date >= Timestamp::UNIX_EPOCH { Ok(()) } else { Err(MailError::Date) }
    }

    /// Returns the boundary between the parts. It is derived from the Message-ID, which a customer
    /// may know. If a part contains this boundary, it is derived from the whole content instead,
    /// because no part can contain the digest of the whole content.
    fn boundary(&self, level: &str) -> String {
        let boundary = boundary_of(&[level, &self.message_id]);
        let attached = self.attachments.iter().map(|attachment| attachment.content.as_str());
        let mut parts = [self.text.as_str(), self.html.as_str()].into_iter().chain(attached);
        if !parts.clone().any(|part| part.contains(&boundary)) {
            return boundary;
        }
        let whole: Vec<&str> = [level, &self.message_id].into_iter().chain(&mut parts).collect();
        boundary_of(&whole)
    }
}

/// Parses an address, with its domain in ASCII.
fn address(text: &str, name: &'static str) -> Result<lettre::Address, MailError> {
    let travels = with_ascii_domain(text).ok_or(MailError::Address(name))?;
    travels.parse().map_err(|_| MailError::Address(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail() -> Mail {
        Mail {
            message_id: "3f2a.confirm@storefront.oms".to_owned(),
            from: Mailbox::parse("Orders <orders@example.com>").unwrap(),
            to: "jane@example.com".to_owned(),
            subject: "Order NW-10248".to_owned(),
            text: "Hello Jane\n".to_owned(),
            html: "<p>Hello Jane</p>\n".to_owned(),
            date: "2025-06-02T10:00:00Z".parse().unwrap(),
            unsubscribe: None,
            attachments: Vec::new(),
        }
    }

    fn written(mail: &Mail) -> String {
        let bytes = mail.to_rfc5322().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        for line in text.split("\r\n") {
            assert!(line.len() <= 998, "a line of {} bytes", line.len());
            assert!(!line.contains(['\r', '\n']), "a bare line end in {line:?}");
        }
        text
    }

    /// Returns the unfolded header lines up to the first empty line.
    fn headers(message: &str) -> Vec<String> {
        let head = message.split("\r\n\r\n").next().unwrap();
        head.replace("\r\n ", " ").split("\r\n").map(str::to_owned).collect()
    }

    fn header(message: &str, name: &str) -> String {
        let prefix = format!("{name}: ");
        let found: Vec<_> = headers(message)
            .iter()
            .filter_map(|h| h.strip_prefix(&prefix).map(str::to_owned))
            .collect();
        assert_eq!(found.len(), 1, "{name} in {message}");
        found[0].clone()
    }

    /// Decodes RFC 2047 words in base64, the only form that `lettre` writes.
    fn decoded(value: &str) -> String {
        let mut bytes = Vec::new();
        let mut rest = value;
        let mut after_word = false;
        while let Some((before, word)) = rest.split_once("=?utf-8?b?") {
            // White space between two encoded words is not part of the text.
            if !(after_word && before.trim().is_empty()) {
                bytes.extend(before.bytes());
            }
            after_word = true;
            let (word, after) = word.split_once("?=").unwrap();
            bytes.extend(base64(word));
            rest = after;
        }
        bytes.extend(rest.bytes());
        String::from_utf8(bytes).unwrap()
    }

    fn base64(text: &str) -> Vec<u8> {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut bytes = Vec::new();
        let (mut bits, mut count) = (0u32, 0);
        for byte in text.bytes().filter(|byte| *byte != b'=' && !byte.is_ascii_whitespace()) {
            bits = bits << 6 | ALPHABET.iter().position(|a| *a == byte).unwrap() as u32;
            count += 6;
            if count >= 8 {
                count -= 8;
                bytes.push((bits >> count) as u8);
            }
        }
        bytes
    }

    #[test]
    fn a_mail_becomes_a_complete_message() {
        assert_eq!(
            written(&mail()).replace("\r\n", "\n"),
            "Message-ID: <3f2a.confirm@storefront.oms>\n\
             Date: Mon, 02 Jun 2025 10:00:00 +0000\n\
             From: Orders <orders@example.com>\n\
             To: jane@example.com\n\
             Subject: Order NW-10248\n\
             Auto-Submitted: auto-generated\n\
             MIME-Version: 1.0\n\
             Content-Type: multipart/alternative;\n \
             boundary=\"oms_d9942866ee2fcde658444df51ce0122f\"\n\
             \n\
             --oms_d9942866ee2fcde658444df51ce0122f\n\
             Content-Type: text/plain; charset=utf-8\n\
             Content-Transfer-Encoding: 7bit\n\
             \n\
             Hello Jane\n\
             \n\
             --oms_d9942866ee2fcde658444df51ce0122f\n\
             Content-Type: text/html; charset=utf-8\n\
             Content-Transfer-Encoding: 7bit\n\
             \n\
             <p>Hello Jane</p>\n\
             \n\
             --oms_d9942866ee2fcde658444df51ce0122f--\n"
        );
    }

    #[test]
    fn the_same_mail_gives_the_same_bytes() {
        assert_eq!(mail().to_rfc5322(), mail().to_rfc5322());
    }

    #[test]
    fn names_and_subjects_in_any_script_can_be_decoded() {
        let long = "ご注文ありがとうございます。".repeat(20);
        for subject in ["ご注文 NW-1 の確認", "تأكيد الطلب", "Größe: Ω", long.as_str(), "x"]
        {
            for name in ["注文係", "خدمة العملاء", "Ørsted & Søn, \"A\\B\"", "abc"]
            {
                let mut mail = mail();
                mail.subject = subject.to_owned();
                mail.from.name = Some(name.to_owned());
                let message = written(&mail);
                assert!(message.is_ascii());
                if !subject.is_ascii() {
                    assert_eq!(decoded(&header(&message, "Subject")), subject);
                }
                let from = decoded(&header(&message, "From"));
                assert!(from.contains("<orders@example.com>"), "{from}");
                if !name.is_ascii() {
                    assert!(from.starts_with(name), "{from}");
                }
            }
        }
    }

    #[test]
    fn texts_that_look_like_encoded_words_are_encoded() {
        let long = "x".repeat(998);
        for text in ["=?utf-8?q?You_won!?=", "a =?b", long.as_str()] {
            let mut mail = mail();
            mail.subject = text.to_owned();
            mail.from.name = Some(text.to_owned());
            let message = written(&mail);
            assert_eq!(header(&message, "Subject").replace("?= =?utf-8?q?", ""), in_words(text));
            let from = header(&message, "From").replace("?= =?utf-8?q?", "");
            assert_eq!(from, format!("{} <orders@example.com>", in_words(text)));
        }
    }

    /// Returns a text as a single encoded word, regardless of its length.
    fn in_words(text: &str) -> String {
        let text = text.replace('=', "=3D").replace('?', "=3F").replace('_', "=5F");
        format!("=?utf-8?q?{}?=", text.replace(' ', "_"))
    }

    #[test]
    fn no_value_can_add_a_header() {
        type Mutation = fn(&mut Mail);
        let cases: [(Mutation, MailError); 8] = [
            (|m| m.subject = "Hi\r\nBcc: x@example.org".to_owned(), MailError::Control("subject")),
            (|m| m.subject = "Hi\u{85}there".to_owned(), MailError::Control("subject")),
            (|m| m.from.name = Some("A\nBcc: b".to_owned()), MailError::Control("from")),
            (|m| m.from.address = "a@b.c\r\nBcc: d".to_owned(), MailError::Control("from")),
            (|m| m.to = "a@example.com\nBcc: x@example.org".to_owned(), MailError::Control("to")),
            (|m| m.to = "a@example.com, b@example.com".to_owned(), MailError::Address("to")),
            (|m| m.message_id = "a@b>\r\nBcc: <c".to_owned(), MailError::MessageId),
            (|m| m.message_id = "a b@c".to_owned(), MailError::MessageId),
        ];
        for (spoil, error) in cases {
            let mut mail = mail();
            spoil(&mut mail);
            assert_eq!(mail.to_rfc5322(), Err(error));
        }
    }

    #[test]
    fn a_body_that_contains_the_boundary_stays_one_part() {
        let mut mail = mail();
        let boundary = mail.boundary("alternative");
        mail.text =
            format!("x\n--{boundary}\nContent-Type: text/html\n\n<b>forged</b>\n--{boundary}--\n");
        let message = written(&mail);
        let used = mail.boundary("alternative");
        assert_ne!(used, boundary);
        let delimiter = format!("--{used}");
        let delimiters = message.split("\r\n").filter(|l| l.starts_with(&delimiter));
        assert_eq!(delimiters.count(), 3, "two parts and the end");
        assert!(message.contains(&format!("boundary=\"{used}\"")));
    }

    #[test]
    fn bodies_with_long_lines_and_control_characters_are_encoded() {
        let mut mail = mail();
        mail.text = "x".repeat(5000);
        mail.html = "a\u{0}b\rc\u{1b}[0m".to_owned();
        let message = written(&mail);
        assert_eq!(message.matches("quoted-printable").count(), 2, "{message}");
        assert!(message.contains("a=00b\r\nc=1B[0m"), "{message}");
    }

    #[test]
    fn a_mail_of_very_many_lines_is_checked_and_written() {
        let mut mail = mail();
        // This took minutes when each line ending was inserted individually and moved the rest of
        // the text.
        mail.text = "a line of the list\n".repeat(200_000);
        mail.html = "<p>a line of the list</p>\n".repeat(100_000);
        mail.attachments =
            vec![Attachment { name: "list.csv".to_owned(), content: "a,b\n".repeat(100_000) }];
        assert_eq!(mail.check(), Ok(()));
        assert!(mail.to_rfc5322().unwrap().len() > mail.content_bytes());
    }

    #[test]
    fn the_check_accepts_exactly_the_mails_that_can_be_written() {
        let mut mail = mail();
        for (character, count, fits) in [
            ("x", MAIL_BYTES_MAX * 9 / 10, true),
            ("ü", MAIL_BYTES_MAX / 8, true),
            ("x", MAIL_BYTES_MAX * 99 / 100, false),
        ] {
            mail.text = character.repeat(count);
            assert_eq!(mail.check().is_ok(), fits, "{character} {count}");
            assert_eq!(mail.to_rfc5322().is_ok(), fits, "{character} {count}");
        }
    }

    #[test]
    fn an_address_with_non_ascii_letters_is_written() {
        let mut mail = mail();
        mail.to = "用户@例子.广告".to_owned();
        assert!(written(&mail).contains("To: 用户@例子.广告"));
    }

    #[test]
    fn a_mail_that_is_too_large_or_too_old_is_rejected() {
        let mut large = mail();
        large.html = "x".repeat(MAIL_BYTES_MAX);
        assert_eq!(large.to_rfc5322(), Err(MailError::TooLarge));
        for (date, fits) in [
            (Timestamp::MIN, false),
            (Timestamp::new(-1, 0).unwrap(), false),
            (Timestamp::UNIX_EPOCH, true),
            (Timestamp::MAX, true),
        ] {
            let mut mail = mail();
            mail.date = date;
            assert_eq!(mail.to_rfc5322().is_ok(), fits, "{date}");
        }
    }

    #[test]
    fn debug_output_has_no_personal_data() {
        let text = format!("{:?}", mail());
        for secret in ["jane", "Jane", "NW-10248", "orders@"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
