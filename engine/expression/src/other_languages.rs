//! Recognizes operators and words of other languages, for which the parser has no good messages.

use super::lex::{Kind, Tokens};
use super::parse::SyntaxError;

/// Recognizes an operator or word of another language at a token.
pub(super) fn at(text: &str, tokens: &Tokens<'_>, position: usize) -> Option<SyntaxError> {
    let token = tokens.list().get(position)?;
    match token.kind {
        Kind::Name => word(tokens, position),
        Kind::Other => operator(text, tokens, position),
        _ => None,
    }
}

fn word(tokens: &Tokens<'_>, position: usize) -> Option<SyntaxError> {
    let range = tokens.range(position);
    let written = tokens.text(position);
    let next = tokens.text(position + 1);
    let follows_operand = position > 0 && is_operand_end(tokens, position - 1);
    if written == "not" && starts_operand(tokens, position + 1) && !follows_operand {
        return Some(not_an_operator("not", range).help("write `!`"));
    }
    if !follows_operand {
        return None;
    }
    let help = match (written, next) {
        ("and" | "AND", _) => "write `&&`",
        ("or" | "OR", _) => "write `||`",
        ("is", "not") => "write `!=`",
        ("is" | "eq" | "equals", _) => "write `==`",
        ("not", "in") => "write `!(value in list)`",
        ("ne" | "neq", _) => "write `!=`",
        ("gt", _) => "write `>`",
        ("lt", _) => "write `<`",
        ("ge" | "gte", _) => "write `>=`",
        ("le" | "lte", _) => "write `<=`",
        ("mod", _) => "write `%`",
        ("div", _) => "write `div(a, b, 2, \"half_even\")`",
        ("contains" | "includes", _) => "write `contains(text, part)`, or `part in list`",
        ("like" | "matches", _) => "use `startsWith`, `endsWith` or `contains`",
        ("between", _) => "write `value >= low && value <= high`",
        ("if" | "then" | "else" | "unless", _) => "write `condition ? value : otherwise`",
        ("for", _) => "write `list.map(x, …)`",
        _ => return None,
    };
    Some(not_an_operator(written, range).help(help))
}

fn operator(text: &str, tokens: &Tokens<'_>, position: usize) -> Option<SyntaxError> {
    let range = tokens.range(position);
    let written = tokens.text(position);
    let next = tokens.range(position + 1);
    let adjacent = next.start == range.end && !next.is_empty();
    let after = if adjacent { tokens.text(position + 1) } else { "" };
    let both = range.start..next.end;
    let pair = format!("{written}{after}");
    let found = |help: &str| Some(not_an_operator(&pair, both.clone()).help(help));
    match (written, after) {
        ("?", "?" | ":") => {
            let value = operand(text, tokens, 0..position);
            let fallback = operand(text, tokens, position + 2..tokens.list().len());
            let (value, fallback) = value.zip(fallback).unwrap_or(("value", "fallback"));
            found(&format!("write `coalesce({value}, {fallback})`"))
        }
        ("?", ".") => found("write `a != null ? a.b : null`"),
        ("==", "=") => found("write `==`"),
        ("!=", "=") => found("write `!=`"),
        ("<", ">") => found("write `!=`"),
        ("=", ">") if is_arrow(tokens, position) => found(
            "write the name, a comma and the expression, as in `list.map(x, x.price)`",
        ),
        ("=", ">" | "<") => found(&format!("write `{after}=`")),
        ("*", "*") => found("use multiplication; there is no power operator"),
        ("+", "+") | ("-", "-") if !starts_operand(tokens, position + 2) => {
            found("write `+ 1` or `- 1`; values cannot be changed")
        }
        ("+" | "-" | "*" | "/", "=") => found("compute a new value; values cannot be changed"),
        ("|", _) => Some(pipe(tokens, position)),
        ("=", _) => Some(not_an_operator("=", range).help("write `==`")),
        ("&", _) => Some(not_an_operator("&", range).help(ampersand(tokens, position))),
        ("^", _) => Some(not_an_operator("^", range).help("use multiplication; there is no power operator")),
        ("`", _) => Some(
            SyntaxError::new(range, "text must be in quotes, not in backticks", "here").help(
                "write `\"text\" + string(value)`, or put the text around `${{ }}`: `text ${{ value }}`",
            ),
        ),
        ("$", "{") => Some(
            SyntaxError::new(both, "`${` is not allowed inside an expression", "here")
                .help("remove `${` and `}`"),
        ),
        ("$", _) => Some(
            SyntaxError::new(range, "`$` is not allowed inside an expression", "here")
                .help("write names without `$`"),
        ),
        _ => None,
    }
}

