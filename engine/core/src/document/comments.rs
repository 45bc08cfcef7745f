//! Comments. The YAML reader drops them, so this module finds them in the text between the values.

use std::ops::Range;

use super::node::{Node, NodeValue};
use super::read::Document;
use crate::diagnostic::{Place, Route};

/// A comment of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment<'d> {
    /// Its text without the `#` and the white space around it.
    pub text: &'d str,
    /// Its bytes, from the `#` to its end.
    pub span: Range<usize>,
    /// Its line, numbered from 1.
    pub line: usize,
    /// Whether the line contains nothing but the comment.
    pub alone: bool,
}

impl Document {
    /// Returns the text from an unquoted value to the end of its line, if a comment follows the
    /// value.
    pub fn value_with_comment(&self, route: &Route) -> Option<&str> {
        let span = self.span(&Place::value(route.clone()));
        let source = self.text().get(span.clone())?;
        let rest = self.text().get(span.end..)?.lines().next()?.trim_end();
        let is_comment = rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#');
        let in_quotes = source.starts_with(['"', '\'']) || source.contains('\n');
        self.text().get(span.start..span.end + rest.len()).filter(|_| is_comment && !in_quotes)
    }

    /// Returns the comments that contain a word, in the order of the file.
    pub fn comments_with(&self, word: &str) -> Vec<Comment<'_>> {
        if !self.text().contains(word) {
            return Vec::new();
        }
        let mut scalars = Vec::new();
        scalars_below(self.root(), &mut scalars);
        scalars.sort_unstable_by_key(|scalar| scalar.start);
        let is_within_scalar = |byte: usize| {
            let after = scalars.partition_point(|scalar: &Range<usize>| scalar.start <= byte);
            let before = after.checked_sub(1).and_then(|last| scalars.get(last));
            before.is_some_and(|scalar| scalar.contains(&byte))
        };
        let mut comments = Vec::new();
        let mut start = 0;
        for (number, line) in self.text().split_inclusive('\n').enumerate() {
            let content = line.trim_end();
            let begins = content.match_indices('#').find(|(at, _)| {
                let before = content.get(..*at).unwrap_or_default();
                (before.is_empty() || before.ends_with([' ', '\t']))
                    && !is_within_scalar(start + at)
            });
            if let Some((at, _)) = begins
                && let Some(text) = content.get(at + 1..)
                && text.contains(word)
            {
                comments.push(Comment {
                    text: text.trim(),
                    span: start + at..start + content.len(),
                    line: number + 1,
                    alone: content.get(..at).is_some_and(|before| before.trim().is_empty()),
                });
            }
            start += line.len();
        }
        comments
    }
}

/// Collects the bytes of every key and every scalar below a node.
fn scalars_below(node: &Node, found: &mut Vec<Range<usize>>) {
    match &node.value {
        NodeValue::List(elements) => {
            elements.iter().for_each(|element| scalars_below(element, found));
        }
        NodeValue::Map(entries) => {
            for entry in entries {
                found.push(entry.key_span.clone());
                scalars_below(&entry.node, found);
            }
        }
        _ => found.push(node.span.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    #[test]
    fn a_hash_sign_in_a_value_or_key_is_not_a_comment() {
        let text = "# oms 1\na: \"# oms no\" # oms 2\n'# oms k': x# oms no\nb: |\n  # oms no\n  x\n# oms 3\nc: [\n  d, # oms 4\n  \"e\"]\n";
        let document = parse(&"p.yaml".into(), text.as_bytes()).unwrap();
        let found: Vec<(usize, &str, bool)> = document
            .comments_with("oms")
            .iter()
            .map(|comment| (comment.line, comment.text, comment.alone))
            .collect();
        assert_eq!(
            found,
            [(1, "oms 1", true), (2, "oms 2", false), (7, "oms 3", true), (9, "oms 4", false)]
        );
    }
}
