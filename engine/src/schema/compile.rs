//! Compiles JSON Schema to types and to instructions for the reader.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use oms_core::diagnostic::did_you_mean;
use oms_core::value::{
    DateFormat, ELEMENTS_MAX, JsonKind, JsonNode, Member, RecordNode, RecordType, Shape, Type, Unit,
};
use serde_json::{Map, Value as Json};

use super::constants::{constants, scalars};
use super::customer::{CustomerMembers, MARKABLE};
use super::decimals::is_decimal_text;
use super::index::{Index, Target, children};
use super::keywords::is_annotation;
use super::marks::{customers_in, is_definition, mark_in, personal};
use super::number_type::{decimal, integer};
use super::problem::{SchemaProblem, SchemaProblemKind};
use super::reader_keywords::{reader_asserts, required};
use super::type_rules::TypeRules;
use super::{formats, union};

/// Maximum nesting depths of the parts from which types are derived, in the order in which they are
/// tried. Deeper parts, such as those of a schema that contains itself, are only validated.
const DEPTHS: [usize; 6] = [32, 24, 16, 12, 8, 4];
/// Maximum number of parts from which types are derived. If a schema has more parts after
/// its references are expanded, types are derived only to a smaller depth.
const NODES_MAX: usize = 10_000;

/// A compiled schema.
pub(super) struct Compilation {
    pub(super) ty: Type,
    pub(super) node: JsonNode,
    pub(super) customer: CustomerMembers,
    /// Whether the reader asserts every keyword, so that no validator is needed.
    pub(super) covered: bool,
    pub(super) problems: Vec<SchemaProblem>,
}

/// Compiles the schema of an order, which is an object. Parts in `broken` have no type, unless they
/// are records or lists whose own parts have types.
pub(super) fn compile<'s>(
    index: &Index<'s>,
    root: &'s Json,
    broken: &HashSet<String>,
    type_rules: TypeRules,
) -> Compilation {
    let personal = personal(index);
    let mut depths = DEPTHS.into_iter();
    loop {
        let depth_max = depths.next().unwrap_or_default();
        let mut compiler = Compiler::new(index, broken, &personal, type_rules, depth_max);
        let (ty, node) = compiler.root(root);
        if compiler.nodes <= NODES_MAX || depth_max == 0 {
            compiler.customers_without_effect();
            let Compiler { customer, covered, problems, .. } = compiler;
            return Compilation { ty, node, customer, covered, problems };
        }
    }
}

pub(super) struct Compiler<'i, 's> {
    index: &'i Index<'s>,
    broken: &'i HashSet<String>,
    /// Whether each place contains personal data.
    personal: &'i [bool],
    type_rules: TypeRules,
    depth_max: usize,
    depth: usize,
    nodes: usize,
    pub(super) covered: bool,
    problems: Vec<SchemaProblem>,
    /// The places where amounts refer to the field of their currency. They are checked when all
    /// types are known.
    units: Vec<(String, String)>,
    /// The path of the member that is being compiled.
    member: Vec<Arc<str>>,
    /// The number of lists that contain the member.
    lists: usize,
    customer: CustomerMembers,
    /// The places with `x-customer` that were compiled.
    marked: BTreeSet<usize>,
    /// The places from which no types were derived because they are too deep.
    cut: BTreeSet<usize>,
}

impl<'i, 's> Compiler<'i, 's> {
    const fn new(
        index: &'i Index<'s>,
        broken: &'i HashSet<String>,
        personal: &'i [bool],
        type_rules: TypeRules,
        depth_max: usize,
    ) -> Self {
        Self {
            index,
            broken,
            personal,
            type_rules,
            depth_max,
            depth: 0,
            nodes: 0,
            covered: true,
            problems: Vec::new(),
            units: Vec::new(),
            member: Vec::new(),
            lists: 0,
            customer: CustomerMembers { id: None, emails: Vec::new() },
            marked: BTreeSet::new(),
            cut: BTreeSet::new(),
        }
    }

