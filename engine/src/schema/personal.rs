//! Where a schema marks personal data that no type would know of: such a mark would be ignored, and the data shown.

use serde_json::Value as Json;

/// Returns the pointer, within `schema`, of an `x-pii: true` in it or in what it refers to.
pub(super) fn mark_in(root: &Json, schema: &Json) -> Option<String> {
    find(root, schema, &mut Vec::new())
}

fn find<'s>(root: &'s Json, schema: &'s Json, referred: &mut Vec<&'s str>) -> Option<String> {
    match schema {
        Json::Object(members) => {
            members.iter().find_map(|(name, value)| match (name.as_str(), value) {
                ("x-pii", Json::Bool(true)) => Some("/x-pii".to_owned()),
                ("$ref", Json::String(target)) if !referred.contains(&target.as_str()) => {
                    referred.push(target);
                    let target = root.pointer(target.strip_prefix('#')?)?;
                    find(root, target, referred).map(|_| "/$ref".to_owned())
                }
                _ => find(root, value, referred)
                    .map(|at| format!("/{}{at}", name.replace('~', "~0").replace('/', "~1"))),
            })
        }
        Json::Array(elements) => elements.iter().enumerate().find_map(|(position, element)| {
            find(root, element, referred).map(|at| format!("/{position}{at}"))
        }),
        _ => None,
    }
}
