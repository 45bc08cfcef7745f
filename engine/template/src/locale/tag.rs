//! Locale names and their fallbacks: `de-CH`, then `de`, then the base folder.

/// Returns whether a folder's name is a language tag (BCP 47: a language, optionally with script,
/// region and variants).
pub fn is_language_tag(name: &str) -> bool {
    let mut parts = name.split('-');
    let alphabetic = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphabetic());
    let language = parts.next().unwrap_or_default();
    matches!(language.len(), 2..=3)
        && alphabetic(language)
        && parts.all(|part| {
            matches!(part.len(), 1..=8) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}

/// Returns the names to look up, the most specific first (RFC 4647 lookup), in lower case.
pub fn candidates(locale: &str) -> impl Iterator<Item = String> {
    let exact = locale.trim().replace('_', "-").to_ascii_lowercase();
    std::iter::successors(Some(exact), |tag| {
        let (shorter, _) = tag.rsplit_once('-')?;
        // A single letter only introduces the next subtag.
        let shorter = match shorter.rsplit_once('-') {
            Some((before, single)) if single.len() == 1 => before,
            _ => shorter,
        };
        Some(shorter.to_owned())
    })
}

/// Returns the language of a tag, in lower case: `de` for `de-CH`.
pub fn language(tag: &str) -> String {
    candidates(tag).last().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_tags_are_recognized() {
        for name in ["de", "de-CH", "zh-Hant-TW", "sl-rozaj", "gsw", "es-419", "EN-us"] {
            assert!(is_language_tag(name), "{name}");
        }
        for name in ["", "d", "german", "de_CH", "de-", "-de", "de-verylongpart", "partials", "1a"]
        {
            assert!(!is_language_tag(name), "{name}");
        }
    }

    #[test]
    fn a_locale_falls_back_subtag_by_subtag() {
        let of = |locale| candidates(locale).collect::<Vec<_>>();
        assert_eq!(of("zh-Hant-TW"), ["zh-hant-tw", "zh-hant", "zh"]);
        assert_eq!(of("de_CH"), ["de-ch", "de"]);
        assert_eq!(of("de-x-custom"), ["de-x-custom", "de"]);
        assert_eq!(of("en"), ["en"]);
    }
}
