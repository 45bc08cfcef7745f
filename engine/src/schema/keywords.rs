//! The keywords of JSON Schema 2020-12 and our own keywords, with their content and the values that
//! they constrain.

/// The content of a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
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
    Nothing,
    /// All values.
    Everything,
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
    pub(super) holds: Holds,
    pub(super) constrains: Constrains,
    /// Whether its subschemas apply to the same value as the schema itself.
    pub(super) in_place: bool,
    /// If not empty, the keyword has an effect only together with one of these keywords.
    pub(super) partners: &'static [&'static str],
}

const fn plain(name: &'static str, constrains: Constrains) -> Keyword {
    Keyword { name, holds: Holds::Plain, constrains, in_place: false, partners: &[] }
}

const fn below(name: &'static str, holds: Holds, constrains: Constrains) -> Keyword {
    Keyword { holds, ..plain(name, constrains) }
}

const fn beside(name: &'static str, holds: Holds) -> Keyword {
    Keyword { in_place: true, ..below(name, holds, Constrains::Everything) }
}

const fn with(keyword: Keyword, partners: &'static [&'static str]) -> Keyword {
    Keyword { partners, ..keyword }
}

/// All keywords, sorted by name.
#[rustfmt::skip]
const KEYWORDS: [Keyword; 65] = [
    plain("$anchor", Constrains::Nothing),
    plain("$comment", Constrains::Nothing),
    below("$defs", Holds::Named, Constrains::Nothing),
    plain("$dynamicAnchor", Constrains::Nothing),
    plain("$dynamicRef", Constrains::Everything),
    plain("$id", Constrains::Nothing),
    plain("$ref", Constrains::Everything),
    plain("$schema", Constrains::Nothing),
    plain("$vocabulary", Constrains::Nothing),
    below("additionalProperties", Holds::Schema, Constrains::Objects),
    beside("allOf", Holds::List),
    beside("anyOf", Holds::List),
    plain("const", Constrains::Everything),
    below("contains", Holds::Schema, Constrains::Arrays),
    plain("contentEncoding", Constrains::Nothing),
    plain("contentMediaType", Constrains::Nothing),
    below("contentSchema", Holds::Schema, Constrains::Nothing),
    plain("default", Constrains::Nothing),
    below("definitions", Holds::Named, Constrains::Nothing),
    plain("dependentRequired", Constrains::Objects),
    Keyword { in_place: true, ..below("dependentSchemas", Holds::Named, Constrains::Objects) },
    plain("deprecated", Constrains::Nothing),
    plain("description", Constrains::Nothing),
    with(beside("else", Holds::Schema), &["if"]),
    plain("enum", Constrains::Everything),
    plain("examples", Constrains::Nothing),
    plain("exclusiveMaximum", Constrains::Numbers),
    plain("exclusiveMinimum", Constrains::Numbers),
    plain("format", Constrains::Texts),
    with(beside("if", Holds::Schema), &["then", "else"]),
    below("items", Holds::Schema, Constrains::Arrays),
    with(plain("maxContains", Constrains::Arrays), &["contains"]),
    plain("maxItems", Constrains::Arrays),
    plain("maxLength", Constrains::Texts),
    plain("maxProperties", Constrains::Objects),
    plain("maximum", Constrains::Numbers),
    with(plain("minContains", Constrains::Arrays), &["contains"]),
    plain("minItems", Constrains::Arrays),
    plain("minLength", Constrains::Texts),
    plain("minProperties", Constrains::Objects),
    plain("minimum", Constrains::Numbers),
    plain("multipleOf", Constrains::Numbers),
    beside("not", Holds::Schema),
    plain("nullable", Constrains::Everything),
    beside("oneOf", Holds::List),
    plain("pattern", Constrains::Texts),
    below("patternProperties", Holds::Named, Constrains::Objects),
    below("prefixItems", Holds::List, Constrains::Arrays),
    below("properties", Holds::Named, Constrains::Objects),
    below("propertyNames", Holds::Schema, Constrains::Objects),
    plain("readOnly", Constrains::Nothing),
    plain("required", Constrains::Objects),
    with(beside("then", Holds::Schema), &["if"]),
    plain("title", Constrains::Nothing),
    plain("type", Constrains::Everything),
    below("unevaluatedItems", Holds::Schema, Constrains::Arrays),
    below("unevaluatedProperties", Holds::Schema, Constrains::Objects),
    plain("uniqueItems", Constrains::Arrays),
    plain("writeOnly", Constrains::Nothing),
    plain("x-currency", Constrains::Decimals),
    plain("x-customer", Constrains::Everything),
    plain("x-date-format", Constrains::Dates),
    plain("x-pii", Constrains::Everything),
    plain("x-precision", Constrains::Decimals),
    plain("x-scale", Constrains::Decimals),
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
    keyword(name).is_some_and(|keyword| keyword.constrains == Constrains::Nothing)
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
