//! JSON Schema to types and to the reader's instructions.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::keywords::{ANNOTATIONS, TYPED, VALIDATING};
use super::personal;
use crate::diagnostic::{closest, did_you_mean};
use crate::value::{
    DateFormat, ELEMENTS_MAX, JsonKind, JsonNode, Member, RecordNode, RecordType, Shape, Type, Unit,
};

/// Nesting of a schema at the most; deeper parts, and those that contain themselves, are only validated.
const DEPTH_MAX: usize = 32;

/// Something in a schema that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaProblem {
    /// JSON pointer into the schema.
    pub pointer: String,
    /// Whether the key there is wrong rather than its value.
    pub on_key: bool,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// The formats that are asserted.
const FORMATS: [&str; 6] = ["decimal", "currency", "email", "date", "date-time", "uri"];

pub(super) struct Compiler<'s> {
    root: &'s Json,
    pointer: String,
    depth: usize,
    only_validates: bool,
    problems: Vec<SchemaProblem>,
    /// Where amounts name the field of their currency, to be checked when all types are known.
    units: Vec<(String, String)>,
}

impl<'s> Compiler<'s> {
    pub(super) const fn new(root: &'s Json) -> Self {
        Self {
            root,
            pointer: String::new(),
            depth: 0,
            only_validates: false,
            problems: Vec::new(),
            units: Vec::new(),
        }
    }

    pub(super) fn into_problems(self) -> Vec<SchemaProblem> {
        self.problems
    }

    pub(super) const fn only_validates(&self) -> bool {
        self.only_validates
    }

    /// Compiles the schema of an order, which is an object.
    pub(super) fn root(&mut self) -> (Type, JsonNode) {
        let (ty, node) = self.node(self.root);
        if ty.as_record().is_none() && self.problems.is_empty() {
            self.problem(
                if self.root.get("type").is_some() { "type" } else { "" },
                "an order must be an object with properties",
                Some("write `\"type\": \"object\"`"),
            );
        }
        for (at, pointer) in std::mem::take(&mut self.units) {
            if !matches!(field_at(&ty, &pointer), Some(Type { shape: Shape::Currency, .. })) {
                self.problems.push(SchemaProblem {
                    pointer: at,
                    on_key: false,
                    message: format!("`x-currency` must point to a field of format `currency`, and `{pointer}` does not"),
                    help: Some("a JSON pointer from the top of the order, such as \"/currency\"".to_owned()),
                });
            }
        }
        (ty, node)
    }

    /// Notes a problem with a keyword of this schema, or with the schema itself.
    fn problem(&mut self, keyword: &str, message: impl Into<String>, help: Option<&str>) {
        let help = help.map(str::to_owned);
        let slash = if keyword.is_empty() { "" } else { "/" };
        self.problems.push(SchemaProblem {
            pointer: format!("{}{slash}{keyword}", self.pointer),
            on_key: false,
            message: message.into(),
            help,
        });
    }

    fn below<T>(&mut self, path: &[&str], compile: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.pointer.len();
        for token in path {
            self.pointer.push('/');
            self.pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
        }
        self.depth += 1;
        let result = compile(self);
        self.depth -= 1;
        self.pointer.truncate(length);
        result
    }

    fn opaque(&mut self) -> (Type, JsonNode) {
        self.only_validates = true;
        (Type::of(Shape::Json).or_null(), JsonNode::ANY)
    }

    fn node(&mut self, schema: &Json) -> (Type, JsonNode) {
        if self.depth > DEPTH_MAX {
            let (ty, node) = self.opaque();
            let pii = personal::mark_in(self.root, schema).is_some();
            return (ty.with_pii(pii), node);
        }
        let map = match schema {
            Json::Object(map) => map,
            Json::Bool(true) => return (Type::of(Shape::Json).or_null(), JsonNode::ANY),
            _ => {
                self.problem("", "a schema must be an object", None);
                return self.opaque();
            }
        };
        self.keywords(map);
        let (mut ty, mut node) = match map.get("$ref") {
            Some(reference) => {
                // What stands beside a reference holds as well.
                self.only_validates |= map.len() > 1;
                self.reference(reference)
            }
            None => self.typed(map),
        };
        if map.get("nullable") == Some(&Json::Bool(true)) {
            ty = ty.or_null();
            node.nullable = true;
        }
        if map.get("x-pii") == Some(&Json::Bool(true)) {
            ty = ty.with_pii(true);
        }
        (ty, node)
    }

