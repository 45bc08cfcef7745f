//! Converts named placeholders to numbered ones, outside of literals, quoted names, comments and
//! casts.

use std::collections::BTreeMap;

/// A statement with numbered placeholders, and the names in the order of their numbers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Numbered {
    pub(crate) sql: String,
    pub(crate) names: Vec<String>,
}

/// Rewrites `:name` to `$1` and so on. The same name gets the same number.
pub(crate) fn numbered(sql: &str) -> Numbered {
    let mut out = String::with_capacity(sql.len());
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let mut names = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            '\'' | '"' => quoted(rest, first),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '$' => dollar_quoted(rest).unwrap_or(1),
            ':' if rest.starts_with("::") => 2,
            ':' => {
                let name: String = rest
                    .chars()
                    .skip(1)
                    .take_while(|char| char.is_ascii_alphanumeric() || *char == '_')
                    .collect();
                if name.is_empty() {
                    1
                } else {
                    let length = name.len() + 1;
                    let number = *numbers.entry(name.clone()).or_insert_with(|| {
                        names.push(name);
                        names.len()
                    });
                    out.push_str(&format!("${number}"));
                    rest = rest.get(length..).unwrap_or_default();
                    continue;
                }
            }
            other => other.len_utf8(),
        };
        let (part, after) = rest.split_at(skipped);
        out.push_str(part);
        rest = after;
    }
    Numbered { sql: out, names }
}

fn quoted(text: &str, quote: char) -> usize {
    let inner = text.get(1..).unwrap_or_default();
    // A doubled quote closes one text and opens the next.
    inner.find(quote).map_or(text.len(), |end| end + 2)
}

fn dollar_quoted(text: &str) -> Option<usize> {
    let tag_end = text.get(1..)?.find('$')? + 2;
    let tag = text.get(..tag_end)?;
    let plain = tag.trim_matches('$').chars().all(|char| char.is_alphanumeric() || char == '_');
    if !plain {
        return None;
    }
    Some(text.get(tag_end..)?.find(tag).map_or(text.len(), |end| tag_end + end + tag_end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unquoted_names_are_placeholders() {
        let found = numbered(
            "select ':a', \":b\", x::text, :c, :d, :c -- :e\n, $$ :f $$ /* :g */ from t where y like 'it''s :h' and z = :i_1",
        );
        assert_eq!(
            found.sql,
            "select ':a', \":b\", x::text, $1, $2, $1 -- :e\n, $$ :f $$ /* :g */ from t where y like 'it''s :h' and z = $3"
        );
        assert_eq!(found.names, ["c", "d", "i_1"]);
    }
}