    fn root(&mut self, root: &'s Json) -> (Type, JsonNode) {
        let (mut ty, mut node) = self.node(root);
        if ty.shape == Shape::Broken {
            return (ty, node);
        }
        let JsonKind::Record(record) = &mut node.kind else {
            let keyword = if root.get("type").is_some() { "/type" } else { "" };
            self.problem(
                SchemaProblemKind::Invalid,
                keyword.to_owned(),
                "an order must be an object with properties",
                Some("write `\"type\": \"object\"`".to_owned()),
            );
            return (Type::of(Shape::Broken), JsonNode::ANY);
        };
        // An order is always an object, even if its schema allows other values.
        record.lax = false;
        node.nullable = false;
        ty.nullable = false;
        let mut unknown = Vec::new();
        for (at, pointer) in std::mem::take(&mut self.units) {
            let unit = field_at(&ty, &pointer).map(|field| &field.shape);
            if !matches!(unit, Some(Shape::Currency | Shape::Broken)) {
                let message = format!(
                    "`x-currency` must point to a field of format `currency`, but `{pointer}` does not"
                );
                let help = "write a JSON pointer from the root of the order, such as \"/currency\"";
                self.problem(SchemaProblemKind::Invalid, at, &message, Some(help.to_owned()));
                unknown.push(unit_of(&pointer));
            }
        }
        if !unknown.is_empty() {
            ty = ty.map_units(&|unit| (!unknown.contains(unit)).then(|| unit.clone()));
        }
        (ty, node)
    }

    fn problem(
        &mut self,
        kind: SchemaProblemKind,
        pointer: String,
        message: &str,
        help: Option<String>,
    ) {
        // A definition is compiled once for each reference to it.
        if !self.problems.iter().any(|known| known.pointer == pointer) {
            let message = message.to_owned();
            self.problems.push(SchemaProblem { kind, pointer, on_key: false, message, help });
        }
    }

    /// Adds a problem with a keyword of a schema.
    fn problem_at(
        &mut self,
        kind: SchemaProblemKind,
        schema: &Json,
        keyword: &str,
        message: &str,
        help: Option<String>,
    ) {
        let pointer = self.index.place(schema).map_or("", |place| &place.pointer);
        self.problem(kind, format!("{pointer}/{keyword}"), message, help);
    }

    pub(super) fn nested(&mut self, schema: &'s Json) -> (Type, JsonNode) {
        self.depth += 1;
        let result = self.node(schema);
        self.depth -= 1;
        result
    }

    /// Returns the type and the node of a part that is only validated.
    fn validated_only(&mut self) -> (Type, JsonNode) {
        self.covered = false;
        (Type::of(Shape::Json).or_null(), JsonNode::ANY)
    }

    fn node(&mut self, schema: &'s Json) -> (Type, JsonNode) {
        self.nodes += 1;
        if self.depth > self.depth_max || self.nodes > NODES_MAX {
            let (ty, node) = self.validated_only();
            let position = self.index.position(schema);
            self.cut.extend(position);
            let pii = position.and_then(|at| self.personal.get(at)) == Some(&true);
            return (ty.with_pii(pii), node);
        }
        let map = match schema {
            Json::Object(map) => map,
            Json::Bool(true) => return (Type::of(Shape::Json).or_null(), JsonNode::ANY),
            Json::Bool(false) => return self.validated_only(),
            _ => return (Type::of(Shape::Broken), JsonNode::ANY),
        };
        let (mut ty, mut node, used) = self.derive_type(schema, map);
        self.covered &= map.iter().all(|(keyword, value)| {
            is_annotation(keyword) || reader_asserts(&used, &node.kind, keyword, value, map)
        });
        self.marks(schema, &used);
        if map.get("nullable") == Some(&Json::Bool(true)) {
            ty = ty.or_null();
            node.nullable = true;
        }
        if map.get("x-pii") == Some(&Json::Bool(true)) {
            ty = ty.with_pii(true);
        }
        if let Some(pointer) = map.get("x-currency").and_then(Json::as_str) {
            self.unit(schema, pointer, &mut ty);
        }
        if let Some(max) = map.get("maxLength").and_then(Json::as_u64) {
            limit_length(&mut ty, max);
        }
        let is_broken = self.is_broken(schema);
        let has_parts = match &ty.shape {
            Shape::Record(record) => !record.fields().is_empty(),
            Shape::List(element) => element.shape != Shape::Json,
            _ => false,
        };
        if is_broken && !has_parts {
            ty.shape = Shape::Broken;
        }
        if map.get("x-customer") == Some(&Json::Bool(true)) {
            self.marked.extend(self.index.position(schema));
            let fault = self.customer.mark(&self.member, &ty.shape, self.lists > 0);
            if let Some((kind, message)) = fault {
                self.problem_at(kind, schema, "x-customer", message, Some(MARKABLE.to_owned()));
            }
        }
        (ty, node)
    }