    /// Looks at every keyword: unknown ones are slips, validating ones are left to the library.
    fn keywords(&mut self, map: &Map<String, Json>) {
        for keyword in map.keys().map(String::as_str) {
            if let Some(wanted) = map.get(keyword).and_then(|value| mistyped(keyword, value)) {
                self.problem(keyword, format!("`{keyword}` must be {wanted}"), None);
            }
            if TYPED.contains(&keyword) || ANNOTATIONS.contains(&keyword) {
                continue;
            }
            if VALIDATING.contains(&keyword) {
                self.validates_only(keyword, map);
            } else {
                let known = || TYPED.iter().chain(&ANNOTATIONS).chain(&VALIDATING).copied();
                let help = closest(keyword, known()).map(|name| format!("did you mean `{name}`?"));
                let message = format!("`{keyword}` is no keyword of JSON Schema");
                self.problems.push(SchemaProblem {
                    pointer: format!("{}/{keyword}", self.pointer),
                    on_key: true,
                    message,
                    help,
                });
            }
        }
    }

    /// Leaves a keyword to the schema library, which knows nothing of personal data.
    fn validates_only(&mut self, keyword: &str, map: &Map<String, Json>) {
        self.only_validates = true;
        let mark = map.get(keyword).and_then(|schema| personal::mark_in(self.root, schema));
        if let Some(at) = mark {
            self.problem(
                &format!("{keyword}{at}"),
                format!(
                    "what `{keyword}` says only validates, so that `x-pii` marks nothing there"
                ),
                Some("write `x-pii: true` where the field has its type, among the `properties`"),
            );
        }
    }

    fn reference(&mut self, reference: &Json) -> (Type, JsonNode) {
        let target = reference.as_str().and_then(|text| text.strip_prefix('#'));
        let Some(pointer) = target else {
            self.problem(
                "$ref",
                "`$ref` must point within the schema",
                Some("such as \"#/$defs/item\""),
            );
            return self.opaque();
        };
        let Some(schema) = self.root.pointer(pointer) else {
            self.problem(
                "$ref",
                format!("`$ref` points to `#{pointer}`, which is not there"),
                None,
            );
            return self.opaque();
        };
        // A schema that contains itself ends at the depth limit and is only validated there.
        self.below(&["$ref"], |compiler| compiler.node(schema))
    }

