//! The parts of an e-mail that a command can write.

use oms_engine::mail::Mail;

use crate::output;

/// A part of an e-mail.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EmailPart {
    /// Complete message
    Eml,
    /// HTML part
    Html,
    /// Plain text part
    Text,
    /// Subject
    Subject,
}

impl EmailPart {
    /// Writes the part to standard output.
    ///
    /// # Errors
    /// Returns an error if the message cannot be created or written.
    pub(crate) fn write(self, mail: &Mail) -> anyhow::Result<()> {
        match self {
            Self::Eml => output::result_bytes(&mail.to_rfc5322()?),
            Self::Html => output::result_content(&mail.html),
            Self::Text => output::result_content(&mail.text),
            Self::Subject => output::result_content(&format!("{}\n", mail.subject)),
        }
    }
}
