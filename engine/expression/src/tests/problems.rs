//! Tests the problems that are reported for invalid expressions: code, message, byte range and
//! help.

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
        ("order.gift & true", "write `&&`, or `+` to join text"),
        ("order.count > 0 & true", "write `&&`"),
        ("order.order_id & 'x'", "write `+` to join text"),
    ] {
        check(text, 402, "`&` is not an operator", "&", Some(help));
    }
    check("size(order.tags", 402, "`(` is not closed", "(", None);
    check("order.count)", 402, "unmatched `)`", ")", None);
    check("[order.count)", 402, "`)` does not match `[`", ")", None);
    check(
        "'é' + 'abc",
        402,
        "the text has no closing quote",
        "'abc",
        Some("add the closing quote"),
    );
    check("'é' + 1 2", 402, "unexpected `2`", "2", None);
    check("'é' + é", 402, "`é` is not allowed here", "é", None);
    check("order.count +", 402, "unexpected end of the expression", "+", None);
    check(
        "9223372036854775808",
        402,
        "the number does not fit in 64 bits",
        "9223372036854775808",
        Some("add a decimal point, as in `1.0`, for a decimal of up to 28 digits"),
    );
    let help = Some("compute the value in a `value.compute` step");
    check("let + 1", 402, "`let` is a reserved word", "let", help);
    check("1u", 402, "unsigned numbers are not supported", "1u", Some("remove the `u`"));
    check(
        "a{b: 1}",
        402,
        "named messages are not supported",
        "{",
        Some("write `{\"name\": value}`"),
    );
    check("{'a': 1, 'a': 2}", 402, "duplicate key `a`", "'a'", None);
    check("{order.count: 1}", 402, "the keys of a map must be quoted text", "order.count", None);
}

#[test]
fn limits() {
    let help = Some("compute a part of the expression in a `value.compute` step");
    let nested = format!("{}1{}", "(".repeat(65), ")".repeat(65));
    check(&nested, 417, "an expression can be nested at most 64 levels deep", &nested, help);
    let long = format!("1{}", " + 1".repeat(100));
    check(&long, 417, "an expression can be nested at most 64 levels deep", &long, help);
    let hostile = format!("1{}", "+1".repeat(2047));
    check(&hostile, 417, "an expression can be nested at most 64 levels deep", &hostile, help);
    let wide = format!("[{}]", "1, ".repeat(1500));
    check(&wide, 417, "an expression can have at most 4096 bytes", &wide, help);
    check(
        "order.tags.map(a, order.tags.map(b, order.tags.map(c, 1)))",
        417,
        "loops can be nested at most 2 levels deep",
        "map",
        help,
    );
}

#[test]
fn names() {
    check("ordr.amount", 403, "unknown name `ordr`", "ordr", Some("did you mean `order`?"));
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
        "`item` is not available here",
        "item",
        Some("`item` is only available in a step with `for_each`"),
    );
    check(
        "error.step",
        403,
        "`error` is not available here",
        "error",
        Some("`error` is only available in a catch step, that is, a step that `on_failure` names"),
    );
    check(
        "intake.name",
        403,
        "`intake` is not available here",
        "intake",
        Some("`intake` is only available in `order.key`"),
    );
    check(
        "steps.convertt.amount",
        403,
        "there is no step `convertt` that always runs before this one",
        "convertt",
        Some("did you mean `convert`?"),
    );
    check(
        "steps == null",
        403,
        "`steps` is not a value by itself",
        "steps",
        Some("use the output of a step, such as `steps.broken`"),
    );
    check(
        "order.items.map(x, .x.sku)",
        403,
        "unknown name `x`",
        ".x",
        Some("write `x` for the element"),
    );
    check("{}.a", 403, "`{}` has no field `a`", "a", None);
    assert_eq!(problems("order.tags.map(steps, .steps.convert.rate)"), []);
    check(
        "sizes(order.tags)",
        403,
        "unknown function `sizes`",
        "sizes",
        Some("did you mean `size`?"),
    );
    check(
        "order.tags.length()",
        403,
        "unknown function `length`",
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
        "unknown function `map`",
        "map",
        Some("write it after a list: `list.map(x, …)`"),
    );
    check(
        "int(order.order_id)",
        403,
        "unknown function `int`",
        "int",
        Some("convert text with a fallback: `decimal(order.order_id, …)`"),
    );
}

#[test]
fn operands() {
    check(
        "order.amount + 'x'",
        404,
        "`+` cannot be applied to a decimal and text",
        "order.amount + 'x'",
        Some("convert it with `string(order.amount)`"),
    );
    check(
        "(order.gift) * 2",
        404,
        "`*` cannot be applied to a boolean and an integer",
        "(order.gift) * 2",
        None,
    );
    check(
        "order.count && order.gift",
        404,
        "`&&` expects a condition, found an integer",
        "order.count",
        Some("write `order.count != 0`"),
    );
    let help = Some("write `order.count == 0`");
    check("!order.count", 404, "`!` expects a condition, found an integer", "order.count", help);
    check(
        "order.gift ? 1 : 'a'",
        404,
        "the sides of `?:` have no common type: an integer and text",
        "order.gift ? 1 : 'a'",
        None,
    );
    check(
        "order.amount / 2",
        404,
        "`/` divides only integers, because a decimal quotient must be rounded",
        "order.amount / 2",
        Some(
            "use `div(order.amount, 2, 2, \"half_even\")` with the number of decimal places and the rounding mode",
        ),
    );
    check(
        "order.amount == 'x'",
        404,
        "`==` cannot be applied to a decimal and text",
        "order.amount == 'x'",
        None,
    );
    check(
        "order.placed_at < order.due",
        404,
        "`<` cannot be applied to a timestamp and a date",
        "order.placed_at < order.due",
        Some("use the calendar date: `date(order.placed_at)`"),
    );
    check(
        "1 in order.tags",
        404,
        "`in` cannot be applied to an integer and text",
        "1 in order.tags",
        None,
    );
    check("1 in order.count", 404, "`in` expects a list, found an integer", "order.count", None);
    check(
        "size(order.count)",
        404,
        "`size` expects a list or text, found an integer",
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
        "the number of decimal places must be a constant from 0 to 12",
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
            "use `get(order.items, 0)` for one element, or `order.items.map(x, x.sku)` for all elements",
        ),
    );
    check(
        "order.count.map(x, x)",
        404,
        "`map` expects a list, found an integer",
        "order.count",
        None,
    );
    let help = Some("write `t != \"\"`, or compare it with other text");
    check("order.tags.filter(t, t)", 404, "`filter` expects a condition, found text", "t", help);
}
