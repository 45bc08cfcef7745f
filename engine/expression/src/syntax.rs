//! The syntax tree for the checker: the tree of CEL with byte ranges for every node and exact
//! numbers.

use std::ops::Range;

use oms_core::value::Value;

/// A node of the syntax tree.
#[derive(Clone, Debug)]
pub(super) struct Expr {
    pub(super) kind: ExprKind,
    /// The byte range, without enclosing parentheses.
    pub(super) span: Range<usize>,
    /// The range of its operator, field name, function name or opening bracket; the same as `span`
    /// for names and literals.
    pub(super) at: Range<usize>,
}

/// The kind of a node.
#[derive(Clone, Debug)]
pub(super) enum ExprKind {
    Literal(Value),
    Name(String),
    /// A name with a dot before it, such as `.order`. It never refers to a loop variable.
    OuterName(String),
    Select(Box<Expr>, String),
    Index(Box<[Expr; 2]>),
    Call {
        name: String,
        target: Option<Box<Expr>>,
        args: Vec<Expr>,
    },
    Not(Box<Expr>),
    Negate(Box<Expr>),
    Binary(Operator, Box<[Expr; 2]>),
    If(Box<[Expr; 3]>),
    List(Vec<Expr>),
    /// Names, their ranges, and values.
    Record(Vec<(String, Range<usize>, Expr)>),
}

/// An operator between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    And,
    Or,
}

impl Operator {
    /// Returns its notation.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
            Self::And => "&&",
            Self::Or => "||",
        }
    }

    /// Returns the equivalent operator for swapped operands.
    pub(super) const fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            other => other,
        }
    }

    /// Returns the comparison that holds if and only if this one fails.
    pub(super) const fn negated(self) -> Option<Self> {
        Some(match self {
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::Less => Self::GreaterOrEqual,
            Self::LessOrEqual => Self::Greater,
            Self::Greater => Self::LessOrEqual,
            Self::GreaterOrEqual => Self::Less,
            _ => return None,
        })
    }
}

impl Expr {
    /// Returns whether it is `name(.name)*`, with or without a dot before it.
    pub(super) fn is_bare_path(&self) -> bool {
        let mut expr = self;
        while let ExprKind::Select(operand, _) = &expr.kind {
            expr = operand;
        }
        matches!(expr.kind, ExprKind::Name(_) | ExprKind::OuterName(_))
    }
}
