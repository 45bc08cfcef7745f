//! Arguments of commands that messages suggest.

/// Quotes an argument for a shell.
pub fn quote(text: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "-_./=:,+@".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_arguments_are_not_quoted() {
        for plain in ["a", "orders/NW-1.json", "a=b,c@d:e+f"] {
            assert_eq!(quote(plain), plain);
        }
        assert_eq!(["", "a b", "$x", "it's"].map(quote), ["''", "'a b'", "'$x'", r"'it'\''s'"]);
    }
}
