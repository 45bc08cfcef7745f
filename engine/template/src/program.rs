//! The operations of a template, compiled once from the tree that Handlebars parsed. Paths are
//! split into their parts, and literals are typed values.
//!
//! Handlebars' own renderer works on JSON, where every amount is text and every name is looked up
//! in a hash table. Ours works directly on the run's values. A test compares both.

use handlebars::template::{
    BlockParam, DecoratorTemplate, HelperTemplate, Parameter, Template as Tree, TemplateElement,
};
use handlebars::{JsonValue, Path as TreePath};
use oms_core::money::Decimal;
use oms_core::time_zone::TimeZone;
use oms_core::value::Value;

use super::helpers::{Call, DATE, PLURAL, TEXT, ZONE};
use super::html_position::FixedTextEffect;
use super::path::Parts;

/// The operations of a file or a block, in order.
pub(super) type Program = Vec<Op>;

/// One operation.
#[derive(Debug)]
pub(super) enum Op {
    /// Fixed text, and its effect on the position in HTML.
    Text { text: Box<str>, effect: Box<FixedTextEffect> },
    /// A value. It is escaped if `escaped` is set.
    Print { value: Operand, escaped: bool, line: usize },
    /// `{{#if}}`, or `{{#unless}}` with its branches swapped.
    If { condition: Operand, zero_is_true: bool, yes: Program, no: Program, line: usize },
    /// `{{#each}}`.
    Each { list: Operand, names: Vec<Box<str>>, body: Program, none: Program, line: usize },
    /// `{{#with}}`.
    With { value: Operand, names: Vec<Box<str>>, body: Program, none: Program, line: usize },
    /// `{{> partial}}`.
    Partial(Box<Inclusion>),
    /// `{{t "name"}}`: a text of the locale.
    LocaleText { name: Box<str>, line: usize },
    /// An operation that the check rejects.
    Unknown { what: Box<str>, line: usize },
}

/// An inclusion of a partial.
#[derive(Debug)]
pub(super) struct Inclusion {
    pub(super) name: Box<str>,
    pub(super) this: Option<Operand>,
    pub(super) named: Vec<(Box<str>, Operand)>,
    /// The indentation of each line.
    pub(super) indent: Box<str>,
    pub(super) line: usize,
}

/// An expression with a value.
#[derive(Debug)]
pub(super) enum Operand {
    Path(Path),
    Literal(Value),
    Call(Call, Vec<Self>),
    /// `date`: the day of a value, in the named time zone or in the default time zone of the
    /// template.
    Date {
        value: Box<Self>,
        time_zone: Option<TimeZone>,
    },
    /// `plural`: a text selected by the plural category of a number.
    Plural {
        value: Box<Self>,
        forms: Vec<(Box<str>, Box<str>)>,
    },
    /// An operand that the check rejects.
    Unknown(Box<str>),
}

impl Operand {
    /// Returns whether the text comes from the template's author and not from the data.
    pub(super) fn is_author_text(&self) -> bool {
        match self {
            Self::Literal(_) | Self::Plural { .. } => true,
            Self::Path(path) => path.local,
            Self::Call(..) | Self::Date { .. } | Self::Unknown(_) => false,
        }
    }

    /// Returns the text if the operand is a literal.
    pub(super) fn literal(&self) -> Option<&str> {
        match self {
            Self::Literal(Value::Text(text)) => Some(text),
            _ => None,
        }
    }
}

/// A parsed path.
#[derive(Debug)]
pub(super) struct Path {
    /// The path as written in the template.
    pub(super) raw: Box<str>,
    pub(super) from_root: bool,
    /// Whether it is a data variable such as `@index`.
    pub(super) local: bool,
    /// Number of contexts that it goes up.
    pub(super) ups: usize,
    pub(super) segments: Vec<Box<str>>,
}

/// Compiles a tree into a program.
pub(super) fn program(tree: &Tree) -> Program {
    let lines = tree.mapping.iter().map(|place| place.0).chain(std::iter::repeat(0));
    let before = std::iter::once(None).chain(tree.elements.iter().map(Some));
    let elements = tree.elements.iter().zip(lines).zip(before);
    elements.filter_map(|((element, line), before)| op(element, before, line)).collect()
}

fn op(element: &TemplateElement, before: Option<&TemplateElement>, line: usize) -> Option<Op> {
    Some(match element {
        TemplateElement::RawString(text) => {
            Op::Text { effect: Box::new(FixedTextEffect::of(text)), text: text.as_str().into() }
        }
        TemplateElement::Comment(_) => return None,
        // Texts are always escaped.
        TemplateElement::Expression(call) | TemplateElement::HtmlExpression(call)
            if call.name.as_name() == Some(TEXT) =>
        {
            locale_text(call, line)
        }
        TemplateElement::Expression(call) => Op::Print { value: value(call), escaped: true, line },
        TemplateElement::HtmlExpression(call) => {
            Op::Print { value: value(call), escaped: false, line }
        }
        TemplateElement::HelperBlock(call) => block(call, line),
        TemplateElement::PartialExpression(partial) => {
            let indent = partial.indent.as_deref().unwrap_or_default();
            // If the tag is alone on its line, the parser has removed the spaces before it.
            let alone =
                !matches!(before, Some(TemplateElement::RawString(text)) if text.ends_with(indent));
            let indent = if alone { indent } else { "" };
            Op::Partial(Box::new(inclusion(partial, indent, line)))
        }
        _ => Op::Unknown { what: "a decorator".into(), line },
    })
}

