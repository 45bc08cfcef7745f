//! Differences between two JSON documents, checked with `serde_json`.

use oms_engine::value::{IgnoredMembers, JsonNode, differences, read_json, without_ignored};
use proptest::prelude::*;
use serde_json::Value as Json;

fn any_json() -> impl Strategy<Value = Json> {
    let scalar = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (-3_i64..3).prop_map(Json::from),
        "[a-c~/]{0,2}".prop_map(Json::from),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        let member = ("[a-c~/]{0,2}", inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Json::from),
            prop::collection::vec(member, 0..4)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

/// Removes the members to which a path leads. In a list, `*` leads to every element.
fn remove(json: &mut Json, path: &[String]) {
    let Some((first, rest)) = path.split_first() else { return };
    match json {
        Json::Array(elements) if first == "*" && rest.is_empty() => elements.clear(),
        Json::Array(elements) if first == "*" => {
            elements.iter_mut().for_each(|element| remove(element, rest));
        }
        Json::Object(members) if rest.is_empty() => {
            members.remove(first);
        }
        Json::Object(members) => {
            if let Some(member) = members.get_mut(first) {
                remove(member, rest);
            }
        }
        _ => {}
    }
}

proptest! {
    /// There are no pointers if and only if the documents are equal, and each pointer leads to
    /// values that differ.
    #[test]
    fn every_pointer_leads_to_a_difference(left in any_json(), right in any_json()) {
        let canonical = |json: &Json| {
            read_json(json.to_string().as_bytes(), &JsonNode::ANY).unwrap().canonical
        };
        let none = IgnoredMembers::default();
        let found = differences(&canonical(&left), &canonical(&right), &none);
        prop_assert_eq!(found.count == 0, left == right);
        prop_assert_eq!(found.pointers.is_empty(), left == right);
        prop_assert_eq!(differences(&canonical(&left), &canonical(&left), &none).count, 0);
        for pointer in &found.pointers {
            prop_assert_ne!(left.pointer(pointer), right.pointer(pointer), "{}", pointer);
        }
    }

    /// Two documents differ outside of the ignored members if and only if they differ after these
    /// members were removed.
    #[test]
    fn ignoring_a_member_is_like_removing_it(
        left in any_json(),
        right in any_json(),
        path in prop::collection::vec("[a-c*]", 1..3),
    ) {
        let canonical = |json: &Json| {
            read_json(json.to_string().as_bytes(), &JsonNode::ANY).unwrap().canonical
        };
        let mut ignored = IgnoredMembers::default();
        ignored.add(path.iter().map(String::as_str));
        let removed = |json: &Json| {
            let mut json = json.clone();
            remove(&mut json, &path);
            json
        };
        let found = differences(&canonical(&left), &canonical(&right), &ignored);
        prop_assert_eq!(found.count == 0, removed(&left) == removed(&right));
        let reduced = without_ignored(&canonical(&left), &ignored);
        prop_assert_eq!(reduced, canonical(&removed(&left)));
    }
}
