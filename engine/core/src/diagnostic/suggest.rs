//! Suggestions for misspelled names.

/// Minimum Jaro-Winkler similarity of a suggestion.
const SIMILARITY_MIN: f64 = 0.72;
/// Maximum number of names that a help text lists.
const LISTED_MAX: usize = 12;

/// Returns the known name that is closest to `name`, if any is similar enough. A candidate needs a
/// minimum Jaro-Winkler similarity, and at most about a third of the letters may differ. The
/// candidate with the fewest edits wins.
pub fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let found = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            let plain = candidate.to_lowercase();
            let edits = strsim::damerau_levenshtein(&found, &plain);
            let length = found.chars().count().max(plain.chars().count());
            let similarity = strsim::jaro_winkler(&found, &plain);
            (similarity, edits, edits * 3 <= length + 1, candidate)
        })
        .filter(|(similarity, _, near, _)| *near && *similarity >= SIMILARITY_MIN)
        .min_by(|a, b| a.1.cmp(&b.1).then(b.0.total_cmp(&a.0)))
        .map(|(.., candidate)| candidate)
}

/// Returns a help text on how to write a text without its line breaks. A text that ends with a line
/// break comes from a YAML block scalar.
pub fn without_line_break(text: &str) -> &'static str {
    if text.ends_with('\n') {
        "write `|-` or `>-` instead of `|` or `>` to remove the final line break, or put the text in quotes on one line"
    } else {
        "write the text on one line, without line breaks"
    }
}

/// Returns a help text with the closest known name. If no name is close, it lists the known names,
/// unless there are too many.
pub fn did_you_mean<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<String> {
    match closest(name, known.clone()) {
        Some(candidate) => Some(format!("did you mean `{candidate}`?")),
        None => one_of(known),
    }
}

/// Returns a help text that lists the known names, or `None` if there are none or too many.
pub fn one_of<'a>(known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let names: Vec<String> = known.into_iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => None,
        [only] => Some(format!("use {only}")),
        names if names.len() <= LISTED_MAX => Some(format!("use one of {}", names.join(", "))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dissimilar_name_is_not_suggested() {
        assert_eq!(closest("http.request", ["table.upsert", "table.insert"]), None);
        assert_eq!(closest("getFullYear", ["get"]), None);
        assert_eq!(closest("sha256", ["has"]), None);
        assert_eq!(closest("join", ["min"]), None);
    }

    #[test]
    fn a_misspelled_name_is_recognized() {
        assert_eq!(closest("ammount", ["amount", "currency"]), Some("amount"));
        assert_eq!(closest("zzz", ["amount", "currency"]), None);
        assert_eq!(closest("propertys", ["propertyNames", "properties"]), Some("properties"));
        assert_eq!(closest("OrderId", ["order_id", "email"]), Some("order_id"));
    }
}
