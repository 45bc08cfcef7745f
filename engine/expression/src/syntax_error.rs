//! What is wrong with a text that is no expression, in our words. The parser speaks of token sets; the commonest slips are
//! recognised before it is asked, the rest is told by the token at which it stopped.

use super::foreign;
use super::lex::{Kind, Tokens};
use super::parse::SyntaxError;

/// Recognises what the parser would describe badly.
pub(super) fn before_parsing(text: &str, tokens: &Tokens<'_>) -> Result<(), SyntaxError> {
    if tokens.list().is_empty() {
        return Err(SyntaxError::new(0..text.len(), "the expression is empty", "nothing here")
            .help("write a value, such as `${{ run.key }}`"));
    }
    for (position, token) in tokens.list().iter().enumerate() {
        match token.kind {
            Kind::Text { closed: false } => {
                let range = token.range.clone();
                return Err(SyntaxError::new(range, "a text is not closed", "begins here")
                    .help("put the same quote at its end"));
            }
            Kind::Open | Kind::Close => bracket(tokens, position)?,
            _ => {
                if let Some(error) = foreign::at(text, tokens, position) {
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
        None => Err(SyntaxError::new(range, format!("`{written}` closes nothing"), "here")),
        Some(mate) => match (tokens.text(mate), written) {
            ("(", ")") | ("[", "]") | ("{", "}") => Ok(()),
            (open, ")" | "]" | "}") => Err(SyntaxError::new(
                range,
                format!("`{written}` closes a `{open}`"),
                "the brackets do not match",
            )),
            _ => Ok(()),
        },
    }
}

/// Puts the parser's first error into words.
pub(super) fn from_parser(
    text: &str,
    tokens: &Tokens<'_>,
    errors: &cel::ParseErrors,
) -> SyntaxError {
    // Errors without a place come from nodes that another error left incomplete.
    let syntax = |error: &&cel::ParseError| error.msg.starts_with("Syntax error");
    let first = errors.errors.iter().find(syntax).or_else(|| errors.errors.first());
    let Some(first) = first else {
        return SyntaxError::new(0..text.len(), "the expression cannot be read", "here");
    };
    let start = byte_at(text, first.pos);
    let position = tokens.find(start);
    let range = tokens.range(position);
    let written = tokens.text(position);
    if first.msg.contains("invalid int literal") {
        return SyntaxError::new(range, "the number does not fit in 64 bits", "too large")
            .help("with a point, as in `1.0`, it is a decimal of up to 28 digits");
    }
    if first.msg.contains("invalid double literal") {
        return SyntaxError::new(range, "the number is too large", "too large");
    }
    if first.msg.contains("invalid string literal") {
        return SyntaxError::new(range, "a text has an escape that does not exist", "in this text")
            .help("a backslash is written `\\\\`");
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
        return SyntaxError::new(range, "optional selection is not available", "here")
            .help("compare with null: `a != null ? a.b : null`");
    }
    if range.is_empty() {
        let last = tokens.range(tokens.list().len().saturating_sub(1));
        return SyntaxError::new(
            last,
            "the expression ends too early",
            "something is missing after this",
        );
    }
    if first.msg.contains("token recognition") {
        return SyntaxError::new(
            range,
            format!("`{written}` has no meaning here"),
            "not part of CEL",
        );
    }
    SyntaxError::new(range, format!("unexpected `{written}`"), "not expected here")
}

/// Returns the byte of a line and column, both from 1; columns are characters.
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
