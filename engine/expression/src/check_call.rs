//! Calls: the functions with their arguments and results.

use oms_core::diagnostic::{closest, codes};
use oms_core::money::Decimal;
use oms_core::value::{Interval, Shape, Type, Value};

use super::check::{Checked, Checker, coerce};
use super::check_binary::{are_ordered, truth};
use super::check_number::parsed_decimal;
use super::domain::Domain;
use super::facts::Facts;
use super::node::{Function, LoopKind, Node};
use super::precedence::{Level, operand};
use super::problem::ProblemSeverity;
use super::syntax::{Expr, ExprKind};
use super::{hints, widen};

/// Every function: its name, its minimum and maximum number of arguments, and its usage.
const FUNCTIONS: [(&str, usize, usize, &str); 21] = [
    ("coalesce", 2, 2, "coalesce(value, fallback)"),
    ("contains", 2, 2, "contains(text, part)"),
    ("date", 1, 2, "date(timestamp, \"Europe/Berlin\")"),
    ("decimal", 1, 2, "decimal(text, fallback)"),
    ("div", 4, 4, "div(a, b, places, \"half_even\")"),
    ("endsWith", 2, 2, "endsWith(text, end)"),
    ("get", 2, 2, "get(list, index)"),
    ("has", 1, 1, "has(record.field)"),
    ("is_decimal", 1, 1, "is_decimal(text)"),
    ("lower", 1, 1, "lower(text)"),
    ("lowerAscii", 1, 1, "lowerAscii(text)"),
    ("max", 2, 2, "max(a, b)"),
    ("min", 2, 2, "min(a, b)"),
    ("round", 3, 3, "round(number, places, \"half_even\")"),
    ("size", 1, 1, "size(list)"),
    ("startsWith", 2, 2, "startsWith(text, start)"),
    ("string", 1, 1, "string(value)"),
    ("sum", 1, 1, "sum(list)"),
    ("trim", 1, 1, "trim(text)"),
    ("upper", 1, 1, "upper(text)"),
    ("upperAscii", 1, 1, "upperAscii(text)"),
];

/// The loops, which have the form of methods.
const LOOPS: [(&str, LoopKind); 6] = [
    ("map", LoopKind::Map),
    ("filter", LoopKind::Filter),
    ("all", LoopKind::All),
    ("exists", LoopKind::Exists),
    ("exists_one", LoopKind::ExistsOne),
    ("existsOne", LoopKind::ExistsOne),
];

/// Functions that can be called as methods of their first argument.
const METHODS: [&str; 9] = [
    "size",
    "upper",
    "lower",
    "upperAscii",
    "lowerAscii",
    "trim",
    "startsWith",
    "endsWith",
    "contains",
];

