//! Converts the tree of the CEL parser. The parser records one token for each node; the token list
//! provides the rest of its range.

use std::ops::Range;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, EntryExpr, Expr as CelExpr, LiteralValue, SourceInfo, operators};
use oms_core::money::Decimal;
use oms_core::value::Value;

use super::lex::Tokens;
use super::parse::SyntaxError;
use super::syntax::{Expr, ExprKind, Operator};

/// Converts a tree.
pub(super) fn convert(
    text: &str,
    tokens: &Tokens<'_>,
    source: &SourceInfo,
    tree: IdedExpr,
) -> Result<Expr, SyntaxError> {
    Converter { text, tokens, source }.expr(tree)
}

struct Converter<'t> {
    text: &'t str,
    tokens: &'t Tokens<'t>,
    source: &'t SourceInfo,
}

impl Converter<'_> {
    /// Returns the position of the token that the parser recorded for a node.
    fn token(&self, id: u64) -> usize {
        let start = self.source.offset_for(id).map_or(self.text.len(), |(start, _)| start as usize);
        self.tokens.find(start)
    }

    fn expr(&self, tree: IdedExpr) -> Result<Expr, SyntaxError> {
        let token = self.token(tree.id);
        let at = self.tokens.range(token);
        Ok(match tree.expr {
            CelExpr::Literal(literal) => return self.literal(token, literal),
            CelExpr::Ident(name) => match name.strip_prefix('.') {
                Some(outer) => {
                    let span = self.tokens.range(token.saturating_sub(1)).start..at.end;
                    Expr { kind: ExprKind::OuterName(outer.to_owned()), span, at }
                }
                None => Expr { kind: ExprKind::Name(name), span: at.clone(), at },
            },
            CelExpr::Select(select) => {
                let operand = self.expr(*select.operand)?;
                let at = self.tokens.range(token + 1);
                let span = self.tokens.with_parentheses(operand.span.clone()).start..at.end;
                Expr { kind: ExprKind::Select(Box::new(operand), select.field), span, at }
            }
            CelExpr::List(list) => {
                let elements = list.elements.into_iter().map(|element| self.expr(element));
                let kind = ExprKind::List(elements.collect::<Result<_, _>>()?);
                Expr { kind, span: self.bracket(token), at }
            }
            CelExpr::Map(map) => {
                let mut entries = Vec::with_capacity(map.entries.len());
                for entry in map.entries {
                    if let EntryExpr::MapEntry(entry) = entry.expr {
                        entries.push((self.expr(entry.key)?, self.expr(entry.value)?));
                    }
                }
                let kind = ExprKind::Record(self.named(entries)?);
                Expr { kind, span: self.bracket(token), at }
            }
            CelExpr::Call(call) => return self.call(token, call),
            CelExpr::Struct(_) => {
                return Err(SyntaxError::new(at, "named messages are not supported", "use a map")
                    .help("write `{\"name\": value}`"));
            }
            CelExpr::Comprehension(_) | CelExpr::Unspecified => {
                return Err(SyntaxError::new(at, "cannot parse the expression", "here"));
            }
        })
    }

    fn named(
        &self,
        entries: Vec<(Expr, Expr)>,
    ) -> Result<Vec<(String, Range<usize>, Expr)>, SyntaxError> {
        let mut named: Vec<(String, Range<usize>, Expr)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let ExprKind::Literal(Value::Text(name)) = &key.kind else {
                return Err(SyntaxError::new(
                    key.span,
                    "the keys of a map must be quoted text",
                    "not quoted text",
                ));
            };
            if named.iter().any(|(known, ..)| known.as_str() == name.as_ref()) {
                return Err(SyntaxError::new(
                    key.span,
                    format!("duplicate key `{name}`"),
                    "duplicate",
                ));
            }
            named.push((name.to_string(), key.span, value));
        }
        Ok(named)
    }

    fn literal(&self, token: usize, literal: LiteralValue) -> Result<Expr, SyntaxError> {
        let mut span = self.tokens.range(token);
        let negative = match &literal {
            LiteralValue::Int(value) => *value.inner() < 0,
            LiteralValue::Double(value) => value.inner().is_sign_negative(),
            _ => false,
        };
        if negative {
            span.start = self.tokens.range(token.saturating_sub(1)).start;
        }
        let value = match literal {
            LiteralValue::Null => Value::Null,
            LiteralValue::Boolean(value) => Value::Bool(value.into_inner()),
            LiteralValue::Int(value) => Value::Int(value.into_inner()),
            LiteralValue::String(value) => Value::text(value.inner()),
            // The original digits: the parser has converted its number to binary floating point.
            LiteralValue::Double(_) => {
                let digits = self.tokens.text(token);
                let number = Decimal::from_json_number(&if digits.starts_with('.') {
                    format!("0{digits}")
                } else {
                    digits.to_owned()
                })
                .map_err(|_| {
                    SyntaxError::new(
                        span.clone(),
                        "a decimal can have at most 28 digits",
                        "too many digits",
                    )
                })?;
                Value::Decimal(if negative { -number } else { number })
            }
            LiteralValue::UInt(_) => {
                return Err(SyntaxError::new(
                    span,
                    "unsigned numbers are not supported",
                    "ends with `u`",
                )
                .help("remove the `u`"));
            }
            LiteralValue::Bytes(_) => {
                return Err(SyntaxError::new(
                    span,
                    "byte strings are not supported",
                    "begins with `b`",
                )
                .help("remove the `b`"));
            }
        };
        Ok(Expr { kind: ExprKind::Literal(value), at: span.clone(), span })
    }

    fn call(&self, token: usize, call: CallExpr) -> Result<Expr, SyntaxError> {
        let at = self.tokens.range(token);
        if call.target.is_some() || !is_operator(&call.func_name) {
            let name_at = self.tokens.range(token.saturating_sub(1));
            let end = self.bracket(token).end;
            let target = call.target.map(|target| self.expr(*target)).transpose()?;
            let start = target.as_ref().map_or(name_at.start, |target| {
                self.tokens.with_parentheses(target.span.clone()).start
            });
            let args = call.args.into_iter().map(|arg| self.expr(arg)).collect::<Result<_, _>>()?;
            let name = call.func_name.trim_start_matches('.').to_owned();
            let kind = ExprKind::Call { name, target: target.map(Box::new), args };
            return Ok(Expr { kind, span: start..end, at: name_at });
        }
        let args =
            call.args.into_iter().map(|arg| self.expr(arg)).collect::<Result<Vec<_>, _>>()?;
        let mut span = at.clone();
        for arg in &args {
            let around = self.tokens.with_parentheses(arg.span.clone());
            span = span.start.min(around.start)..span.end.max(around.end);
        }
        let kind = match (call.func_name.as_str(), args) {
            (operators::LOGICAL_NOT, args) => ExprKind::Not(Box::new(single_argument(args, &at)?)),
            (operators::NEGATE, args) => ExprKind::Negate(Box::new(single_argument(args, &at)?)),
            (operators::CONDITIONAL, args) => ExprKind::If(Box::new(arguments(args, &at)?)),
            (operators::INDEX, args) => {
                span.end = self.bracket(token).end;
                ExprKind::Index(Box::new(arguments(args, &at)?))
            }
            (name, args) => match binary(name) {
                Some(operator) => ExprKind::Binary(operator, Box::new(arguments(args, &at)?)),
                None => return Err(SyntaxError::new(at, "unknown operator", "here")),
            },
        };
        Ok(Expr { kind, span, at })
    }

    /// Returns the range from an opening bracket to the matching closing one.
    fn bracket(&self, token: usize) -> Range<usize> {
        let open = self.tokens.range(token);
        let close = self.tokens.list().get(token).and_then(|token| token.mate);
        open.start..close.map_or(open.end, |close| self.tokens.range(close).end)
    }
}

