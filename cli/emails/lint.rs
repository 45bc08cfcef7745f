//! Findings that only a rendered e-mail shows, and not its template.

use oms_engine::template::{HTML_BYTES_SHOWN, SUBJECT_CHARS_SHOWN};

use crate::emails::preview::Preview;

/// Returns the findings in a rendered e-mail.
pub(crate) fn lint(preview: &Preview) -> Vec<String> {
    let Preview { mail, .. } = preview;
    let mut findings = Vec::new();
    if mail.html.len() > HTML_BYTES_SHOWN {
        let (size, shown) = (mail.html.len() / 1024, HTML_BYTES_SHOWN / 1024);
        findings.push(format!("the HTML is {size} KB, and Gmail clips e-mails after {shown} KB"));
    }
    let characters = mail.subject.chars().count();
    if characters > SUBJECT_CHARS_SHOWN {
        findings.push(format!(
            "the subject has {characters} characters, and many e-mail clients show only {SUBJECT_CHARS_SHOWN}"
        ));
    }
    if mail.subject.is_empty() {
        findings.push("the subject is empty".to_owned());
    }
    if mail.text.trim().is_empty() {
        findings.push("the text part is empty".to_owned());
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_that_gmail_clips_is_reported() {
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
        assert_eq!(lint(&preview).len(), 3);
    }
}
