//! The syntax of paths: the context that a path starts in, and its names.

use std::ops::Range;

/// The parts of a path. Ranges are relative to the path's text.
pub(super) struct Parts<'r> {
    pub(super) from_root: bool,
    pub(super) local: bool,
    /// Number of contexts that it goes up.
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
            // Skip the separator.
            at += 1;
        }
        segments.retain(|(_, name)| *name != "this");
        Self { from_root, local, ups, segments }
    }
}
