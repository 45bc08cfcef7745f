//! Generated expressions: the value of a compiled expression always has the type of the expression,
//! and no expression causes a panic.

use super::*;
use crate::EvalError;

/// The pieces of a generated expression. `#` stands for another piece.
const PIECES: &[&str] = &[
    "order.amount",
    "order.count",
    "order.note",
    "order.tip",
    "order.gift",
    "order.items",
    "order.tags",
    "order.address",
    "order.due",
    "order.placed_at",
    "order.status",
    "order.email",
    "order.currency",
    "order.pieces",
    "order.lines",
    "order.payment.kind",
    "x",
    "x.price",
    "x.discount",
    "null",
    "true",
    "0",
    "7",
    "1.50",
    "'a'",
    "'12.5'",
    "[]",
    "[#, #]",
    "{'k': #}.k",
    "(# + #)",
    "(# - #)",
    "(# * #)",
    "(# / #)",
    "(# % #)",
    "-(#)",
    "(# == #)",
    "(# != #)",
    "(# < #)",
    "(# >= #)",
    "(# in #)",
    "(# && #)",
    "(# || #)",
    "!(#)",
    "(# ? # : #)",
    "#[0]",
    "#[1]",
    "size(#)",
    "sum(#)",
    "decimal(#)",
    "decimal(#, #)",
    "is_decimal(#)",
    "round(#, 2, 'half_even')",
    "div(#, #, 4, 'down')",
    "min(#, #)",
    "max(#, #)",
    "string(#)",
    "upper(#)",
    "#.trim()",
    "#.startsWith(#)",
    "date(#)",
    "get(#, #)",
    "coalesce(#, #)",
    "has(order.note)",
    "#.map(x, #)",
    "#.map(x, #, #)",
    "#.filter(x, #)",
    "#.exists(x, #)",
    "(order.note != null ? order.note : #)",
    "(order.tip != null && (order.tip + #) > 0)",
    "(size(order.tags) > 1 ? order.tags[1] : #)",
    "(order.count != 0 ? order.count / order.count : #)",
    "(x.discount != null ? x.discount : #)",
    "(order.payment.kind == 'card' ? order.payment.paid : #)",
    "(order.payment.kind in ['bank', 'voucher'] || order.payment.paid > #)",
    "(order.pieces < 30 ? order.pieces : #)",
    "(# == null)",
    "(# != # && #)",
];

/// A linear congruential generator (Knuth's MMIX constants): the same expressions on every run.
struct Generator(u64);

impl Generator {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn expression(&mut self, depth: usize) -> String {
        let piece = PIECES[self.below(if depth == 0 { 26 } else { PIECES.len() })];
        let mut text = String::new();
        for (position, part) in piece.split('#').enumerate() {
            if position > 0 {
                text.push_str(&self.expression(depth - 1));
            }
            text.push_str(part);
        }
        text
    }
}

#[test]
fn a_compiled_expression_returns_a_value_of_its_type() {
    let mut generator = Generator(7);
    let mut ran = 0;
    with_order(|env| {
        for _ in 0..12_000 {
            let depth = 1 + generator.below(3);
            let text = generator.expression(depth);
            let Ok(compiled) = compile(&text, &scope()) else { continue };
            match compiled.eval(env) {
                Ok(value) => {
                    assert!(
                        compiled.ty().contains(&value),
                        "{text}: {value:?} is not of type {:?}",
                        compiled.ty()
                    );
                    match value {
                        Value::Bool(true) => assert!(!compiled.facts().is_impossible(), "{text}"),
                        Value::Bool(false) => assert!(!compiled.is_always_true(), "{text}"),
                        _ => {}
                    }
                    ran += 1;
                }
                Err(EvalError::Overflow) => {}
                Err(error) => panic!("{text}: {error}"),
            }
        }
    });
    assert!(ran > 1_000, "only {ran} compiled");
}

#[test]
fn damaged_expressions_are_rejected_without_a_panic() {
    let whole = "order.note != null && order.tags.exists(t, t == 'é}}') ? round(-1.5e2 * order.amount, 2, \"up\") : {'a': [1]}.a[0]";
    let mut generator = Generator(11);
    for _ in 0..600 {
        let mut chars: Vec<char> = whole.chars().collect();
        for _ in 0..=generator.below(3) {
            let at = generator.below(chars.len());
            match generator.below(3) {
                0 => drop(chars.remove(at)),
                1 => {
                    chars.insert(at, ['(', '"', '}', '.', '\\', 'é', '\n', '='][generator.below(8)])
                }
                _ => chars.truncate(at.max(1)),
            }
        }
        let text: String = chars.into_iter().collect();
        for problem in problems(&text) {
            let within = problem.within.clone().unwrap();
            assert!(text.get(within).is_some(), "{text}: {problem:?}");
        }
        let embedded = serde_json::Value::from(format!("é ${{{{ {text} }}}} é"));
        let found = crate::compile_value(&embedded, None, &scope());
        for problem in found.err().unwrap_or_default() {
            if let Some(within) = problem.within.clone() {
                assert!(embedded.as_str().unwrap().get(within).is_some(), "{text}: {problem:?}");
            }
        }
    }
}
