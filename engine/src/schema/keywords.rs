//! The keywords of JSON Schema 2020-12 and our own keywords, with their content and the values that
//! they constrain.

/// The content of a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Not a schema.
    Plain,
    /// A schema.
    Schema,
    /// A list of schemas.
    List,
    /// Schemas by name.
    Named,
}

/// The values that a keyword constrains. It has no effect if the schema allows no such value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Constrains {
    /// None. The keyword is an annotation or is part of the schema's structure.
    NoValues,
    /// All values.
    AllValues,
    /// Numbers, and texts with a decimal.
    Numbers,
    /// Texts.
    Texts,
    /// Texts with a date.
    Dates,
    /// Numbers that may have a fraction, and texts with a decimal.
    Decimals,
    /// Arrays.
    Arrays,
    /// Objects.
    Objects,
}

/// A keyword.
#[derive(Debug)]
pub(super) struct Keyword {
    pub(super) name: &'static str,
    pub(super) content: Content,
    pub(super) constrains: Constrains,
    /// Whether its subschemas apply to the same value as the schema itself.
    pub(super) in_place: bool,
    /// If not empty, the keyword has an effect only together with one of these keywords.
    pub(super) partners: &'static [&'static str],
}

const fn without_schemas(name: &'static str, constrains: Constrains) -> Keyword {
    Keyword { name, content: Content::Plain, constrains, in_place: false, partners: &[] }
}

const fn applicator(name: &'static str, content: Content, constrains: Constrains) -> Keyword {
    Keyword { content, ..without_schemas(name, constrains) }
}

const fn in_place_applicator(name: &'static str, content: Content) -> Keyword {
    Keyword { in_place: true, ..applicator(name, content, Constrains::AllValues) }
}

const fn with_partners(keyword: Keyword, partners: &'static [&'static str]) -> Keyword {
    Keyword { partners, ..keyword }
}

/// All keywords, sorted by name.
#[rustfmt::skip]
const KEYWORDS: [Keyword; 65] = [
    without_schemas("$anchor", Constrains::NoValues),
    without_schemas("$comment", Constrains::NoValues),
    applicator("$defs", Content::Named, Constrains::NoValues),
    without_schemas("$dynamicAnchor", Constrains::NoValues),
    without_schemas("$dynamicRef", Constrains::AllValues),
    without_schemas("$id", Constrains::NoValues),
    without_schemas("$ref", Constrains::AllValues),
    without_schemas("$schema", Constrains::NoValues),
    without_schemas("$vocabulary", Constrains::NoValues),
    applicator("additionalProperties", Content::Schema, Constrains::Objects),
    in_place_applicator("allOf", Content::List),
    in_place_applicator("anyOf", Content::List),
    without_schemas("const", Constrains::AllValues),
    applicator("contains", Content::Schema, Constrains::Arrays),
    without_schemas("contentEncoding", Constrains::NoValues),
    without_schemas("contentMediaType", Constrains::NoValues),
    applicator("contentSchema", Content::Schema, Constrains::NoValues),
    without_schemas("default", Constrains::NoValues),
    applicator("definitions", Content::Named, Constrains::NoValues),
    without_schemas("dependentRequired", Constrains::Objects),
    Keyword { in_place: true, ..applicator("dependentSchemas", Content::Named, Constrains::Objects) },
    without_schemas("deprecated", Constrains::NoValues),
    without_schemas("description", Constrains::NoValues),
    with_partners(in_place_applicator("else", Content::Schema), &["if"]),
    without_schemas("enum", Constrains::AllValues),
    without_schemas("examples", Constrains::NoValues),
    without_schemas("exclusiveMaximum", Constrains::Numbers),
    without_schemas("exclusiveMinimum", Constrains::Numbers),
    without_schemas("format", Constrains::Texts),
    with_partners(in_place_applicator("if", Content::Schema), &["then", "else"]),
    applicator("items", Content::Schema, Constrains::Arrays),
    with_partners(without_schemas("maxContains", Constrains::Arrays), &["contains"]),
    without_schemas("maxItems", Constrains::Arrays),
    without_schemas("maxLength", Constrains::Texts),
    without_schemas("maxProperties", Constrains::Objects),
    without_schemas("maximum", Constrains::Numbers),
    with_partners(without_schemas("minContains", Constrains::Arrays), &["contains"]),
    without_schemas("minItems", Constrains::Arrays),
    without_schemas("minLength", Constrains::Texts),
    without_schemas("minProperties", Constrains::Objects),
    without_schemas("minimum", Constrains::Numbers),
    without_schemas("multipleOf", Constrains::Numbers),
    in_place_applicator("not", Content::Schema),
    without_schemas("nullable", Constrains::AllValues),
    in_place_applicator("oneOf", Content::List),
    without_schemas("pattern", Constrains::Texts),
    applicator("patternProperties", Content::Named, Constrains::Objects),
    applicator("prefixItems", Content::List, Constrains::Arrays),
    applicator("properties", Content::Named, Constrains::Objects),
    applicator("propertyNames", Content::Schema, Constrains::Objects),
    without_schemas("readOnly", Constrains::NoValues),
    without_schemas("required", Constrains::Objects),
    with_partners(in_place_applicator("then", Content::Schema), &["if"]),
    without_schemas("title", Constrains::NoValues),
    without_schemas("type", Constrains::AllValues),
    applicator("unevaluatedItems", Content::Schema, Constrains::Arrays),
    applicator("unevaluatedProperties", Content::Schema, Constrains::Objects),
    without_schemas("uniqueItems", Constrains::Arrays),
    without_schemas("writeOnly", Constrains::NoValues),
    without_schemas("x-currency", Constrains::Decimals),
    without_schemas("x-customer", Constrains::AllValues),
    without_schemas("x-date-format", Constrains::Dates),
    without_schemas("x-pii", Constrains::AllValues),
    without_schemas("x-precision", Constrains::Decimals),
    without_schemas("x-scale", Constrains::Decimals),
];

/// Returns the keyword with a name.
pub(super) fn keyword(name: &str) -> Option<&'static Keyword> {
    let at = KEYWORDS.binary_search_by(|keyword| keyword.name.cmp(name)).ok()?;
    KEYWORDS.get(at)
}

/// Returns the names of all keywords.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    KEYWORDS.iter().map(|keyword| keyword.name)
}

/// Returns whether a keyword does not constrain any values.
pub(super) fn is_annotation(name: &str) -> bool {
    keyword(name).is_some_and(|keyword| keyword.constrains == Constrains::NoValues)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_found_by_their_name() {
        assert!(KEYWORDS.is_sorted_by_key(|keyword| keyword.name));
        assert!(names().all(|name| keyword(name).is_some()));
        assert!(keyword("formatt").is_none());
    }
}