    fn is_broken(&self, schema: &Json) -> bool {
        self.index.place(schema).is_some_and(|place| self.broken.contains(&place.pointer))
    }

    /// Reports `x-customer` in places that are too deep to have types.
    fn customers_without_effect(&mut self) {
        for position in customers_in(self.index, &self.cut) {
            let place = self.index.places().get(position);
            let Some(place) = place.filter(|_| !self.marked.contains(&position)) else { continue };
            let message = format!(
                "`x-customer` has no effect at this depth: only the first {} levels of this schema have types",
                self.depth_max
            );
            let help = "mark a member at a higher level, or use fewer `$ref`";
            self.problem_at(
                SchemaProblemKind::NoEffect,
                place.schema,
                "x-customer",
                &message,
                Some(help.to_owned()),
            );
        }
    }

    /// Records the field that contains the currency of an amount.
    fn unit(&mut self, schema: &Json, pointer: &str, ty: &mut Type) {
        if self.is_broken(schema) {
            return;
        }
        match ty.shape {
            Shape::Decimal { .. } => {
                let at = self.index.place(schema).map_or("", |place| &place.pointer);
                self.units.push((format!("{at}/x-currency"), pointer.to_owned()));
                ty.unit = Some(unit_of(pointer));
            }
            Shape::Broken => {}
            _ => {
                let message =
                    "`x-currency` has no effect here: `oms` derives no amount from this part";
                let help = "write it next to `format: decimal`".to_owned();
                self.problem_at(
                    SchemaProblemKind::NoEffect,
                    schema,
                    "x-currency",
                    message,
                    Some(help),
                );
            }
        }
    }

    /// Derives a type. Returns it with the keywords that it accounts for, in addition to those of
    /// the [`JsonKind`].
    fn derive_type(
        &mut self,
        schema: &'s Json,
        map: &'s Map<String, Json>,
    ) -> (Type, JsonNode, Vec<&'static str>) {
        if let Some(reference) = map.get("$ref").and_then(Json::as_str) {
            let (ty, node) = match self.index.resolve(schema, reference) {
                // A schema that contains itself ends at the maximum depth.
                Target::Schema(target) => self.nested(target),
                _ => self.validated_only(),
            };
            return (ty, node, vec!["$ref"]);
        }
        if let Some((keyword, inner)) =
            union::or_null(map).filter(|_| self.type_rules != TypeRules::First)
        {
            let (ty, node) = self.nested(inner);
            // In a `oneOf`, null must match only one of the two cases.
            self.covered &= keyword == "anyOf" || !node.nullable;
            return (ty.or_null(), JsonNode { nullable: true, ..node }, vec![keyword]);
        }
        let mut used = Vec::new();
        let (ty, kind) = self.typed(schema, map, &mut used);
        let nullable = ty.nullable;
        (ty, JsonNode { kind, nullable }, used)
    }

    /// Reports marks in parts that do not contribute to a type, where they would have no effect.
    fn marks(&mut self, schema: &'s Json, used: &[&str]) {
        if self.is_broken(schema) {
            return;
        }
        for child in children(schema) {
            if used.contains(&child.keyword) || is_definition(child.keyword) {
                continue;
            }
            if let Some(mark) = mark_in(self.index, child.schema) {
                let pointer = self.index.place(schema).map_or("", |place| &place.pointer);
                let pointer = format!("{pointer}{}{}", child.pointer(), mark.pointer);
                let message = format!(
                    "`{}` has no effect here: `{}` is used only for validation",
                    mark.keyword, child.keyword
                );
                let help = format!(
                    "write `{}` in `properties`, where the type of the field is declared",
                    mark.keyword
                );
                self.problem(SchemaProblemKind::NoEffect, pointer, &message, Some(help));
            }
        }
    }