fn single_argument(args: Vec<Expr>, at: &Range<usize>) -> Result<Expr, SyntaxError> {
    let [only] = arguments(args, at)?;
    Ok(only)
}

fn arguments<const N: usize>(args: Vec<Expr>, at: &Range<usize>) -> Result<[Expr; N], SyntaxError> {
    <[Expr; N]>::try_from(args)
        .map_err(|_| SyntaxError::new(at.clone(), "an operand is missing", "of this operator"))
}

fn is_operator(name: &str) -> bool {
    matches!(
        name,
        operators::LOGICAL_NOT | operators::NEGATE | operators::CONDITIONAL | operators::INDEX
    ) || binary(name).is_some()
}

fn binary(name: &str) -> Option<Operator> {
    Some(match name {
        operators::ADD => Operator::Add,
        operators::SUBSTRACT => Operator::Subtract,
        operators::MULTIPLY => Operator::Multiply,
        operators::DIVIDE => Operator::Divide,
        operators::MODULO => Operator::Remainder,
        operators::EQUALS => Operator::Equal,
        operators::NOT_EQUALS => Operator::NotEqual,
        operators::LESS => Operator::Less,
        operators::LESS_EQUALS => Operator::LessOrEqual,
        operators::GREATER => Operator::Greater,
        operators::GREATER_EQUALS => Operator::GreaterOrEqual,
        operators::IN => Operator::In,
        operators::LOGICAL_AND => Operator::And,
        operators::LOGICAL_OR => Operator::Or,
        _ => return None,
    })
}
