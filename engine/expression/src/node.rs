//! The run-time form of a checked expression: a tree in which positions replace names.

use std::sync::Arc;

use oms_core::mail::UrlPart;
use oms_core::money::Rounding;
use oms_core::time_zone::TimeZone;
use oms_core::value::{RecordType, Value};

use super::syntax::Operator;

/// A node of a checked expression.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Const(Value),
    /// A value that is fixed for a plan, but that another environment can set differently, so it is
    /// not a constant of the pipeline.
    Bound(Value),
    /// Fields below a root, by their positions.
    Path {
        base: Base,
        fields: Box<[usize]>,
    },
    Field(Box<Self>, usize),
    /// An element that is proved to exist.
    At(Box<Self>, usize),
    Not(Box<Self>),
    Negate(Box<Self>),
    /// Any operator except `&&` and `||`.
    Binary(Operator, Box<[Self; 2]>),
    And(Box<[Self; 2]>),
    Or(Box<[Self; 2]>),
    If(Box<[Self; 3]>),
    Call(Function, Vec<Self>),
    Round {
        places: u32,
        mode: Rounding,
        operand: Box<Self>,
    },
    Divide {
        places: u32,
        mode: Rounding,
        operands: Box<[Self; 2]>,
    },
    /// The day of a timestamp in a time zone.
    Day(Box<Self>, TimeZone),
    Loop(Box<Loop>),
    List(Vec<Self>),
    Record(Arc<RecordType>, Vec<Self>),
    /// A concatenation of texts and values.
    Concat(Vec<Self>),
    /// A value that is percent-encoded for a part of a URL.
    Encoded(Box<Self>, UrlPart),
    Coerce(Box<Self>, Coercion),
}

/// The start of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    Order,
    Run,
    Step(usize),
    Item,
    Index,
    Error,
    Intake,
    Row,
    /// The variable of a loop, by the number of loops between it and the expression.
    Local(usize),
}

/// A function with only values as arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    /// A decimal from a text that is certain to be one.
    Decimal,
    /// A decimal from a text, or the second argument.
    DecimalOr,
    IsDecimal,
    Sum,
    /// Like `Sum`, for integers.
    SumInt,
    Min,
    Max,
    Text,
    Upper,
    Lower,
    UpperAscii,
    LowerAscii,
    Trim,
    StartsWith,
    EndsWith,
    Contains,
    Get,
    Coalesce,
}

/// A loop over a list.
#[derive(Clone, Debug)]
pub(super) struct Loop {
    pub(super) kind: LoopKind,
    pub(super) list: Node,
    /// The condition of a `map` with three arguments.
    pub(super) condition: Option<Node>,
    pub(super) body: Node,
}

/// The kind of a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoopKind {
    Map,
    Filter,
    All,
    Exists,
    ExistsOne,
}

/// Conversions from integers within a value to decimals.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Coercion {
    Number,
    Elements(Box<Self>),
    Fields(Arc<RecordType>, Vec<(usize, Self)>),
}

impl Node {
    /// Returns whether the value depends only on the variables of the innermost `loops` enclosing
    /// loops.
    pub(super) fn is_constant(&self, loops: usize) -> bool {
        let all = |nodes: &[Self]| nodes.iter().all(|node| node.is_constant(loops));
        match self {
            Self::Const(_) => true,
            Self::Path { base: Base::Local(outwards), .. } => *outwards < loops,
            Self::Path { .. } | Self::Bound(_) => false,
            Self::Field(operand, _)
            | Self::At(operand, _)
            | Self::Not(operand)
            | Self::Negate(operand)
            | Self::Day(operand, _)
            | Self::Encoded(operand, _)
            | Self::Round { operand, .. }
            | Self::Coerce(operand, _) => operand.is_constant(loops),
            Self::Binary(_, operands)
            | Self::And(operands)
            | Self::Or(operands)
            | Self::Divide { operands, .. } => all(operands.as_slice()),
            Self::If(parts) => all(parts.as_slice()),
            Self::Call(_, nodes)
            | Self::List(nodes)
            | Self::Record(_, nodes)
            | Self::Concat(nodes) => all(nodes),
            Self::Loop(looping) => {
                looping.list.is_constant(loops)
                    && looping
                        .condition
                        .iter()
                        .chain([&looping.body])
                        .all(|node| node.is_constant(loops + 1))
            }
        }
    }

    /// Returns the value if it is constant.
    pub(super) const fn constant(&self) -> Option<&Value> {
        match self {
            Self::Const(value) => Some(value),
            _ => None,
        }
    }
}
