//! Near misses: which known name somebody probably meant.

/// Names that begin and sound less alike than this are not offered.
const SIMILARITY_MIN: f64 = 0.72;
/// More names than this are not listed in full.
const LISTED_MAX: usize = 12;

/// Returns the known name that is most like `name`, if one is like it at all: of those that begin or sound alike, the one that the
/// fewest keystrokes make out of it. More keystrokes than a third of the longer name make another name.
pub fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let found = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            let plain = candidate.to_lowercase();
            let strokes = strsim::damerau_levenshtein(&found, &plain);
            let length = found.chars().count().max(plain.chars().count());
            let similarity = strsim::jaro_winkler(&found, &plain);
            (similarity, strokes, strokes * 3 <= length + 1, candidate)
        })
        .filter(|(similarity, _, near, _)| *near && *similarity >= SIMILARITY_MIN)
        .min_by(|a, b| a.1.cmp(&b.1).then(b.0.total_cmp(&a.0)))
        .map(|(.., candidate)| candidate)
}

/// Returns how to write a text without the line breaks that it has. One that ends with a line break is a block of YAML.
pub fn without_line_break(text: &str) -> &'static str {
    if text.ends_with('\n') {
        "a block that begins with `|` or `>` ends with a line break: write `|-` or `>-`, or put the text in quotes on one line"
    } else {
        "write the text on one line, without a line break in it"
    }
}

/// Returns a help line: the closest name, otherwise the known ones where they are few.
pub fn did_you_mean<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<String> {
    match closest(name, known.clone()) {
        Some(candidate) => Some(format!("did you mean `{candidate}`?")),
        None => one_of(known),
    }
}

/// Returns a help line that lists the known names, or nothing if there are none or too many.
pub fn one_of<'a>(known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let names: Vec<String> = known.into_iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => None,
        [only] => Some(format!("the only one is {only}")),
        names if names.len() <= LISTED_MAX => Some(format!("one of {}", names.join(", "))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_name_is_no_slip_of_the_finger() {
        assert_eq!(closest("http.request", ["table.upsert", "table.insert"]), None);
        assert_eq!(closest("getFullYear", ["get"]), None);
        assert_eq!(closest("sha256", ["has"]), None);
        assert_eq!(closest("join", ["min"]), None);
    }

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        assert_eq!(closest("ammount", ["amount", "currency"]), Some("amount"));
        assert_eq!(closest("zzz", ["amount", "currency"]), None);
        assert_eq!(closest("propertys", ["propertyNames", "properties"]), Some("properties"));
        assert_eq!(closest("OrderId", ["order_id", "email"]), Some("order_id"));
    }
}