    fn typed(&mut self, map: &Map<String, Json>) -> (Type, JsonNode) {
        let names: Vec<&str> = match map.get("type") {
            Some(Json::String(name)) => vec![name],
            Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).collect(),
            _ => Vec::new(),
        };
        let nullable = names.contains(&"null");
        let mut kinds: Vec<&str> = names.iter().copied().filter(|name| *name != "null").collect();
        kinds.sort_unstable();
        let (ty, kind) = match kinds.as_slice() {
            [] => self.untyped(map),
            ["boolean"] => (Type::of(Shape::Bool), JsonKind::Bool),
            ["integer"] => {
                let min = map.get("minimum").and_then(Json::as_i64).unwrap_or(i64::MIN);
                let max = map.get("maximum").and_then(Json::as_i64).unwrap_or(i64::MAX);
                (Type::of(Shape::Int), JsonKind::Int { min, max })
            }
            ["number"] => self.decimal(map, false, true),
            ["number", "string"] if format(map) == Some("decimal") => self.decimal(map, true, true),
            ["string"] => self.string(map),
            ["array"] => self.list(map),
            ["object"] => self.object(map),
            _ => {
                self.only_validates = true;
                (Type::of(Shape::Json), JsonKind::Json)
            }
        };
        let ty = Type { nullable: ty.nullable || nullable, ..ty };
        let nullable = ty.nullable;
        (ty, JsonNode { kind, nullable })
    }

    fn untyped(&mut self, map: &Map<String, Json>) -> (Type, JsonKind) {
        if let Some(Json::Array(cases)) = map.get("oneOf") {
            return self.union(cases);
        }
        if let Some(values) = constants(map) {
            return self.texts(&values);
        }
        if map.contains_key("properties") {
            return self.object(map);
        }
        self.only_validates = true;
        (Type::of(Shape::Json).or_null(), JsonKind::Json)
    }

    fn texts(&mut self, values: &[&Json]) -> (Type, JsonKind) {
        let texts: Option<Vec<Arc<str>>> =
            values.iter().map(|value| value.as_str().map(Arc::from)).collect();
        match texts {
            Some(texts) => {
                let values: Option<Arc<[Arc<str>]>> = Some(texts.into());
                let ty = Type::of(Shape::Text { chars_max: None, values: values.clone() });
                (ty, JsonKind::Text { chars_min: 0, chars_max: None, values })
            }
            None => {
                self.only_validates = true;
                (Type::of(Shape::Json).or_null(), JsonKind::Json)
            }
        }
    }

    fn decimal(&mut self, map: &Map<String, Json>, text: bool, number: bool) -> (Type, JsonKind) {
        let digits =
            |key: &str| map.get(key).and_then(Json::as_u64).and_then(|n| u32::try_from(n).ok());
        let scale = digits("x-scale").unwrap_or(4);
        let precision = digits("x-precision").unwrap_or(15 + scale);
        if precision > 28 || scale > precision || precision == 0 {
            self.problem(
                if map.contains_key("x-precision") { "x-precision" } else { "x-scale" },
                "a decimal has 1 to 28 digits, and no more after the point than in all",
                None,
            );
        }
        if map.contains_key("minimum") || map.contains_key("maximum") || constants(map).is_some() {
            self.only_validates = true;
        }
        let integer_digits = precision.saturating_sub(scale);
        let mut ty = Type::of(Shape::Decimal { integer_digits, scale });
        if let Some(pointer) = map.get("x-currency").and_then(Json::as_str) {
            self.units.push((format!("{}/x-currency", self.pointer), pointer.to_owned()));
            let path = format!("order{}", pointer.replace('/', "."));
            ty.unit = Some(Unit::Field(Arc::from(path)));
        }
        (ty, JsonKind::Decimal { text, number, integer_digits, scale })
    }

    fn string(&mut self, map: &Map<String, Json>) -> (Type, JsonKind) {
        if let Some(values) = constants(map) {
            return self.texts(&values);
        }
        match format(map) {
            Some("decimal") => self.decimal(map, true, false),
            Some("currency") => (Type::of(Shape::Currency), JsonKind::Currency),
            Some("email") => (Type::of(Shape::Email), JsonKind::Email),
            Some("uri") => (Type::of(Shape::Uri), JsonKind::Uri),
            Some("date-time") => (Type::of(Shape::Timestamp), JsonKind::Timestamp),
            Some("date") => {
                let format = match map.get("x-date-format").and_then(Json::as_str) {
                    None | Some("YYYY-MM-DD") => DateFormat::Iso,
                    Some("MM/DD/YYYY") => DateFormat::MonthDayYear,
                    Some("DD/MM/YYYY") => DateFormat::DayMonthYear,
                    Some(other) => {
                        let message = format!("`{other}` is not a date format that is known");
                        self.problem(
                            "x-date-format",
                            message,
                            Some("one of `YYYY-MM-DD`, `MM/DD/YYYY`, `DD/MM/YYYY`"),
                        );
                        DateFormat::Iso
                    }
                };
                (Type::of(Shape::Date(format)), JsonKind::Date(format))
            }
            Some(other) => {
                let help = did_you_mean(other, FORMATS);
                self.problem(
                    "format",
                    format!("the format `{other}` is not one that is asserted"),
                    help.as_deref(),
                );
                (Type::text(), JsonKind::Text { chars_min: 0, chars_max: None, values: None })
            }
            None => {
                let chars = |key: &str| map.get(key).and_then(Json::as_u64);
                let chars_max = chars("maxLength");
                let kind = JsonKind::Text {
                    chars_min: chars("minLength").unwrap_or(0),
                    chars_max,
                    values: None,
                };
                (Type::of(Shape::Text { chars_max, values: None }), kind)
            }
        }
    }

    fn list(&mut self, map: &Map<String, Json>) -> (Type, JsonKind) {
        let (element, node) = match map.get("items") {
            Some(items) => self.below(&["items"], |compiler| compiler.node(items)),
            None => (Type::of(Shape::Json).or_null(), JsonNode::ANY),
        };
        let count = |key: &str| {
            map.get(key).and_then(Json::as_u64).and_then(|count| usize::try_from(count).ok())
        };
        let min = count("minItems").unwrap_or(0);
        let max = count("maxItems").unwrap_or(ELEMENTS_MAX).min(ELEMENTS_MAX);
        (Type::list(element), JsonKind::List { element: Box::new(node), min, max })
    }

    fn object(&mut self, map: &Map<String, Json>) -> (Type, JsonKind) {
        let empty = Map::new();
        let properties = map.get("properties").and_then(Json::as_object).unwrap_or(&empty);
        let required: Vec<&str> = map
            .get("required")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .collect();
        // A misspelt `properties` is one slip, not one for each name.
        let is_known = |keyword: &String| {
            let keyword = keyword.as_str();
            [&TYPED[..], &ANNOTATIONS, &VALIDATING].iter().any(|known| known.contains(&keyword))
        };
        if map.contains_key("properties") || map.keys().all(is_known) {
            for (position, name) in required.iter().enumerate() {
                if !properties.contains_key(*name) {
                    let help = did_you_mean(name, properties.keys().map(String::as_str));
                    self.problem(
                        &format!("required/{position}"),
                        format!("`{name}` is required, but not among the properties"),
                        help.as_deref(),
                    );
                }
            }
        }
        let additional = match map.get("additionalProperties") {
            Some(Json::Bool(allowed)) => *allowed,
            None => true,
            Some(_) => {
                self.validates_only("additionalProperties", map);
                true
            }
        };
        let mut members: Vec<(Member, Type)> = Vec::with_capacity(properties.len());
        for (name, schema) in properties {
            let (ty, node) = self.below(&["properties", name], |compiler| compiler.node(schema));
            let required = required.contains(&name.as_str());
            let ty = if required { ty } else { ty.or_null() };
            members.push((Member { name: Arc::from(name.as_str()), node, required }, ty));
        }
        record(members, additional)
    }

    /// A union whose cases are told apart by a constant: one record in which what only some cases have may be missing.
    fn union(&mut self, cases: &[Json]) -> (Type, JsonKind) {
        self.only_validates = true;
        let mut merged: Vec<(Member, Type)> = Vec::new();
        for (position, case) in cases.iter().enumerate() {
            let index = position.to_string();
            let (_, node) = self.below(&["oneOf", &index], |compiler| compiler.node(case));
            let JsonKind::Record(record) = node.kind else {
                self.problem(
                    &format!("oneOf/{index}"),
                    "each case of `oneOf` must be an object with a constant that tells it apart",
                    None,
                );
                return (Type::of(Shape::Json), JsonKind::Json);
            };
            for (member, field) in record.members.into_iter().zip(record.ty.fields()) {
                match merged.iter_mut().find(|(known, _)| known.name == member.name) {
                    Some((known, ty)) => {
                        known.required &= member.required;
                        let joined = join(ty, &field.ty);
                        if joined.is_none() {
                            let message = format!(
                                "`{}` has different types in the cases of `oneOf`",
                                member.name
                            );
                            self.problem("oneOf", message, None);
                        }
                        *ty = joined.unwrap_or_else(|| ty.clone());
                        known.node = JsonNode {
                            kind: reader(ty),
                            nullable: known.node.nullable || member.node.nullable,
                        };
                    }
                    None => merged.push((
                        Member { required: member.required && position == 0, ..member },
                        field.ty.clone(),
                    )),
                }
            }
            // What an earlier case has and this one lacks may be missing.
            let here: Vec<Arc<str>> =
                record.ty.fields().iter().map(|field| Arc::clone(&field.name)).collect();
            for (known, _) in &mut merged {
                known.required &= here.contains(&known.name);
            }
        }
        let tagged = merged.iter().any(|(member, ty)| {
            member.required && matches!(&ty.shape, Shape::Text { values: Some(values), .. } if values.len() == cases.len())
        });
        if !tagged {
            self.problem(
                "oneOf",
                "the cases of `oneOf` must be told apart by a required constant",
                Some("such as \"kind\": { \"const\": \"card\" }"),
            );
        }
        for (member, ty) in &mut merged {
            if !member.required {
                ty.nullable = true;
            }
        }
        record(merged, true)
    }
}

