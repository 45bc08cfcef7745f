//! Unions: facts about their fields that follow from a condition on the constant of a case.

use super::*;

#[test]
fn a_constant_determines_which_fields_are_present() {
    for text in [
        "order.payment.kind == 'card' ? order.payment.paid : 0.0",
        "order.payment.kind != 'voucher' ? order.payment.paid : 0.0",
        "'voucher' == order.payment.kind ? 0.0 : order.payment.paid",
        "order.payment.kind in ['card', 'bank'] ? order.payment.paid : 0.0",
        "order.payment.kind == 'card' || order.payment.kind == 'bank' ? order.payment.paid : 0.0",
        "!(order.payment.kind == 'voucher') && order.payment.paid > 1",
        "order.payment.kind != 'card' && (order.payment.kind == 'voucher' || order.payment.iban == 'x')",
        "[order.payment].map(p, p.kind == 'bank', p.iban)[0]",
    ] {
        let found = problems(text);
        let guarded = |problem: &Problem| problem.code.number() == 406;
        assert!(!found.iter().any(guarded), "{text}: {found:#?}");
    }
    for text in [
        "order.payment.kind != 'card' ? order.payment.paid : 0.0",
        "order.payment.kind == 'card' ? size(order.payment.iban) : 0",
        "order.payment.kind == 'card' || order.gift ? order.payment.paid + 1 : 0.0",
    ] {
        let compiled = compile(text, &scope());
        assert!(compiled.is_err() || compiled.is_ok_and(|it| it.ty().nullable), "{text}");
    }
}

#[test]
fn the_help_names_the_constant() {
    let help = |text: &str| problems(text).remove(0).help.unwrap();
    assert!(help("order.payment.paid + 1").contains(
        "`when: ${{ order.payment.kind in [\"card\",\"bank\"] }}`".replace(",", ", ").as_str()
    ));
    let voucher = help("size(order.payment.voucher)");
    assert!(voucher.contains("`when: ${{ order.payment.kind == \"voucher\" }}`"), "{voucher}");
}

#[test]
fn a_condition_that_contradicts_itself_never_holds() {
    for text in [
        "order.payment.kind == 'card' && order.payment.kind == 'bank'",
        "order.note == null && order.note == 'x'",
        "order.amount > 10 && order.amount <= 10",
        "order.amount > order.fee && order.fee >= order.amount",
        "size(order.tags) == 0 && size(order.tags) > 0",
        "order.gift && !order.gift",
        "order.gift == false && order.gift",
        "order.tags.exists(t, t == 'a') && !order.tags.exists(t, t == 'a')",
        "order.pieces > 50",
        "order.status != 'new' && order.status != 'paid'",
        "order.due < '2025-01-01' && order.due > '2025-01-01'",
        "order.amount + order.fee > 5 && order.amount + order.fee < 5",
        "order.gift && false",
    ] {
        let compiled = compiled(text);
        assert!(compiled.facts().is_impossible(), "{text}: {:?}", compiled.facts());
        let negated = super::compiled(&format!("!({text})"));
        assert!(negated.is_always_true(), "!({text})");
    }
    for text in [
        "order.amount >= 10 && order.amount <= 10",
        "order.pieces >= 50",
        "order.note == null || order.note == 'x'",
        "order.amount > order.fee && order.fee < order.amount",
        "order.tags.exists(t, t == 'a') && !order.tags.exists(t, t == 'b')",
        "order.amount != 1 && order.amount != 2",
    ] {
        assert!(!compiled(text).facts().is_impossible(), "{text}");
        assert!(!compiled(text).is_always_true(), "{text}");
    }
}
