//! What is said about an expression that is wrong: the code, the message, the bytes it points at and the help.

use super::*;

#[track_caller]
pub(super) fn check(text: &str, code: u16, message: &str, underlined: &str, help: Option<&str>) {
    let problems = problems(text);
    let [problem] = problems.as_slice() else { panic!("{text}: {problems:#?}") };
    let within = problem.within.clone().unwrap();
    assert_eq!(
        (
            problem.code.number(),
            problem.message.as_str(),
            text.get(within),
            problem.help.as_deref()
        ),
        (code, message, Some(underlined), help),
        "{text}"
    );
}

#[test]
fn syntax() {
    check("", 402, "the expression is empty", "", Some("write a value, such as `${{ run.key }}`"));
    check("order.count = 3", 402, "`=` is not an operator", "=", Some("write `==`"));
    check("order.gift and true", 402, "`and` is not an operator", "and", Some("write `&&`"));
    check("order.gift or true", 402, "`or` is not an operator", "or", Some("write `||`"));
    check("not order.gift", 402, "`not` is not an operator", "not", Some("write `!`"));
    for (text, help) in [
        ("order.gift & true", "write `&&`, or `+` to join texts"),
        ("order.count > 0 & true", "write `&&`"),
        ("order.order_id & 'x'", "to join texts, write `+`"),
    ] {
        check(text, 402, "`&` is not an operator", "&", Some(help));
    }
    check("size(order.tags", 402, "`(` is not closed", "(", None);
    check("order.count)", 402, "`)` closes nothing", ")", None);
    check("[order.count)", 402, "`)` closes a `[`", ")", None);
    check("'é' + 'abc", 402, "a text is not closed", "'abc", Some("put the same quote at its end"));
    check("'é' + 1 2", 402, "unexpected `2`", "2", None);
    check("'é' + é", 402, "`é` has no meaning here", "é", None);
    check("order.count +", 402, "the expression ends too early", "+", None);
    check(
        "9223372036854775808",
        402,
        "the number does not fit in 64 bits",
        "9223372036854775808",
        Some("with a point, as in `1.0`, it is a decimal of up to 28 digits"),
    );
    let help = Some("compute the value in a `value.compute` step");
    check("let + 1", 402, "`let` is a reserved word", "let", help);
    check("1u", 402, "there are no unsigned numbers", "1u", Some("leave the `u` out"));
    check("a{b: 1}", 402, "there are no named messages", "{", Some("write `{\"name\": value}`"));
    check("{'a': 1, 'a': 2}", 402, "`a` stands twice in one map", "'a'", None);
    check(
        "{order.count: 1}",
        402,
        "the keys of a map are texts that stand there",
        "order.count",
        None,
    );
}

#[test]
fn limits() {
    let help = Some("compute a part of it in a `value.compute` step");
    let nested = format!("{}1{}", "(".repeat(65), ")".repeat(65));
    check(&nested, 417, "an expression nests at most 64 deep", &nested, help);
    let long = format!("1{}", " + 1".repeat(100));
    check(&long, 417, "an expression nests at most 64 deep", &long, help);
    let hostile = format!("1{}", "+1".repeat(2047));
    check(&hostile, 417, "an expression nests at most 64 deep", &hostile, help);
    let wide = format!("[{}]", "1, ".repeat(1500));
    check(&wide, 417, "an expression has at most 4096 bytes", &wide, help);
    check(
        "order.tags.map(a, order.tags.map(b, order.tags.map(c, 1)))",
        417,
        "loops nest at most 2 deep",
        "map",
        help,
    );
}

