//! The filter of the list of runs, and the links to its other pages.

use serde::Deserialize;

use crate::format;

/// The fields of the filter. Invalid values are ignored, because users edit URLs by hand.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Filter {
    pub(super) key: String,
    pub(super) state: String,
    pub(super) cause: String,
    pub(super) causes: String,
    pub(super) step: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) before: String,
    pub(super) after: String,
}

impl Filter {
    /// Returns the row before which the page ends.
    pub(super) fn before(&self) -> Option<i64> {
        self.before.parse().ok()
    }

    /// Returns the row after which the page begins.
    pub(super) fn after(&self) -> Option<i64> {
        self.after.parse().ok()
    }

    /// Returns the URL of the page with the same filter that ends before a row or begins after it.
    /// `edge` is `before` or `after`.
    fn page(&self, base: &str, edge: &str, row: i64) -> String {
        let fields = [
            ("key", &self.key),
            ("state", &self.state),
            ("cause", &self.cause),
            ("causes", &self.causes),
            ("step", &self.step),
            ("from", &self.from),
            ("to", &self.to),
        ];
        let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
        let mut parts: Vec<String> =
            fields.map(|(name, value)| format!("{name}={}", format::part(value))).collect();
        parts.push(format!("{edge}={row}"));
        format!("{base}?{}", parts.join("&"))
    }
}

/// The links to the pages with older and newer runs. A link is empty if there is no such page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PageLinks {
    /// Older runs.
    pub(super) next: String,
    /// Newer runs.
    pub(super) previous: String,
}

impl PageLinks {
    /// Returns the links of a page. `ends` are the first and the last row on it, and `more` says
    /// whether there are more runs in its direction.
    pub(super) fn new(base: &str, filter: &Filter, ends: Option<(i64, i64)>, more: bool) -> Self {
        let (before, after) = (filter.before(), filter.after());
        // Without matches, the pages continue at the edge of the search.
        let edge = after.or(before.map(|before| before.saturating_sub(1))).unwrap_or_default();
        let (first, last) = ends.unwrap_or((edge, edge.saturating_add(1)));
        let (older, newer) = match after {
            Some(_) => (true, more),
            None => (more, before.is_some()),
        };
        let link = |exists: bool, edge: &str, row: i64| match exists {
            true => filter.page(base, edge, row),
            false => String::new(),
        };
        Self { next: link(older, "before", last), previous: link(newer, "after", first) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(filter: &Filter, ends: Option<(i64, i64)>, more: bool) -> (String, String) {
        let PageLinks { next, previous } = PageLinks::new("/runs", filter, ends, more);
        (next, previous)
    }

    fn filter(before: &str, after: &str) -> Filter {
        Filter { before: before.to_owned(), after: after.to_owned(), ..Filter::default() }
    }

    #[test]
    fn the_first_page_has_no_newer_runs() {
        assert_eq!(links(&filter("", ""), Some((9, 5)), false), (String::new(), String::new()));
        let (next, previous) = links(&filter("", ""), Some((9, 5)), true);
        assert_eq!((&*next, &*previous), ("/runs?before=5", ""));
    }

    #[test]
    fn later_pages_lead_in_both_directions() {
        let (next, previous) = links(&filter("5", ""), Some((4, 1)), false);
        assert_eq!((&*next, &*previous), ("", "/runs?after=4"));
        let (next, previous) = links(&filter("", "4"), Some((8, 5)), true);
        assert_eq!((&*next, &*previous), ("/runs?before=5", "/runs?after=8"));
        let (next, previous) = links(&filter("", "4"), Some((8, 5)), false);
        assert_eq!((&*next, &*previous), ("/runs?before=5", ""));
    }

    #[test]
    fn an_empty_page_leads_back_to_the_runs_beside_it() {
        let (next, previous) = links(&filter("5", ""), None, false);
        assert_eq!((&*next, &*previous), ("", "/runs?after=4"));
        let (next, previous) = links(&filter("", "9"), None, false);
        assert_eq!((&*next, &*previous), ("/runs?before=10", ""));
    }

    #[test]
    fn links_keep_the_filter_and_encode_its_values() {
        let filter =
            Filter { key: "a b&c".to_owned(), state: "parked".to_owned(), ..filter("x", "") };
        let (next, _) = links(&filter, Some((2, 1)), true);
        assert_eq!(next, "/runs?key=a%20b%26c&state=parked&before=1");
    }
}
