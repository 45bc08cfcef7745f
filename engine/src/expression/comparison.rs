//! Comparisons, and what is known when one holds or fails.

use super::check::{Checked, coerce};
use super::facts::Facts;
use super::node::{Function, Node};
use super::syntax::{Expr, Operator};
use crate::value::{Type, Value};

/// Compares two values, numbers of both kinds as decimals.
pub(super) fn comparison(
    expr: &Expr,
    operator: Operator,
    left: Checked,
    right: Checked,
    ty: Option<Type>,
) -> Checked {
    let (holds, fails) = facts(operator, &left, &right);
    let nodes = match (&left.ty, &right.ty) {
        (Some(a), Some(b)) => [coerce(left.node, a, b).0, coerce(right.node, b, a).0],
        _ => [left.node, right.node],
    };
    let node = Node::Binary(operator, Box::new(nodes));
    Checked { holds, fails, ..Checked::new(node, ty, expr.span.clone()) }
}

fn facts(operator: Operator, left: &Checked, right: &Checked) -> (Facts, Facts) {
    let known = |operator: Operator| {
        fact(operator, left, right).and(&fact(operator.mirrored(), right, left))
    };
    (known(operator), operator.negated().map(known).unwrap_or_default())
}

/// What is known of `path` when it compares so with a constant.
fn fact(operator: Operator, path: &Checked, constant: &Checked) -> Facts {
    let Some(value) = constant.node.constant() else { return Facts::default() };
    if let Node::Call(Function::Size, args) = &path.node
        && let Value::Int(count) = value
        && args.len() == 1
    {
        let at_least = match operator {
            Operator::Greater => count.saturating_add(1),
            Operator::GreaterOrEqual | Operator::Equal => *count,
            Operator::NotEqual if *count == 0 => 1,
            _ => 0,
        };
        let at_least = u64::try_from(at_least).unwrap_or(0);
        return match &path.path {
            Some(sized) if at_least > 0 => Facts::size(sized, at_least),
            _ => Facts::default(),
        };
    }
    let Some(name) = &path.path else { return Facts::default() };
    let sign = match value {
        Value::Null | Value::Missing => {
            return if operator == Operator::NotEqual {
                Facts::present(name)
            } else {
                Facts::default()
            };
        }
        Value::Int(value) => value.signum(),
        Value::Decimal(value) if value.is_zero() => 0,
        Value::Decimal(value) => {
            if value.is_negative() {
                -1
            } else {
                1
            }
        }
        _ => {
            return if operator == Operator::Equal {
                Facts::present(name)
            } else {
                Facts::default()
            };
        }
    };
    let nonzero = match operator {
        Operator::Equal => sign != 0,
        Operator::NotEqual => sign == 0,
        Operator::Greater => sign >= 0,
        Operator::GreaterOrEqual => sign > 0,
        Operator::Less => sign <= 0,
        Operator::LessOrEqual => sign < 0,
        _ => false,
    };
    let known = if nonzero { Facts::nonzero(name) } else { Facts::default() };
    if operator == Operator::Equal { known.and(&Facts::present(name)) } else { known }
}
