//! Messages for syntax errors. The parser only reports sets of tokens. Common mistakes are
//! recognized before parsing, and other errors are described by the token at which the parser
//! stopped.

use super::lex::{Kind, Tokens};
use super::other_languages;
use super::parse::SyntaxError;

/// Recognizes mistakes for which the parser has no good message.
pub(super) fn before_parsing(text: &str, tokens: &Tokens<'_>) -> Result<(), SyntaxError> {
    if tokens.list().is_empty() {
        return Err(SyntaxError::new(0..text.len(), "the expression is empty", "empty")
            .help("write a value, such as `${{ run.key }}`"));
    }
    for (position, token) in tokens.list().iter().enumerate() {
        match token.kind {
            Kind::Text { closed: false } => {
                let range = token.range.clone();
                return Err(SyntaxError::new(
                    range,
                    "the text has no closing quote",
                    "begins here",
                )
                .help("add the closing quote"));
            }
            Kind::Open | Kind::Close => bracket(tokens, position)?,
            _ => {
                if let Some(error) = other_languages::at(text, tokens, position) {
                    return Err(error);
                }
            }
        }
    }
    Ok(())
}

fn bracket(tokens: &Tokens<'_>, position: usize) -> Result<(), SyntaxError> {
    let written = tokens.text(position);
    let range = tokens.range(position);
    match tokens.list().get(position).and_then(|token| token.mate) {
        None if matches!(written, "(" | "[" | "{") => {
            Err(SyntaxError::new(range, format!("`{written}` is not closed"), "opens here"))
        }
        None => Err(SyntaxError::new(range, format!("unmatched `{written}`"), "here")),
        Some(mate) => match (tokens.text(mate), written) {
            ("(", ")") | ("[", "]") | ("{", "}") => Ok(()),
            (open, ")" | "]" | "}") => Err(SyntaxError::new(
                range,
                format!("`{written}` does not match `{open}`"),
                "mismatched bracket",
            )),
            _ => Ok(()),
        },
    }
}

/// Describes the first error of the parser.
pub(super) fn from_parser(
    text: &str,
    tokens: &Tokens<'_>,
    errors: &cel::ParseErrors,
) -> SyntaxError {
    // Errors without a position are consequences of another error.
    let syntax = |error: &&cel::ParseError| error.msg.starts_with("Syntax error");
    let first = errors.errors.iter().find(syntax).or_else(|| errors.errors.first());
    let Some(first) = first else {
        return SyntaxError::new(0..text.len(), "cannot parse the expression", "here");
    };
    let start = byte_at(text, first.pos);
    let position = tokens.find(start);
    let range = tokens.range(position);
    let written = tokens.text(position);
    if first.msg.contains("invalid int literal") {
        return SyntaxError::new(range, "the number does not fit in 64 bits", "too large")
            .help("add a decimal point, as in `1.0`, for a decimal of up to 28 digits");
    }
    if first.msg.contains("invalid double literal") {
        return SyntaxError::new(range, "the number is too large", "too large");
    }
    if first.msg.contains("invalid string literal") {
        return SyntaxError::new(range, "unknown escape sequence in a string", "in this text")
            .help("write a backslash as `\\\\`");
    }
    if first.msg.contains("reserved identifier") {
        let help = match written {
            "if" | "else" => "write `condition ? value : otherwise`",
            "for" | "while" | "loop" => "write `list.map(x, …)`",
            "let" | "const" | "var" => "compute the value in a `value.compute` step",
            _ => "choose another name",
        };
        let message = format!("`{written}` is a reserved word");
        return SyntaxError::new(range, message, "cannot be a name").help(help);
    }
    if first.msg.contains("unsupported syntax") {
        return SyntaxError::new(range, "optional selection is not supported", "here")
            .help("compare with null: `a != null ? a.b : null`");
    }
    if range.is_empty() {
        let last = tokens.range(tokens.list().len().saturating_sub(1));
        return SyntaxError::new(last, "unexpected end of the expression", "incomplete after this");
    }
    if first.msg.contains("token recognition") {
        return SyntaxError::new(
            range,
            format!("`{written}` is not allowed here"),
            "not part of CEL",
        );
    }
    SyntaxError::new(range, format!("unexpected `{written}`"), "not expected here")
}

/// Returns the byte offset of a line and column, both from 1. Columns count characters.
fn byte_at(text: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line - 1).unwrap_or(0);
    let column = usize::try_from(column - 1).unwrap_or(0);
    let mut start = 0;
    for (number, content) in text.split_inclusive('\n').enumerate() {
        if number == line {
            let within = content.char_indices().nth(column).map_or(content.len(), |(byte, _)| byte);
            return start + within;
        }
        start += content.len();
    }
    text.len()
}
