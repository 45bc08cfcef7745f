//! Finds values in a JSON text by their JSON pointers.

use jiter::{Jiter, JiterError, Peek};

/// Returns the byte offset of the value at a JSON pointer, or of its nearest existing ancestor.
pub fn locate(text: &[u8], pointer: &str) -> usize {
    let mut json = Jiter::new(text);
    let mut found = 0;
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        match step_into(&mut json, &token) {
            Ok(true) => {}
            _ => return found,
        }
        if json.peek().is_err() {
            return found;
        }
        found = json.current_index();
    }
    found
}

/// Returns the byte offset of a member's name, given the pointer to its object.
pub fn locate_name(text: &[u8], object: &str, name: &str) -> usize {
    let name = name.replace('~', "~0").replace('/', "~1");
    preceding_name(text, locate(text, &format!("{object}/{name}")))
}

/// Returns the offset of the name that precedes `here`. Only white space and a colon may be between
/// them.
pub(super) fn preceding_name(text: &[u8], here: usize) -> usize {
    let before = text.get(..here).unwrap_or_default();
    let Some(end) = before.iter().rposition(|byte| *byte == b'"') else { return here };
    let inside = before.get(..end).unwrap_or_default();
    let is_open = |at: &usize| {
        let slashes = inside.get(..*at).unwrap_or_default();
        slashes.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0
    };
    let quotes = inside.iter().enumerate().rev().filter(|(_, byte)| **byte == b'"');
    quotes.map(|(at, _)| at).find(is_open).unwrap_or(here)
}

/// Moves to a member or an element. Returns whether it exists.
fn step_into(json: &mut Jiter<'_>, token: &str) -> Result<bool, JiterError> {
    match json.peek()? {
        Peek::Object => {
            let mut key = json.known_object()?.map(|name| name == token);
            while let Some(matches) = key {
                if matches {
                    return Ok(true);
                }
                json.next_skip()?;
                key = json.next_key()?.map(|name| name == token);
            }
            Ok(false)
        }
        Peek::Array => {
            let wanted: Option<usize> = token.parse().ok();
            let mut next = json.known_array()?;
            let mut index = 0;
            while let Some(peek) = next {
                if Some(index) == wanted {
                    return Ok(true);
                }
                json.known_skip(peek)?;
                next = json.array_step()?;
                index += 1;
            }
            Ok(false)
        }
        _ => Ok(false),
    }
}
