//! Messages about problems in documents. They follow the name of the value, as in "/id must be
//! text".

use jiter::JsonErrorType;

/// Returns why a text is not JSON.
pub(super) const fn syntax(error: &JsonErrorType) -> &'static str {
    match error {
        JsonErrorType::EofWhileParsingList
        | JsonErrorType::EofWhileParsingObject
        | JsonErrorType::EofWhileParsingString
        | JsonErrorType::EofWhileParsingValue => "unexpected end",
        JsonErrorType::ExpectedColon => "expected `:`",
        JsonErrorType::ExpectedListCommaOrEnd => "expected `,` or `]`",
        JsonErrorType::ExpectedObjectCommaOrEnd => "expected `,` or `}`",
        JsonErrorType::ExpectedSomeIdent | JsonErrorType::ExpectedSomeValue => {
            "expected a value; put text in double quotes"
        }
        JsonErrorType::InvalidEscape => "unknown escape sequence in a string",
        JsonErrorType::InvalidNumber
        | JsonErrorType::NumberOutOfRange
        | JsonErrorType::FloatExpectingInt => "invalid number",
        JsonErrorType::InvalidUnicodeCodePoint
        | JsonErrorType::LoneLeadingSurrogateInHexEscape
        | JsonErrorType::UnexpectedEndOfHexEscape => "invalid `\\u` escape in a string",
        JsonErrorType::ControlCharacterWhileParsingString => {
            "control character in a string; escape it, for example as `\\n`"
        }
        JsonErrorType::KeyMustBeAString => "the name of a member must be in double quotes",
        JsonErrorType::TrailingComma => "trailing comma",
        JsonErrorType::TrailingCharacters => "unexpected text after the end of the value",
        JsonErrorType::RecursionLimitExceeded => "nested too deeply",
        JsonErrorType::DuplicateKey(_) | JsonErrorType::InternalError(_) => "syntax error",
    }
}

/// Reports a missing member.
pub fn missing_member(name: &str) -> String {
    format!("is missing the member `{}`", shown(name))
}

/// Reports a member that is not allowed.
pub fn not_allowed(name: &str) -> String {
    format!("has a member `{}` that the schema does not allow", shown(name))
}

/// Reports a list that is too long.
pub fn elements_at_most(max: u64) -> String {
    format!("has more than {}", counted(max, "element", "elements"))
}

/// Reports a list that is too short.
pub fn elements_at_least(min: u64) -> String {
    format!("has fewer than {}", counted(min, "element", "elements"))
}

/// Reports a text that is too long.
pub fn characters_at_most(max: u64) -> String {
    format!("must have at most {}", counted(max, "character", "characters"))
}

/// Reports a text that is too short.
pub fn characters_at_least(min: u64) -> String {
    if min == 1 {
        return "must not be empty".to_owned();
    }
    format!("must have at least {}", counted(min, "character", "characters"))
}

/// Returns a number with the singular or plural noun.
pub fn counted(number: u64, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

/// Returns a member's name, truncated for messages.
pub fn shown(name: &str) -> String {
    const SHOWN_MAX: usize = 40;
    let mut text: String = name.chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect();
    if name.chars().count() > SHOWN_MAX {
        text.push('…');
    }
    text
}