    fn typed(
        &mut self,
        schema: &'s Json,
        map: &'s Map<String, Json>,
        used: &mut Vec<&'static str>,
    ) -> (Type, JsonKind) {
        let names: Vec<&str> = match map.get("type") {
            Some(Json::String(name)) => vec![name],
            Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).collect(),
            _ => Vec::new(),
        };
        let values = constants(map).filter(|_| self.type_rules != TypeRules::First);
        let nullable =
            names.contains(&"null") && values.is_none_or(|values| values.contains(&&Json::Null));
        let mut kinds: Vec<&str> = names.iter().copied().filter(|name| *name != "null").collect();
        kinds.sort_unstable();
        let (ty, kind) = match kinds.as_slice() {
            [] if names.is_empty() => return self.untyped(schema, map, used),
            ["boolean"] => (Type::of(Shape::Bool), JsonKind::Bool),
            ["integer"] => integer(map),
            ["number"] => decimal(map, false, true),
            ["number", "string"] if is_decimal_text(schema) => decimal(map, true, true),
            ["string"] => self.string(map),
            ["array"] => self.list(map, used),
            ["object"] => self.object(schema, map, used),
            _ => (Type::of(Shape::Json), JsonKind::Json),
        };
        // An `enum` of texts may contain null, but only `type` decides whether null is allowed.
        (Type { nullable, ..ty }, kind)
    }

    fn untyped(
        &mut self,
        schema: &'s Json,
        map: &'s Map<String, Json>,
        used: &mut Vec<&'static str>,
    ) -> (Type, JsonKind) {
        if let Some(Json::Array(cases)) = map.get("oneOf")
            && let Some(union) = self.union(cases)
        {
            used.push("oneOf");
            return union;
        }
        if let Some(values) = constants(map)
            && values.iter().all(|value| value.is_string() || value.is_null())
            && let Some(texts) = self.texts(&values)
        {
            return texts;
        }
        if self.type_rules == TypeRules::Current
            && let Some(scalars) = constants(map).and_then(|values| scalars(&values))
        {
            return scalars;
        }
        if map.contains_key("properties") {
            let (ty, kind) = self.object(schema, map, used);
            return match (kind, self.type_rules) {
                // JSON Schema accepts any value that is not an object here. Such values are read as
                // missing.
                (JsonKind::Record(record), TypeRules::Current) => {
                    (ty.or_null(), JsonKind::Record(RecordNode { lax: true, ..record }))
                }
                (kind, _) => (ty, kind),
            };
        }
        (Type::of(Shape::Json).or_null(), JsonKind::Json)
    }

    /// Returns the type for the texts among the allowed values.
    fn texts(&self, values: &[&Json]) -> Option<(Type, JsonKind)> {
        if self.type_rules == TypeRules::First && !values.iter().all(|value| value.is_string()) {
            return None;
        }
        let texts: Arc<[Arc<str>]> =
            values.iter().filter_map(|value| value.as_str()).map(Arc::from).collect();
        if texts.is_empty() {
            return None;
        }
        let nullable = values.contains(&&Json::Null);
        let values = Some(texts);
        let shape = Shape::Text { chars_max: None, values: values.clone() };
        let kind = JsonKind::Text { chars_min: 0, chars_max: None, values };
        Some((Type { nullable, ..Type::of(shape) }, kind))
    }

    fn string(&self, map: &Map<String, Json>) -> (Type, JsonKind) {
        let format = map.get("format").and_then(Json::as_str);
        // For values that are not text in expressions, the validator asserts the constants.
        let is_text = self.type_rules == TypeRules::First
            || !matches!(format, Some("decimal" | "date" | "date-time"));
        if let Some(values) = constants(map).filter(|_| is_text) {
            let opaque = || (Type::of(Shape::Json).or_null(), JsonKind::Json);
            return self.texts(&values).unwrap_or_else(opaque);
        }
        match format {
            Some("decimal") => decimal(map, true, false),
            Some("currency") => (Type::of(Shape::Currency), JsonKind::Currency),
            Some("email") => (Type::of(Shape::Email), JsonKind::Email),
            Some("uri") => (Type::of(Shape::Uri), JsonKind::Uri),
            Some("date-time") => {
                let fine = self.type_rules == TypeRules::First;
                (Type::of(Shape::Timestamp), JsonKind::Timestamp { fine })
            }
            Some("date") => {
                let written = map.get("x-date-format").and_then(Json::as_str);
                let format = written.and_then(formats::date_format).unwrap_or(DateFormat::Iso);
                (Type::of(Shape::Date(format)), JsonKind::Date(format))
            }
            _ => {
                let chars = |key: &str| map.get(key).and_then(Json::as_u64);
                let chars_max = chars("maxLength");
                let chars_min = chars("minLength").unwrap_or(0);
                let kind = JsonKind::Text { chars_min, chars_max, values: None };
                (Type::of(Shape::Text { chars_max, values: None }), kind)
            }
        }
    }

    fn list(
        &mut self,
        map: &'s Map<String, Json>,
        used: &mut Vec<&'static str>,
    ) -> (Type, JsonKind) {
        // With `prefixItems`, the first elements have different types from the rest.
        let mixed = self.type_rules != TypeRules::First && map.contains_key("prefixItems");
        let (element, node) = match map.get("items") {
            Some(items) if !mixed => {
                used.push("items");
                self.lists += 1;
                let compiled = self.nested(items);
                self.lists -= 1;
                compiled
            }
            _ => (Type::of(Shape::Json).or_null(), JsonNode::ANY),
        };
        let count = |key: &str| {
            map.get(key).and_then(Json::as_u64).and_then(|count| usize::try_from(count).ok())
        };
        let min = count("minItems").unwrap_or(0);
        let max = count("maxItems").unwrap_or(ELEMENTS_MAX).min(ELEMENTS_MAX);
        let ty = Type::list_of_at_most(element, u64::try_from(max).ok());
        (ty, JsonKind::List { element: Box::new(node), min, max })
    }

    fn object(
        &mut self,
        schema: &Json,
        map: &'s Map<String, Json>,
        used: &mut Vec<&'static str>,
    ) -> (Type, JsonKind) {
        let properties = map.get("properties").and_then(Json::as_object);
        let required = required(map);
        if let Some(properties) = properties.filter(|_| !map.contains_key("patternProperties")) {
            for (position, name) in required.iter().enumerate() {
                if !properties.contains_key(*name) {
                    let help = did_you_mean(name, properties.keys().map(String::as_str));
                    let message = format!("`{name}` is required, but not declared in `properties`");
                    self.problem_at(
                        SchemaProblemKind::Undeclared,
                        schema,
                        &format!("required/{position}"),
                        &message,
                        help,
                    );
                }
            }
        }
        used.push("properties");
        // The reader would reject members that only `patternProperties` allows.
        let closed = map.get("additionalProperties") == Some(&Json::Bool(false))
            && !map.contains_key("patternProperties");
        let mut members: Vec<(Member, Type)> = Vec::new();
        for (name, schema) in properties.into_iter().flatten() {
            self.member.push(Arc::from(name.as_str()));
            let (ty, node) = self.nested(schema);
            self.member.pop();
            let required = required.contains(&name.as_str());
            let ty = if required { ty } else { ty.or_null() };
            let name = Arc::from(name.as_str());
            members.push((Member { name, node, required, lax: false }, ty));
        }
        record(members, !closed)
    }
}

