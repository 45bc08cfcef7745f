//! The causes that a pipeline declares.

use oms_engine::effects::cause;

/// Maximum number of characters in a cause.
const CHARS_MAX: usize = 63;

/// Returns why a text cannot be a cause of a pipeline, and what to do.
pub(crate) fn fault(name: &str) -> Option<(String, &'static str)> {
    let is_letter =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    let is_name = name.starts_with(|letter: char| letter.is_ascii_lowercase())
        && name.chars().all(is_letter)
        && name.len() <= CHARS_MAX;
    if !is_name {
        let help = "use at most 63 lowercase letters, digits and `_`, starting with a letter";
        return Some((format!("invalid cause `{name}`"), help));
    }
    cause::ALL.contains(&name).then(|| {
        (
            format!("the cause `{name}` belongs to `oms`"),
            "choose another name, such as `over_limit`",
        )
    })
}
