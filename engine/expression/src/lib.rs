//! CEL expressions in `${{ }}`: the grammar of CEL with static types and evaluation over exact
//! decimals.
//!
//! [`compile`] and [`compile_value`] check the text in a pipeline against a [`Scope`] and return a
//! [`Compiled`], which is evaluated in an [`Env`]. A compiled expression can only fail because a
//! number or a date is out of range, or because lists are too long. Every other possible failure is
//! a [`Problem`] unless a guard excludes it. Code in this crate must not use binary floating
//! point, the network, a clock, or the evaluator of the CEL parser.

mod check;
mod check_binary;
mod check_call;
mod check_date;
mod check_loop;
mod check_number;
mod check_path;
mod comparison;
mod compiled;
mod conversion;
mod domain;
mod eval;
mod facts;
mod from_cel;
mod functions;
mod guard;
mod hints;
mod interpolate;
mod lex;
mod lists;
mod literal;
mod missing_braces;
mod narrow;
mod node;
mod other_languages;
mod parse;
mod pieces;
mod precedence;
mod problem;
mod references;
mod scope;
mod syntax;
mod syntax_error;
mod value_expr;
mod widen;

#[cfg(test)]
mod tests;

pub use check_loop::too_long;
pub use compiled::{Compiled, compile};
pub use eval::{ELEMENTS_MAX, Env};
pub use facts::Facts;
pub use missing_braces::suggested_expression;
pub use precedence::{Level, operand};
pub use problem::{EvalError, Origin, Problem, ProblemSeverity};
pub use references::{Reference, references};
pub use scope::{Root, Scope, StepVar};
pub use value_expr::NOT_CLOSED;
pub use value_expr::compile_value;
pub use widen::chars_of;
