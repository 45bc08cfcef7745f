//! What is wrong with a mail as it was rendered: what can only be seen of a mail, not of its template.

use crate::preview::Preview;

/// Bytes of HTML after which Gmail hides the rest of a mail behind a link.
const GMAIL_CLIP_BYTES: usize = 102 * 1024;
/// Characters of a subject that phones show.
const SUBJECT_SHOWN: usize = 78;

/// Returns what is wrong with a mail as it was rendered.
pub(crate) fn judge(preview: &Preview) -> Vec<String> {
    let Preview { mail, .. } = preview;
    let mut findings = Vec::new();
    if mail.html.len() > GMAIL_CLIP_BYTES {
        let size = mail.html.len() / 1024;
        findings.push(format!("its HTML has {size} KB, and Gmail hides what comes after 102"));
    }
    let characters = mail.subject.chars().count();
    if characters > SUBJECT_SHOWN {
        findings.push(format!(
            "its subject has {characters} characters, and few are shown after {SUBJECT_SHOWN}"
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
            subject: "x".repeat(SUBJECT_SHOWN + 1),
            text: String::new(),
            html: "x".repeat(GMAIL_CLIP_BYTES + 1),
            date: jiff::Timestamp::UNIX_EPOCH,
            unsubscribe: None,
            attachments: Vec::new(),
        };
        let preview = Preview { key: "k".into(), step: "s".into(), template: "t".into(), mail };
        assert_eq!(judge(&preview).len(), 3);
    }
}