impl Checker<'_> {
    pub(super) fn call(
        &mut self,
        expr: &Expr,
        name: &str,
        target: Option<&Expr>,
        args: &[Expr],
    ) -> Checked {
        let span = expr.span.clone();
        let looping = LOOPS.iter().find(|(known, _)| *known == name);
        if let (Some((_, kind)), Some(target)) = (looping, target) {
            return self.loop_call(expr, *kind, target, args);
        }
        let known = FUNCTIONS.iter().find(|(known, ..)| *known == name && looping.is_none());
        let Some((_, least, most, usage)) = known else {
            return self.unknown_function(expr, name, looping.is_some(), target, args);
        };
        if target.is_some() && !METHODS.contains(&name) {
            let operands = target.into_iter().chain(args);
            let operands = match (name, target, args) {
                ("has", Some(target), [field]) => self.field_named(target, field),
                _ => operands.map(|part| self.source_of(&part.span)).collect::<Vec<_>>().join(", "),
            };
            let help = format!("write `{name}({operands})`");
            let message = format!("`{name}` is a function, not a method");
            self.report(codes::UNKNOWN_NAME, expr.at.clone(), message, "unknown method").help(help);
            return Checked::broken(span);
        }
        let args: Vec<&Expr> = target.into_iter().chain(args).collect();
        if args.len() < *least || args.len() > *most {
            let expected =
                if least == most { least.to_string() } else { format!("{least} or {most}") };
            let plural = if *most == 1 { "" } else { "s" };
            let message = format!("`{name}` takes {expected} argument{plural}, not {}", args.len());
            let help = match (name, args.as_slice()) {
                ("has", [record, field]) => {
                    format!("write `has({})`", self.field_named(record, field))
                }
                _ => format!("write `{usage}`"),
            };
            self.report(codes::EXPRESSION_TYPE, span.clone(), message, "wrong number of arguments")
                .help(help);
            return Checked::broken(span);
        }
        match (name, args.as_slice()) {
            ("has", [field]) => self.has(expr, field),
            ("date", [instant, zone @ ..]) => self.date(expr, instant, zone.first().copied()),
            ("round", [number, places, mode]) => self.round(expr, number, places, mode),
            ("div", [a, b, places, mode]) => self.division(expr, [*a, *b], places, mode),
            (_, [only]) => {
                let arg = self.check(only);
                self.unary_call(expr, name, arg)
            }
            (_, [first, second]) => {
                let (first, second) = (self.check(first), self.check(second));
                self.binary_call(expr, name, first, second)
            }
            _ => Checked::broken(span),
        }
    }

    fn unknown_function(
        &mut self,
        expr: &Expr,
        name: &str,
        is_loop: bool,
        target: Option<&Expr>,
        args: &[Expr],
    ) -> Checked {
        let operands: Vec<&str> =
            target.into_iter().chain(args).map(|operand| self.source_of(&operand.span)).collect();
        let alone = self.text.trim().len() == expr.span.len();
        let of_date = target
            .filter(|target| self.is_date(target))
            .and_then(|target| hints::part_of_date(name, self.source_of(&target.span)));
        let functions = FUNCTIONS.iter().map(|(known, ..)| *known);
        let known = functions.chain(LOOPS.iter().map(|(known, _)| *known));
        let help = if is_loop {
            format!("write it after a list: `list.{name}(x, …)`")
        } else if let Some(hint) = of_date.or_else(|| hints::function(name, &operands, alone)) {
            hint
        } else if let Some(near) =
            closest(name, known.clone()).filter(|_| !hints::is_unsupported(name))
        {
            format!("did you mean `{near}`?")
        } else {
            let names: Vec<String> = known.map(|name| format!("`{name}`")).collect();
            format!("use one of the functions {}", names.join(", "))
        };
        let message = format!("unknown function `{name}`");
        self.report(codes::UNKNOWN_NAME, expr.at.clone(), message, "unknown function").help(help);
        Checked::broken(expr.span.clone())
    }

    /// Returns the notation for a field whose name is given as a text.
    fn field_named(&self, record: &Expr, field: &Expr) -> String {
        match &field.kind {
            ExprKind::Literal(Value::Text(name)) => {
                format!("{}.{name}", operand(self.source_of(&record.span), Level::Member))
            }
            _ => "record.field".to_owned(),
        }
    }

    /// Returns whether a part is a date, without reporting its problems.
    fn is_date(&mut self, part: &Expr) -> bool {
        let before = self.problems.len();
        let checked = self.check(part);
        self.problems.truncate(before);
        matches!(checked.shape(), Some(Shape::Date(_)))
    }

    /// Reports an argument that a function does not accept.
    pub(super) fn wrong_argument(&mut self, name: &str, expected: &str, arg: &Checked) {
        self.wrong_argument_with_help(name, expected, arg, None);
    }

    /// Reports an argument that a function does not accept, with a suggestion.
    fn wrong_argument_with_help(
        &mut self,
        name: &str,
        expected: &str,
        arg: &Checked,
        help: Option<String>,
    ) {
        let found = arg.shape().map(widen::describe).unwrap_or_default();
        let message = format!("`{name}` expects {expected}, found {found}");
        self.report(codes::EXPRESSION_TYPE, arg.span.clone(), message, format!("this is {found}"))
            .help(help)
            .origin(arg.origin.clone());
    }

    fn has(&mut self, expr: &Expr, field: &Expr) -> Checked {
        let span = expr.span.clone();
        let checked = self.check(field);
        if !matches!(field.kind, ExprKind::Select(..)) {
            self.report(
                codes::EXPRESSION_TYPE,
                field.span.clone(),
                "`has` expects a field",
                "not a field",
            )
            .help("write `has(record.field)`".to_owned());
            return Checked::broken(span);
        }
        let ty = checked.ty.as_ref().map(|_| truth([&checked]));
        let known = |null| {
            let path = checked.path.as_deref();
            path.map(|path| Facts::about(path, Domain::null(null))).unwrap_or_default()
        };
        let (holds, fails) = (known(false), known(true));
        let nodes = Box::new([checked.node, Node::Const(Value::Null)]);
        let node = Node::Binary(super::syntax::Operator::NotEqual, nodes);
        Checked { if_true: holds, if_false: fails, ..Checked::new(node, ty, span) }
    }

    fn unary_call(&mut self, expr: &Expr, name: &str, arg: Checked) -> Checked {
        let span = expr.span.clone();
        let Some(ty) = arg.ty.clone() else { return Checked::broken(span) };
        let (shape, pii) = (ty.shape.clone(), ty.contains_pii());
        let text = widen::is_text(&shape);
        let chars_max = ty.chars_max();
        let plain = |chars_max| Type { pii, ..Type::of(Shape::Text { chars_max, values: None }) };
        let typed = match (name, &shape) {
            // The size of a list is personal data only if the list itself is.
            ("size", Shape::List(_)) => {
                Ok((Function::Size, int_up_to(ty.limits.elements_max).with_pii(ty.pii)))
            }
            ("size", _) if text => Ok((Function::Size, int_up_to(chars_max).with_pii(pii))),
            ("size", _) => Err("a list or text"),
            ("is_decimal", _) if text => {
                Ok((Function::IsDecimal, Type::of(Shape::Bool).with_pii(pii)))
            }
            ("decimal", shape) if widen::is_number(shape) => {
                if !self.present(&arg) {
                    return Checked::broken(span);
                }
                let (node, ty) = coerce(arg.node, &ty, &Type::decimal());
                return Checked::new(node, Some(ty), span);
            }
            ("decimal", _) if text => return self.decimal(expr, arg),
            // In some alphabets, a change of case makes a text up to three times as long.
            ("upper" | "lower", _) if text => {
                let function = if name == "upper" { Function::Upper } else { Function::Lower };
                Ok((function, plain(chars_max.map(|chars| chars.saturating_mul(3)))))
            }
            ("upperAscii", _) if text => Ok((Function::UpperAscii, plain(chars_max))),
            ("lowerAscii", _) if text => Ok((Function::LowerAscii, plain(chars_max))),
            ("trim", _) if text => Ok((Function::Trim, plain(chars_max))),
            (
                "is_decimal" | "decimal" | "upper" | "lower" | "upperAscii" | "lowerAscii" | "trim",
                _,
            ) => Err("text"),
            ("string", _) => match widen::chars_of(&ty) {
                Some(chars) => Ok((Function::Text, plain(chars))),
                None => Err("a single value"),
            },
            ("sum", Shape::List(element)) => return self.sum(expr, arg, element),
            ("sum", _) => Err("a list of numbers"),
            _ => Err("another type"),
        };
        let (function, ty) = match typed {
            Ok(typed) => typed,
            Err(expected) => {
                self.wrong_argument(name, expected, &arg);
                return Checked::broken(span);
            }
        };
        let present = self.present(&arg);
        let pieces = arg.pieces();
        let (path, holds) = match (function, arg.path) {
            (Function::Size, path) => (path, Facts::default()),
            (Function::IsDecimal, Some(path)) => (None, Facts::decimal(&path)),
            _ => (None, Facts::default()),
        };
        let pieces = if function == Function::Text { pieces } else { Vec::new() };
        let node = Node::Call(function, vec![arg.node]);
        Checked { path, pieces, if_true: holds, ..Checked::new(node, present.then_some(ty), span) }
    }

    fn binary_call(&mut self, expr: &Expr, name: &str, first: Checked, second: Checked) -> Checked {
        let span = expr.span.clone();
        let (Some(a), Some(b)) = (first.ty.clone(), second.ty.clone()) else {
            return Checked::broken(span);
        };
        let (function, ty) = match name {
            "coalesce" => return self.coalesce(expr, first, second),
            "min" | "max" => return self.min_or_max(expr, name, first, second),
            "startsWith" | "endsWith" | "contains" => {
                for arg in [&first, &second] {
                    if !arg.shape().is_some_and(widen::is_text) {
                        let is_list = matches!(first.shape(), Some(Shape::List(_)));
                        let help = (name == "contains" && is_list).then(|| {
                            let (list, part) =
                                (self.source_of(&first.span), self.source_of(&second.span));
                            let (part, list) =
                                (operand(part, Level::Sum), operand(list, Level::Sum));
                            format!("write `{part} in {list}`")
                        });
                        self.wrong_argument_with_help(name, "text", arg, help);
                        return Checked::broken(span);
                    }
                }
                let function = match name {
                    "startsWith" => Function::StartsWith,
                    "endsWith" => Function::EndsWith,
                    _ => Function::Contains,
                };
                (function, truth([&first, &second]))
            }
            "get" => {
                let Shape::List(element) = &a.shape else {
                    self.wrong_argument(name, "a list", &first);
                    return Checked::broken(span);
                };
                if b.shape != Shape::Int {
                    self.wrong_argument(name, "an integer as index", &second);
                    return Checked::broken(span);
                }
                (Function::Get, element.as_ref().clone().with_pii(a.pii || b.pii).or_null())
            }
            _ => {
                if !widen::is_text(&a.shape) {
                    self.wrong_argument(name, "text", &first);
                    return Checked::broken(span);
                }
                if !widen::is_number(&b.shape) {
                    self.wrong_argument(name, "a number as fallback", &second);
                    return Checked::broken(span);
                }
                if let Some(text) = first.constant_text()
                    && Decimal::parse(text).is_err()
                {
                    let message =
                        format!("`{text}` is not a decimal, so the fallback is always used");
                    self.report(
                        codes::EXPRESSION_TYPE,
                        first.span.clone(),
                        message,
                        "not a decimal",
                    )
                    .help("write the number itself".to_owned())
                    .severity(ProblemSeverity::Warning);
                }
                let read = parsed_decimal(&a);
                let joined = widen::join(&read, &b).unwrap_or_else(Type::decimal);
                (Function::DecimalOr, Type { pii: a.pii || b.pii, nullable: false, ..joined })
            }
        };
        let present = self.present(&first) & self.present(&second);
        let second = match function {
            Function::DecimalOr => coerce(second.node, &b, &Type::decimal()).0,
            _ => second.node,
        };
        let node = Node::Call(function, vec![first.node, second]);
        let origin = first.origin.filter(|_| function == Function::Get);
        Checked { origin, ..Checked::new(node, present.then_some(ty), span) }
    }

    fn coalesce(&mut self, expr: &Expr, mut first: Checked, second: Checked) -> Checked {
        let span = expr.span.clone();
        let is_there = first.ty.as_ref().is_some_and(|ty| !ty.nullable && ty.shape != Shape::Null);
        let written = self.source_of(&first.span);
        let at = first.span.clone();
        let origin = second.origin.clone();
        first.ty = first.ty.map(|ty| if ty.shape == Shape::Null { ty } else { ty.not_null() });
        let nullable = second.ty.as_ref().is_some_and(|ty| ty.nullable);
        let (nodes, ty) =
            self.joined(span.clone(), "the arguments of `coalesce`", vec![first, second]);
        let is_reported = self.problems.iter().any(|problem| {
            let within = problem.within.as_ref();
            within.is_some_and(|within| {
                at.start + self.offset <= within.start && within.end <= at.end + self.offset
            })
        });
        if is_there && ty.is_some() && !is_reported {
            let message = format!("`{written}` is never missing, so `coalesce` has no effect");
            self.report(codes::EXPRESSION_TYPE, at, message, "never missing")
                .help(format!("write `{written}`"))
                .severity(ProblemSeverity::Warning);
        }
        let ty = ty.map(|ty| Type { nullable, ..ty });
        Checked { origin, ..Checked::new(Node::Call(Function::Coalesce, nodes), ty, span) }
    }

    fn min_or_max(&mut self, expr: &Expr, name: &str, first: Checked, second: Checked) -> Checked {
        let span = expr.span.clone();
        for arg in [&first, &second] {
            if !arg.shape().is_some_and(|shape| are_ordered(shape, shape)) {
                self.wrong_argument(name, "two numbers, texts, dates or timestamps", arg);
                return Checked::broken(span);
            }
        }
        let present = self.present(&first) & self.present(&second);
        let what = format!("the arguments of `{name}`");
        let interval = |side: &Checked| side.ty.as_ref().and_then(Type::interval);
        let chosen = interval(&first).zip(interval(&second)).and_then(|(a, b)| match name {
            "min" => Interval::new(a.min().min(b.min()), a.max().min(b.max())),
            _ => Interval::new(a.min().max(b.min()), a.max().max(b.max())),
        });
        let (nodes, ty) = self.joined(span.clone(), &what, vec![first, second]);
        let ty = match (ty, chosen) {
            (Some(ty), Some(interval)) => Some(widen::within(ty, interval)),
            (ty, _) => ty,
        };
        let function = if name == "min" { Function::Min } else { Function::Max };
        let ty = ty.filter(|_| present);
        Checked::new(Node::Call(function, nodes), ty, span)
    }
}

/// Returns the type of a number of elements or characters.
fn int_up_to(count: Option<u64>) -> Type {
    let most = count.and_then(|count| i64::try_from(count).ok()).unwrap_or(i64::MAX);
    let interval = Interval::new(Decimal::ZERO, Decimal::from_int(most));
    Type::int_within(interval.unwrap_or_else(Interval::whole))
}
