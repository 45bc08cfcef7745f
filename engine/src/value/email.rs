//! What is an e-mail address: one that mail can be sent to, and that a reader takes for what it is.

use unicode_security::{RestrictionLevel, RestrictionLevelDetection as _, skeleton};

/// Bytes of an address, which stands between angle brackets in a path of 256 (RFC 5321, 4.5.3.1.3).
const LENGTH_MAX: usize = 254;
/// Bytes of a domain (RFC 5321, 4.5.3.1.2), and of each of its labels (RFC 1035, 2.3.4).
const DOMAIN_MAX: usize = 255;
const LABEL_MAX: usize = 63;

/// Tells whether a text is one e-mail address that mail can be sent to: a mailbox of RFC 5321, without name, comments or line breaks.
///
/// Stricter than the RFC, since an order's address is a stranger's word: the domain is a name of at least two labels (no `localhost`, no address
/// of a host in brackets), nothing begins with a hyphen (programs would take it for an option), and no part mixes letters in a way that makes
/// one address look like another (Unicode Technical Standard 39, "moderately restrictive", and whole-script confusables of ASCII).
pub fn is_email(text: &str) -> bool {
    text.len() <= LENGTH_MAX
        && !text.chars().any(char::is_control)
        && !text.starts_with('-')
        && text
            .rsplit_once('@')
            .is_some_and(|(local, domain)| !misleads(local) && is_domain(domain))
        && text.parse::<lettre::Address>().is_ok()
}

/// Tells whether a text is the name of a host on the Internet, in ASCII or internationalised.
fn is_domain(domain: &str) -> bool {
    let Ok(ascii) = idna::domain_to_ascii_cow(domain.as_bytes(), idna::AsciiDenyList::STD3) else {
        return false;
    };
    let labels: Vec<&str> = ascii.split('.').collect();
    let is_label = |label: &&str| {
        (1..=LABEL_MAX).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    // A last label of digits is that of an IPv4 address.
    let is_top = |label: &&str| !label.bytes().all(|byte| byte.is_ascii_digit());
    let (shown, _) = idna::domain_to_unicode(domain);
    labels.len() >= 2
        && ascii.len() <= DOMAIN_MAX
        && labels.iter().all(is_label)
        && labels.last().is_some_and(is_top)
        && !shown.split('.').any(misleads)
}

/// Tells whether a part of an address looks like another one: letters of scripts that share shapes, or a text of another script that looks like
/// one in ASCII.
fn misleads(part: &str) -> bool {
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
    fn an_address_is_one_that_mail_can_be_sent_to() {
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
    fn what_is_no_host_on_the_internet_is_no_domain() {
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
    fn no_address_looks_like_another() {
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