/// Converts the program of a text, so that its fixed parts are escaped like values.
pub(super) fn escape_fixed_text(program: &mut Program) {
    for op in program {
        match op {
            Op::Text { text, .. } => {
                let value = Operand::Literal(Value::text(text));
                *op = Op::Print { value, escaped: true, line: 0 };
            }
            Op::If { yes: first, no: second, .. }
            | Op::Each { body: first, none: second, .. }
            | Op::With { body: first, none: second, .. } => {
                escape_fixed_text(first);
                escape_fixed_text(second);
            }
            Op::Print { .. } | Op::Partial(_) | Op::LocaleText { .. } | Op::Unknown { .. } => {}
        }
    }
}

fn locale_text(call: &HelperTemplate, line: usize) -> Op {
    match call.params.as_slice() {
        [] => Op::Print { value: operand(&call.name), escaped: true, line },
        [Parameter::Literal(JsonValue::String(name))] => {
            Op::LocaleText { name: name.as_str().into(), line }
        }
        _ => Op::Unknown { what: TEXT.into(), line },
    }
}

/// Returns the operand of an expression: a call if it has parameters, otherwise a path.
fn value(call: &HelperTemplate) -> Operand {
    if call.params.is_empty() && call.hash.is_empty() {
        return operand(&call.name);
    }
    let name = call.name.as_name().unwrap_or_default();
    if let (DATE, [value]) = (name, call.params.as_slice()) {
        return date(operand(value), call.hash.get(ZONE));
    }
    if let (PLURAL, [value]) = (name, call.params.as_slice()) {
        let form = |(name, form): (&String, &Parameter)| match form {
            Parameter::Literal(JsonValue::String(words)) => {
                Some((name.as_str().into(), words.as_str().into()))
            }
            _ => None,
        };
        let forms: Option<Vec<_>> = call.hash.iter().map(form).collect();
        return match forms {
            Some(forms) => Operand::Plural { value: Box::new(operand(value)), forms },
            None => Operand::Unknown(PLURAL.into()),
        };
    }
    match Call::named(name) {
        Some(known) => Operand::Call(known, call.params.iter().map(operand).collect()),
        None => Operand::Unknown(name.into()),
    }
}

fn date(value: Operand, zone: Option<&Parameter>) -> Operand {
    let value = Box::new(value);
    match zone {
        None => Operand::Date { value, time_zone: None },
        Some(Parameter::Literal(JsonValue::String(name))) => match TimeZone::named(name) {
            Ok(zone) => Operand::Date { value, time_zone: Some(zone) },
            Err(_) => Operand::Unknown(name.as_str().into()),
        },
        Some(_) => Operand::Unknown(ZONE.into()),
    }
}

fn operand(parameter: &Parameter) -> Operand {
    match parameter {
        Parameter::Name(name) => Operand::Path(path(name)),
        Parameter::Path(TreePath::Relative((_, raw)) | TreePath::Local((_, _, raw))) => {
            Operand::Path(path(raw))
        }
        Parameter::Literal(literal) => match typed(literal) {
            Some(value) => Operand::Literal(value),
            None => Operand::Unknown(literal.to_string().into()),
        },
        Parameter::Subexpression(inner) => match inner.as_element() {
            TemplateElement::Expression(call) => value(call),
            _ => Operand::Unknown(inner.name().into()),
        },
        _ => Operand::Unknown("a parameter".into()),
    }
}

fn typed(literal: &JsonValue) -> Option<Value> {
    Some(match literal {
        JsonValue::Null => Value::Null,
        JsonValue::Bool(value) => Value::Bool(*value),
        JsonValue::String(text) => Value::text(text),
        JsonValue::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Decimal(Decimal::parse(&number.to_string()).ok()?),
        },
        JsonValue::Array(_) | JsonValue::Object(_) => return None,
    })
}

fn path(raw: &str) -> Path {
    let Parts { from_root, local, ups, segments } = Parts::of(raw);
    let segments = segments.into_iter().map(|(_, name)| name.into()).collect();
    Path { raw: raw.into(), from_root, local, ups, segments }
}

fn block(call: &HelperTemplate, line: usize) -> Op {
    let name = call.name.as_name().unwrap_or_default();
    let [param] = call.params.as_slice() else { return Op::Unknown { what: name.into(), line } };
    let param = operand(param);
    let branch = |tree: &Option<Tree>| tree.as_ref().map(program).unwrap_or_default();
    let (first, second) = (branch(&call.template), branch(&call.inverse));
    let setting = call.hash.get("includeZero");
    let zero_is_true =
        matches!(setting, Some(Parameter::Literal(JsonValue::Bool(included))) if *included);
    match name {
        "if" => Op::If { condition: param, zero_is_true, yes: first, no: second, line },
        "unless" => Op::If { condition: param, zero_is_true, yes: second, no: first, line },
        "each" => Op::Each { list: param, names: names(call), body: first, none: second, line },
        "with" => Op::With { value: param, names: names(call), body: first, none: second, line },
        _ => Op::Unknown { what: name.into(), line },
    }
}

fn names(call: &HelperTemplate) -> Vec<Box<str>> {
    let name = |parameter: &Parameter| parameter.as_name().unwrap_or_default().into();
    match &call.block_param {
        Some(BlockParam::Single(item)) => vec![name(item)],
        Some(BlockParam::Pair((item, index))) => vec![name(item), name(index)],
        _ => Vec::new(),
    }
}

fn inclusion(partial: &DecoratorTemplate, indent: &str, line: usize) -> Inclusion {
    Inclusion {
        name: partial.name.as_name().unwrap_or_default().into(),
        this: partial.params.first().map(operand),
        named: partial
            .hash
            .iter()
            .map(|(name, value)| (name.as_str().into(), operand(value)))
            .collect(),
        indent: indent.into(),
        line,
    }
}