/// Joins two types; the constants of a tag add up.
fn join(a: &Type, b: &Type) -> Option<Type> {
    match (&a.shape, &b.shape) {
        (Shape::Text { values: Some(first), .. }, Shape::Text { values: Some(second), .. }) => {
            let values: Arc<[Arc<str>]> = first.iter().chain(second.iter()).cloned().collect();
            Some(Type { shape: Shape::Text { chars_max: None, values: Some(values) }, ..a.clone() })
        }
        _ => a.join(b),
    }
}

fn reader(ty: &Type) -> JsonKind {
    match &ty.shape {
        Shape::Text { values, chars_max } => {
            JsonKind::Text { chars_min: 0, chars_max: *chars_max, values: values.clone() }
        }
        _ => JsonNode::stored(ty).kind,
    }
}

fn record(mut members: Vec<(Member, Type)>, additional: bool) -> (Type, JsonKind) {
    members.sort_by(|a, b| a.0.name.cmp(&b.0.name));
    let ty = Arc::new(RecordType::new(
        members.iter().map(|(member, ty)| (Arc::clone(&member.name), ty.clone())),
    ));
    let members = members.into_iter().map(|(member, _)| member).collect();
    (
        Type::of(Shape::Record(Arc::clone(&ty))),
        JsonKind::Record(RecordNode { ty, members, additional }),
    )
}

