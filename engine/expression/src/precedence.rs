//! Adds parentheses to the parts from which a help text composes an expression.

use std::borrow::Cow;

use super::lex::{Kind, Tokens};

/// The precedence of an expression, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Conditional,
    Or,
    And,
    Comparison,
    Sum,
    Product,
    Unary,
    Member,
}

/// Returns an expression as an operand where the precedence must be at least `level`.
pub fn operand(code: &str, level: Level) -> Cow<'_, str> {
    if level_of(code) < level { Cow::Owned(format!("({code})")) } else { Cow::Borrowed(code) }
}

fn level_of(code: &str) -> Level {
    let tokens = Tokens::read(code);
    let mut depth = 0_usize;
    let mut loosest = Level::Member;
    let mut follows_operand = false;
    for (position, token) in tokens.list().iter().enumerate() {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            _ if depth == 0 => {
                loosest = loosest.min(level_at(tokens.text(position), follows_operand));
            }
            _ => {}
        }
        follows_operand = !matches!(token.kind, Kind::Open | Kind::Other);
    }
    loosest
}

fn level_at(token: &str, follows_operand: bool) -> Level {
    match token {
        "?" => Level::Conditional,
        "||" => Level::Or,
        "&&" => Level::And,
        "==" | "!=" | "<" | "<=" | ">" | ">=" => Level::Comparison,
        "in" if follows_operand => Level::Comparison,
        "+" | "-" if follows_operand => Level::Sum,
        "*" | "/" | "%" => Level::Product,
        "-" | "!" => Level::Unary,
        _ => Level::Member,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_operands_of_lower_precedence_get_parentheses() {
        for (code, level, written) in [
            ("order.n", Level::Member, "order.n"),
            ("f(a + b, c)[0]", Level::Member, "f(a + b, c)[0]"),
            ("(a + b).c", Level::Member, "(a + b).c"),
            ("(a) + (b)", Level::Member, "((a) + (b))"),
            ("-order.n", Level::Member, "(-order.n)"),
            ("-order.n", Level::Sum, "-order.n"),
            ("order.n - 5", Level::Sum, "order.n - 5"),
            ("order.n - 5", Level::Product, "(order.n - 5)"),
            ("a * -b", Level::Product, "a * -b"),
            ("a in b", Level::Sum, "(a in b)"),
            ("a ? b : c", Level::Or, "(a ? b : c)"),
            ("'a + b'", Level::Member, "'a + b'"),
        ] {
            assert_eq!(operand(code, level), written, "{code}");
        }
    }
}