/// Returns a record with these members.
pub(super) fn record(members: Vec<(Member, Type)>, additional: bool) -> (Type, JsonKind) {
    record_of_cases(members, additional, Vec::new())
}

/// Returns a record with the members and the cases of a union.
pub(super) fn record_of_cases(
    mut members: Vec<(Member, Type)>,
    additional: bool,
    cases: Vec<Arc<RecordType>>,
) -> (Type, JsonKind) {
    members.sort_by(|a, b| a.0.name.cmp(&b.0.name));
    let fields = members.iter().map(|(member, ty)| (Arc::clone(&member.name), ty.clone()));
    let ty = Arc::new(RecordType::new(fields).with_cases(cases));
    let members = members.into_iter().map(|(member, _)| member).collect();
    (
        Type::of(Shape::Record(Arc::clone(&ty))),
        JsonKind::Record(RecordNode { ty, members, additional, lax: false }),
    )
}

/// Limits the length of a text, which may be described by a reference.
fn limit_length(ty: &mut Type, max: u64) {
    match &mut ty.shape {
        Shape::Text { chars_max, values: None } => {
            *chars_max = Some(chars_max.map_or(max, |known| known.min(max)));
        }
        Shape::Email | Shape::Uri => {
            ty.length_max = Some(ty.length_max.map_or(max, |known| known.min(max)));
        }
        _ => {}
    }
}

/// Returns the unit of an amount whose currency is in the field at a pointer.
fn unit_of(pointer: &str) -> Unit {
    Unit::Field(Arc::from(format!("order{}", pointer.replace('/', "."))))
}

/// Returns the type of the field at a JSON pointer.
fn field_at<'t>(ty: &'t Type, pointer: &str) -> Option<&'t Type> {
    pointer
        .split('/')
        .skip(1)
        .try_fold(ty, |ty, name| ty.as_record()?.field(name).map(|field| &field.ty))
}
