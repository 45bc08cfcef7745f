//! The parts of the text that an expression produces. They show whether a key can be recovered from
//! the text.

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Fixed characters.
    Fixed(String),
    /// The whole text of the value at a path.
    Path(String),
    /// Any other text.
    Other,
}

/// Returns whether two texts made of these pieces differ whenever the keys at `path` differ. A
/// run's key contains only the unreserved characters of RFC 3986, so any other character ends it.
pub(super) fn determine_key(pieces: &[Piece], path: &str) -> bool {
    let is_key = |piece: &Piece| matches!(piece, Piece::Path(known) if known == path);
    let fixed = |pieces: &[Piece]| pieces.iter().all(|piece| matches!(piece, Piece::Fixed(_)));
    pieces.iter().enumerate().filter(|(_, piece)| is_key(piece)).any(|(position, _)| {
        let (before, rest) = pieces.split_at(position);
        let after = rest.get(1..).unwrap_or_default();
        match (fixed(before), fixed(after)) {
            (true, true) => true,
            (true, false) => {
                after.iter().find_map(first_char).is_some_and(|next| next.is_some_and(ends_key))
            }
            (false, true) => before
                .iter()
                .rev()
                .find_map(last_char)
                .is_some_and(|last| last.is_some_and(ends_key)),
            (false, false) => false,
        }
    })
}

/// Returns the fixed text before and after the text of the value at `path`, if it occurs once and
/// the rest is fixed.
pub(super) fn text_around(pieces: &[Piece], path: &str) -> Option<(String, String)> {
    let (mut before, mut after, mut seen) = (String::new(), String::new(), false);
    for piece in pieces {
        match piece {
            Piece::Fixed(text) if seen => after.push_str(text),
            Piece::Fixed(text) => before.push_str(text),
            Piece::Path(known) if known == path && !seen => seen = true,
            Piece::Path(_) | Piece::Other => return None,
        }
    }
    seen.then_some((before, after))
}

/// Returns the first character of a piece: `Some(None)` if it is unknown, `None` if the piece is
/// empty.
fn first_char(piece: &Piece) -> Option<Option<char>> {
    match piece {
        Piece::Fixed(text) => text.chars().next().map(Some),
        Piece::Path(_) | Piece::Other => Some(None),
    }
}

fn last_char(piece: &Piece) -> Option<Option<char>> {
    match piece {
        Piece::Fixed(text) => text.chars().next_back().map(Some),
        Piece::Path(_) | Piece::Other => Some(None),
    }
}

const fn ends_key(c: char) -> bool {
    !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '~' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_recoverable_only_if_its_end_is_known() {
        let key = || Piece::Path("run.key".to_owned());
        let fixed = |text: &str| Piece::Fixed(text.to_owned());
        for (pieces, expected) in [
            (vec![key()], true),
            (vec![fixed("a"), key(), fixed(".json")], true),
            (vec![key(), Piece::Other], false),
            (vec![key(), fixed("-"), Piece::Other], false),
            (vec![key(), fixed("."), Piece::Other], false),
            (vec![key(), fixed("/"), Piece::Other], true),
            (vec![key(), fixed(""), fixed("/x"), Piece::Other], true),
            (vec![Piece::Other, fixed("/"), key()], true),
            (vec![Piece::Other, fixed("/"), key(), fixed("/"), Piece::Other], false),
            (vec![Piece::Other], false),
            (vec![Piece::Path("order.sku".to_owned())], false),
        ] {
            assert_eq!(determine_key(&pieces, "run.key"), expected, "{pieces:?}");
        }
    }

    #[test]
    fn fixed_text_around_a_key_is_found() {
        let key = || Piece::Path("run.key".to_owned());
        let fixed = |text: &str| Piece::Fixed(text.to_owned());
        let found = |pieces: &[Piece]| text_around(pieces, "run.key");
        let both = |before: &str, after: &str| Some((before.to_owned(), after.to_owned()));
        assert_eq!(found(&[key()]), both("", ""));
        assert_eq!(found(&[fixed("a/"), key(), fixed(".json")]), both("a/", ".json"));
        assert_eq!(found(&[fixed("a")]), None);
        assert_eq!(found(&[key(), key()]), None);
        assert_eq!(found(&[key(), Piece::Other]), None);
    }
}
