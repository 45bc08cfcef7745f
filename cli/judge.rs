//! What is wrong with a mail as it was rendered: what can only be seen of a mail, not of its template.

use oms_engine::template::{HTML_BYTES_SHOWN, SUBJECT_CHARS_SHOWN};

use crate::preview::Preview;

/// Returns what is wrong with a mail as it was rendered.
pub(crate) fn judge(preview: &Preview) -> Vec<String> {
    let Preview { mail, .. } = preview;
    let mut findings = Vec::new();
    if mail.html.len() > HTML_BYTES_SHOWN {
        let (size, shown) = (mail.html.len() / 1024, HTML_BYTES_SHOWN / 1024);
        findings.push(format!("its HTML has {size} KB, and Gmail hides what comes after {shown}"));
    }
    let characters = mail.subject.chars().count();
    if characters > SUBJECT_CHARS_SHOWN {
        findings.push(format!(
            "its subject has {characters} characters, and few are shown after {SUBJECT_CHARS_SHOWN}"
        ));
    }
    if mail.subject.is_empty() {
        findings.push("it has no subject".to_owned());
    }
    if mail.text.trim().is_empty() {
        findings.push("it has no text part".to_owned());
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_that_gmail_cuts_is_told() {
        let mail = oms_engine::mail::Mail {
            message_id: "a@b".to_owned(),
            from: oms_engine::mail::Mailbox { name: None, address: "a@b.example".to_owned() },
            to: "c@d.example".to_owned(),
            subject: "x".repeat(SUBJECT_CHARS_SHOWN + 1),
            text: String::new(),
            html: "x".repeat(HTML_BYTES_SHOWN + 1),
            date: jiff::Timestamp::UNIX_EPOCH,
            unsubscribe: None,
            attachments: Vec::new(),
        };
        let preview = Preview { key: "k".into(), step: "s".into(), template: "t".into(), mail };
        assert_eq!(judge(&preview).len(), 3);
    }
}