/// Returns a suggestion for a single `&`, which joins text in some languages.
fn ampersand(tokens: &Tokens<'_>, position: usize) -> &'static str {
    let compares = |at: usize| matches!(tokens.text(at), "==" | "!=" | "<" | "<=" | ">" | ">=");
    let is_text = |at: usize| {
        tokens.list().get(at).is_some_and(|token| matches!(token.kind, Kind::Text { .. }))
    };
    let is_joined = is_text(position + 1) || position.checked_sub(1).is_some_and(is_text);
    if (0..tokens.list().len()).any(compares) {
        "write `&&`"
    } else if is_joined {
        "write `+` to join text"
    } else {
        "write `&&`, or `+` to join text"
    }
}

/// Describes a single `|`: a typo, or a filter of a template language.
fn pipe(tokens: &Tokens<'_>, position: usize) -> SyntaxError {
    let error = not_an_operator("|", tokens.range(position));
    let name = tokens.text(position + 1);
    let is_filter = tokens.list().get(position + 1).is_some_and(|token| token.kind == Kind::Name)
        && !matches!(tokens.text(position + 2), "." | "[" | "==" | "!=" | "<" | ">" | "<=" | ">=");
    match name {
        "default" | "d" | "default_if_none" if is_filter => {
            error.help("write `coalesce(value, fallback)` for a fallback")
        }
        _ if is_filter => error.help(format!("write `||`, or call a function: `{name}(value)`")),
        _ => error.help("write `||`"),
    }
}

fn not_an_operator(written: &str, range: std::ops::Range<usize>) -> SyntaxError {
    SyntaxError::new(range, format!("`{written}` is not an operator"), "here")
}

/// Returns the text of some tokens if they are a single operand: a path, a call or a literal.
fn operand<'t>(
    text: &'t str,
    tokens: &Tokens<'_>,
    range: std::ops::Range<usize>,
) -> Option<&'t str> {
    let mut depth = 0_usize;
    for position in range.clone() {
        let token = tokens.list().get(position)?;
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.checked_sub(1)?,
            Kind::Other if depth == 0 && tokens.text(position) != "." => return None,
            _ => {}
        }
    }
    let (first, last) = (range.start, range.end.checked_sub(1)?);
    text.get(tokens.range(first).start..tokens.range(last).end).filter(|text| !text.is_empty())
}

/// Returns whether `=>` follows the name of a variable: `x => …` or `(x) => …` as an argument.
fn is_arrow(tokens: &Tokens<'_>, position: usize) -> bool {
    let before = |back: usize| position.checked_sub(back).map_or("", |at| tokens.text(at));
    let is_name = |back: usize| {
        let token = position.checked_sub(back).and_then(|at| tokens.list().get(at));
        token.is_some_and(|token| token.kind == Kind::Name)
    };
    (is_name(1) && matches!(before(2), "(" | ","))
        || (before(1) == ")" && is_name(2) && before(3) == "(")
}

fn is_operand_end(tokens: &Tokens<'_>, position: usize) -> bool {
    tokens.list().get(position).is_some_and(|token| {
        matches!(token.kind, Kind::Name | Kind::Number | Kind::Text { .. } | Kind::Close)
    })
}

fn starts_operand(tokens: &Tokens<'_>, position: usize) -> bool {
    tokens
        .list()
        .get(position)
        .is_some_and(|token| matches!(token.kind, Kind::Name | Kind::Number | Kind::Text { .. }))
}
