//! How a path is written: what it begins in, and the names that it goes through.

use std::ops::Range;

/// A path taken apart; the ranges are within its text.
pub(super) struct Parts<'r> {
    pub(super) from_root: bool,
    pub(super) local: bool,
    /// How many contexts it goes up.
    pub(super) ups: usize,
    pub(super) segments: Vec<(Range<usize>, &'r str)>,
}

impl<'r> Parts<'r> {
    pub(super) fn of(raw: &'r str) -> Self {
        let mut rest = raw;
        let mut take = |prefixes: &[&str]| {
            let after = prefixes.iter().find_map(|prefix| rest.strip_prefix(prefix));
            after.inspect(|after| rest = after).is_some()
        };
        take(&["this.", "this/", "./"]);
        let from_root = take(&["@root.", "@root/"]);
        let local = take(&["@"]);
        let mut ups = 0;
        while take(&["../"]) {
            ups += 1;
        }
        let mut segments = Vec::new();
        let mut at = raw.len() - rest.len();
        while let Some(text) = raw.get(at..).filter(|text| !text.is_empty()) {
            if let Some(inner) = text.strip_prefix('[') {
                let length = inner.find(']').unwrap_or(inner.len());
                segments.push((at + 1..at + 1 + length, inner.get(..length).unwrap_or_default()));
                at += length + "[]".len();
            } else {
                let length = text.find(['.', '/']).unwrap_or(text.len());
                segments.push((at..at + length, text.get(..length).unwrap_or_default()));
                at += length;
            }
            // The separator.
            at += 1;
        }
        segments.retain(|(_, name)| *name != "this");
        Self { from_root, local, ups, segments }
    }
}