/// Says what a keyword of ours must be, if its value is something else; the library knows nothing of these.
fn mistyped(keyword: &str, value: &Json) -> Option<&'static str> {
    match keyword {
        "x-pii" | "nullable" if !value.is_boolean() => Some("true or false"),
        "x-precision" | "x-scale" if !value.is_u64() => Some("a whole number of digits"),
        "x-currency" if !value.is_string() => Some("a JSON pointer, such as \"/currency\""),
        "x-date-format" if !value.is_string() => Some("text, such as \"MM/DD/YYYY\""),
        _ => None,
    }
}

fn format(map: &Map<String, Json>) -> Option<&str> {
    map.get("format").and_then(Json::as_str)
}

/// Returns the only values that `const` or `enum` allow.
fn constants(map: &Map<String, Json>) -> Option<Vec<&Json>> {
    match (map.get("const"), map.get("enum")) {
        (Some(value), _) => Some(vec![value]),
        (None, Some(Json::Array(values))) => Some(values.iter().collect()),
        _ => None,
    }
}

/// Finds the type of a field by its JSON pointer.
fn field_at<'t>(ty: &'t Type, pointer: &str) -> Option<&'t Type> {
    pointer
        .split('/')
        .skip(1)
        .try_fold(ty, |ty, name| ty.as_record()?.field(name).map(|field| &field.ty))
}
