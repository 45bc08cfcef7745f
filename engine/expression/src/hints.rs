//! Suggestions for functions, fields and names of other languages.

use oms_core::value::{Shape, Type};

use super::precedence::{Level, operand};
use super::widen;

/// Returns a suggestion for a function that does not exist. `operands` are its arguments, with the
/// target of a method first. `alone` is true if the call is the whole expression.
pub(super) fn function(name: &str, operands: &[&str], alone: bool) -> Option<String> {
    let first = operands.first().copied().filter(|first| !first.is_empty()).unwrap_or("value");
    let second = operands.get(1).copied();
    let or = |default: &'static str| second.map_or_else(|| default.to_owned(), str::to_owned);
    let as_first = |level| operand(first, level);
    let joined = |operator: &str, level: Level| {
        let operands: Vec<_> = operands.iter().map(|code| operand(code, level)).collect();
        operands.join(operator)
    };
    let write = |code: String| {
        let level = if alone { Level::Conditional } else { Level::Member };
        Some(format!("write `{}`", operand(&code, level)))
    };
    match name.to_ascii_lowercase().as_str() {
        "len" | "length" | "count" | "strlen" | "cardinality" => write(format!("size({first})")),
        "isempty" | "is_empty" | "empty" => write(format!("size({first}) == 0")),
        "isnull" | "is_null" | "isnone" => write(format!("{} == null", as_first(Level::Sum))),
        "isset" | "defined" | "isdefined" | "is_defined" | "exists" | "present" => {
            write(format!("{} != null", as_first(Level::Sum)))
        }
        "nvl" | "ifnull" | "default" | "orelse" | "or_else" | "getordefault" | "orvalue" => {
            write(format!("coalesce({first}, {})", or("fallback")))
        }
        "tostring" | "str" | "text" | "to_string" | "to_s" | "stringify" => {
            write(format!("string({first})"))
        }
        "int" | "integer" | "parseint" | "parsefloat" | "number" | "tonumber" | "double" | "float"
        | "uint" | "todecimal" | "bigdecimal" => Some(format!(
            "convert text with a fallback: `decimal({first}, …)`"
        )),
        "touppercase" | "toupper" | "ucase" | "uppercase" | "upcase" => write(format!("upper({first})")),
        "tolowercase" | "tolower" | "lcase" | "lowercase" | "downcase" => {
            write(format!("lower({first})"))
        }
        "strip" | "ltrim" | "rtrim" | "trimstart" | "trimend" => write(format!("trim({first})")),
        "concat" | "concatenate" | "append" => {
            let parts = joined(" + ", Level::Product);
            write(if operands.len() > 1 { parts } else { "a + b".to_owned() })
        }
        "format" | "sprintf" | "printf" | "interpolate" => Some(
            "put the values into the text, `\"… ${{ value }} …\"`, or join text with `+` and `string(value)`"
                .to_owned(),
        ),
        "includes" | "include" | "has_key" | "indexof" | "instr" => Some(format!(
            "write `contains({first}, {part})` for text, or `{} in {}` for a list",
            operand(&or("part"), Level::Sum),
            as_first(Level::Sum),
            part = or("part"),
        )),
        "startswith" | "starts_with" | "hasprefix" => {
            write(format!("startsWith({first}, {})", or("start")))
        }
        "endswith" | "ends_with" | "hassuffix" => write(format!("endsWith({first}, {})", or("end"))),
        "matches" | "match" | "regex" | "test" | "like" => Some(
            "use `startsWith`, `endsWith` or `contains`; patterns are not supported".to_owned(),
        ),
        "first" | "head" => write(format!("get({first}, 0)")),
        "last" => write(format!("get({first}, size({first}) - 1)")),
        "at" | "nth" | "elementat" => write(format!("get({first}, {})", or("0"))),
        "find" => write(format!("get({}.filter(x, …), 0)", as_first(Level::Member))),
        "some" | "any" => write(format!("{}.exists(x, …)", as_first(Level::Member))),
        "every" => write(format!("{}.all(x, …)", as_first(Level::Member))),
        "foreach" | "collect" | "select" => write(format!("{}.map(x, …)", as_first(Level::Member))),
        "where" => write(format!("{}.filter(x, …)", as_first(Level::Member))),
        "reduce" | "fold" | "sumof" | "total" => write(format!("sum({}.map(x, …))", as_first(Level::Member))),
        "avg" | "average" | "mean" => {
            write(format!("div(sum({first}), size({first}), 2, \"half_even\")"))
        }
        "abs" => write(format!(
            "({} < 0 ? -{} : {})",
            as_first(Level::Sum),
            as_first(Level::Member),
            as_first(Level::Or)
        )),
        "ceil" | "ceiling" => write(format!("round({first}, 0, \"ceiling\")")),
        "floor" => write(format!("round({first}, 0, \"floor\")")),
        "trunc" | "truncate" => write(format!("round({first}, 0, \"down\")")),
        "tofixed" | "rounded" => write(format!("round({first}, {}, \"half_even\")", or("2"))),
        "mod" | "modulo" => write(format!(
            "{} % {}",
            as_first(Level::Product),
            operand(&or("divisor"), Level::Unary)
        )),
        "now" | "today" | "current_timestamp" | "currentdate" | "getdate" | "sysdate" | "utcnow" => {
            Some("write `run.accepted_at`, the time at which the order was accepted".to_owned())
        }
        "todate" | "to_date" | "day" | "todatestring" => write(format!("date({first})")),
        "timestamp" | "parse_date" | "parsedate" | "totimestamp" | "datetime" => Some(
            "declare `format: date-time` or `format: date` for the text in the order schema".to_owned(),
        ),
        "toisostring" | "isoformat" | "strftime" | "formatdate" => write(format!("string({first})")),
        "iif" | "cond" | "ternary" | "choose" | "if_else" | "ifelse" => {
            write("condition ? value : otherwise".to_owned())
        }
        "not" => write(format!("!({first})")),
        "and" => write(joined(" && ", Level::And)).filter(|_| operands.len() > 1),
        "or" => write(joined(" || ", Level::Or)).filter(|_| operands.len() > 1),
        name if name.starts_with("get") && is_part_of_date(name) => Some(part_of_timestamp(first)),
        name if is_part_of_date(name) => Some(
            "use `date(timestamp)` for the calendar date; there is no function for parts of a date".to_owned(),
        ),
        _ => None,
    }
}