#[test]
fn names() {
    check("ordr.amount", 403, "`ordr` does not exist", "ordr", Some("did you mean `order`?"));
    check(
        "order.ammount",
        403,
        "`order` has no field `ammount`",
        "ammount",
        Some("did you mean `amount`?"),
    );
    check(
        "order.address != null && order.address.citi == ''",
        403,
        "`order.address` has no field `citi`",
        "citi",
        Some("did you mean `city`?"),
    );
    check(
        "item.sku",
        403,
        "`item` does not exist here",
        "item",
        Some("`item` exists only in a step with `for_each`"),
    );
    check(
        "error.step",
        403,
        "`error` does not exist here",
        "error",
        Some("`error` exists only in a catch step, one that an `on_failure` names"),
    );
    check(
        "intake.name",
        403,
        "`intake` does not exist here",
        "intake",
        Some("`intake` exists only in `order.key`"),
    );
    check(
        "steps.convertt.amount",
        403,
        "there is no step `convertt` that surely ran before this",
        "convertt",
        Some("did you mean `convert`?"),
    );
    check(
        "steps == null",
        403,
        "`steps` is not a value by itself",
        "steps",
        Some("name one of them: `steps.broken`"),
    );
    check(
        "sizes(order.tags)",
        403,
        "there is no function `sizes`",
        "sizes",
        Some("did you mean `size`?"),
    );
    check(
        "order.tags.length()",
        403,
        "there is no function `length`",
        "length",
        Some("write `size(order.tags)`"),
    );
    check(
        "order.amount.round(2, 'up')",
        403,
        "`round` is a function, not a method",
        "round",
        Some("write `round(order.amount, 2, 'up')`"),
    );
    check(
        "map(order.tags, 1)",
        403,
        "there is no function `map`",
        "map",
        Some("write it behind a list: `list.map(x, …)`"),
    );
    check(
        "int(order.order_id)",
        403,
        "there is no function `int`",
        "int",
        Some(
            "a text is read with a fallback, `decimal(order.order_id, …)`; numbers are exact here",
        ),
    );
}

#[test]
fn operands() {
    check(
        "order.amount + 'x'",
        404,
        "`+` does not fit a decimal and text",
        "order.amount + 'x'",
        Some("`string(order.amount)` makes text of it"),
    );
    check(
        "(order.gift) * 2",
        404,
        "`*` does not fit a boolean and a whole number",
        "(order.gift) * 2",
        None,
    );
    check(
        "order.count && order.gift",
        404,
        "`&&` wants a condition, not a whole number",
        "order.count",
        Some("write `order.count != 0`"),
    );
    let help = Some("write `order.count == 0`");
    check("!order.count", 404, "`!` wants a condition, not a whole number", "order.count", help);
    check(
        "order.gift ? 1 : 'a'",
        404,
        "the sides of `?:` have no type in common: a whole number and text",
        "order.gift ? 1 : 'a'",
        None,
    );
    check(
        "order.amount / 2",
        404,
        "`/` divides whole numbers only: a decimal quotient must be rounded",
        "order.amount / 2",
        Some(
            "use `div(order.amount, 2, 2, \"half_even\")`: the decimals to keep and the rounding mode",
        ),
    );
    check(
        "order.amount == 'x'",
        404,
        "`==` does not fit a decimal and text",
        "order.amount == 'x'",
        None,
    );
    check(
        "order.placed_at < order.due",
        404,
        "`<` does not fit a timestamp and a date",
        "order.placed_at < order.due",
        Some("take the calendar date: `date(order.placed_at)`"),
    );
    check(
        "1 in order.tags",
        404,
        "`in` does not fit a whole number and text",
        "1 in order.tags",
        None,
    );
    check("1 in order.count", 404, "`in` wants a list, not a whole number", "order.count", None);
    check(
        "size(order.count)",
        404,
        "`size` wants a list or text, not a whole number",
        "order.count",
        None,
    );
    check(
        "size(order.tags, 1)",
        404,
        "`size` takes 1 argument, not 2",
        "size(order.tags, 1)",
        Some("write `size(list)`"),
    );
    check(
        "round(order.amount, 13, 'up')",
        404,
        "the decimals to keep are a number from 0 to 12",
        "13",
        None,
    );
    check(
        "round(order.amount, 2, 'halfeven')",
        404,
        "not a rounding mode",
        "'halfeven'",
        Some("did you mean `half_even`?"),
    );
    check(
        "order.items.sku",
        404,
        "`order.items` has no fields: it is a list",
        "sku",
        Some(
            "take one element with `get(order.items, 0)`, or run over them with `order.items.map(x, x.sku)`",
        ),
    );
    check(
        "order.count.map(x, x)",
        404,
        "`map` runs over a list, not over a whole number",
        "order.count",
        None,
    );
    let help = Some("write `t != \"\"`, or compare it with another text");
    check("order.tags.filter(t, t)", 404, "`filter` wants a condition, not text", "t", help);
}
