//! Validation of e-mail addresses.

use unicode_security::{RestrictionLevel, RestrictionLevelDetection as _, skeleton};

/// The maximum number of bytes of an address. A path has at most 256, including angle brackets (RFC
/// 5321, 4.5.3.1.3).
const LENGTH_MAX: usize = 254;
/// The maximum number of bytes of a domain (RFC 5321, 4.5.3.1.2) and of each of its labels (RFC
/// 1035, 2.3.4).
const DOMAIN_MAX: usize = 255;
const LABEL_MAX: usize = 63;

/// Returns whether a text is a deliverable e-mail address: a mailbox of RFC 5321 without name,
/// comments or line breaks.
///
/// The check is stricter than the RFC, because addresses in orders are untrusted. The domain must
/// be a name with at least two labels: no `localhost`, no address literal. The address must not
/// start with a hyphen, because programs would parse it as an option. No part may look like another
/// address: its scripts must be "moderately restrictive" (Unicode Technical Standard 39), and the
/// letters of another script must not all look like ASCII.
pub fn is_email(text: &str) -> bool {
    text.len() <= LENGTH_MAX
        && !text.chars().any(char::is_control)
        && !text.starts_with('-')
        && text
            .rsplit_once('@')
            .is_some_and(|(local, domain)| !is_confusable(local) && is_domain(domain))
        && text.parse::<lettre::Address>().is_ok()
}

/// Returns whether a text is an Internet host name, in ASCII or internationalized.
fn is_domain(domain: &str) -> bool {
    let Ok(ascii) = idna::domain_to_ascii_cow(domain.as_bytes(), idna::AsciiDenyList::STD3) else {
        return false;
    };
    let labels: Vec<&str> = ascii.split('.').collect();
    let is_label = |label: &&str| {
        (1..=LABEL_MAX).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    // A numeric last label belongs to an IPv4 address.
    let is_top = |label: &&str| !label.bytes().all(|byte| byte.is_ascii_digit());
    let (shown, _) = idna::domain_to_unicode(domain);
    labels.len() >= 2
        && ascii.len() <= DOMAIN_MAX
        && labels.iter().all(is_label)
        && labels.last().is_some_and(is_top)
        && !shown.split('.').any(is_confusable)
}

/// Returns whether a part of an address resembles another one: it mixes confusable scripts, or its
/// letters of another script look like ASCII.
fn is_confusable(part: &str) -> bool {
    if part.is_ascii() {
        return false;
    }
    let letters: String = part.chars().filter(|letter| letter.is_alphanumeric()).collect();
    let is_latin = letters.chars().any(|letter| letter.is_ascii_alphabetic());
    !letters.check_restriction_level(RestrictionLevel::ModeratelyRestrictive)
        || (!is_latin && !letters.is_ascii() && skeleton(&letters).all(|letter| letter.is_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliverable_addresses_are_accepted() {
        for text in [
            "a@example.com",
            "jane.o'neil+shop@mail.example.co.uk",
            "a-b_c=d@xn--hxajbheg2az3al.xn--jxalpdlp",
            "josé@example.com",
            "用户@例子.广告",
            "yamada太郎@example.jp",
            "иван.петров@почта.рф",
            "μαρία@παράδειγμα.δοκιμή",
            "m@münchen.example",
            "test@c--n.com",
            "test@123.com",
        ] {
            assert!(is_email(text), "{text}");
        }
    }

    #[test]
    fn domains_that_are_not_internet_hosts_are_rejected() {
        for domain in [
            "localhost",
            "[127.0.0.1]",
            "[IPv6:::1]",
            "127.0.0.1",
            "example.com|id",
            "example.com.",
            ".com",
            "a..b",
            "-a.com",
            "a-.com",
            "a_b.com",
            "example.123",
            "exa mple.com",
            "example.com/x",
            "xn--a.com",
        ] {
            assert!(!is_email(&format!("a@{domain}")), "{domain}");
        }
        assert!(!is_email(&format!("a@{}.com", "a".repeat(LABEL_MAX + 1))));
    }

    #[test]
    fn addresses_that_look_like_another_are_rejected() {
        for text in [
            "аdmin@example.com",
            "аре@example.com",
            "раура1@example.com",
            "admin@exаmple.com",
            "admin@xn--exmple-4nf.com",
            "ορ@example.com",
            "ａdmin@example.com",
        ] {
            assert!(!is_email(text), "{text}");
        }
        assert!(!is_email("-oQ/tmp/x@example.com"));
    }
}