fn is_part_of_date(name: &str) -> bool {
    ["year", "month", "day", "hour", "minute", "second", "weekday", "date"]
        .iter()
        .any(|part| name.trim_end_matches('s').ends_with(part))
}

/// Returns a suggestion for a part of a date.
pub(super) fn part_of_date(name: &str, written: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    is_part_of_date(&name).then(|| {
        format!(
            "use `string({written})` for text such as `2025-12-31`; there is no function for parts of a date"
        )
    })
}

fn part_of_timestamp(written: &str) -> String {
    format!(
        "use `date({written})` for the calendar date, or `string(date({written}))` for text such as `2025-12-31`; there is no function for parts of a date"
    )
}

/// Returns a suggestion for a field of a value that has no fields.
pub(super) fn field(written: &str, field: &str, shape: &Shape) -> Option<String> {
    let sized = matches!(shape, Shape::List(_)) || widen::is_text(shape);
    match field {
        "length" | "size" | "count" | "len" if sized => Some(format!("write `size({written})`")),
        "first" if matches!(shape, Shape::List(_)) => Some(format!("write `get({written}, 0)`")),
        "last" if matches!(shape, Shape::List(_)) => {
            Some(format!("write `get({written}, size({written}) - 1)`"))
        }
        _ if matches!(shape, Shape::List(_)) => Some(format!(
            "use `get({written}, 0)` for one element, or `{}.map(x, x.{field})` for all elements",
            operand(written, Level::Member)
        )),
        _ if matches!(shape, Shape::Timestamp) && matches!(field, "date" | "day") => {
            Some(format!("write `date({written})`"))
        }
        _ if matches!(shape, Shape::Timestamp) && is_part_of_date(&field.to_ascii_lowercase()) => {
            Some(part_of_timestamp(written))
        }
        _ if matches!(shape, Shape::Date(_)) => part_of_date(field, written),
        _ => None,
    }
}

/// Returns a suggestion for a name that stands for a constant or a value in another language.
pub(super) fn name(name: &str) -> Option<&'static str> {
    Some(match name {
        "nil" | "None" | "undefined" | "NULL" | "Null" | "nothing" | "none" => "write `null`",
        "True" | "TRUE" | "yes" | "Yes" => "write `true`",
        "False" | "FALSE" | "no" | "No" => "write `false`",
        "now" | "today" => "write `run.accepted_at`, the time at which the order was accepted",
        "this" | "self" | "input" | "data" | "payload" | "event" | "body" => {
            "write `order` for the order"
        }
        "env" | "vars" | "secrets" => {
            "use `order`, `run` or the outputs of steps; expressions cannot read environment \
             variables or secrets"
        }
        _ => return None,
    })
}

/// Returns a suggestion for a value that is used as a condition but is not a boolean. `negated` is
/// true if the value is the operand of `!`.
pub(super) fn condition(written: &str, ty: &Type, negated: bool) -> Option<String> {
    let equal = if negated { "==" } else { "!=" };
    let compared = operand(written, Level::Sum);
    let write = |code: String| Some(format!("write `{code}`"));
    match &ty.shape {
        _ if ty.nullable => write(format!("{compared} {equal} null")),
        Shape::List(_) => write(format!("size({written}) {} 0", if negated { "==" } else { ">" })),
        Shape::Int | Shape::Decimal { .. } => write(format!("{compared} {equal} 0")),
        shape if widen::is_text(shape) => {
            Some(format!("write `{compared} {equal} \"\"`, or compare it with other text"))
        }
        _ => None,
    }
}

/// Returns whether the name is a function of other languages without a counterpart here, so no
/// similar name is suggested.
pub(super) fn is_unsupported(name: &str) -> bool {
    const UNSUPPORTED: [&str; 27] = [
        "hash",
        "md5",
        "random",
        "encode",
        "decode",
        "substring",
        "substr",
        "substrings",
        "slice",
        "splice",
        "mid",
        "left",
        "right",
        "replace",
        "split",
        "join",
        "sort",
        "sorted",
        "reverse",
        "distinct",
        "unique",
        "flatten",
        "padstart",
        "padend",
        "repeat",
        "index",
        "charat",
    ];
    UNSUPPORTED.contains(&name.to_ascii_lowercase().as_str())
}
