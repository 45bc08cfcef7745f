//! Differences between two JSON documents, checked with `serde_json`.

use oms_engine::value::{JsonNode, differences, read_json};
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

proptest! {
    /// There are no pointers if and only if the documents are equal, and each pointer leads to
    /// values that differ.
    #[test]
    fn every_pointer_leads_to_a_difference(left in any_json(), right in any_json()) {
        let canonical = |json: &Json| {
            read_json(json.to_string().as_bytes(), &JsonNode::ANY).unwrap().canonical
        };
        let found = differences(&canonical(&left), &canonical(&right));
        prop_assert_eq!(found.count == 0, left == right);
        prop_assert_eq!(found.pointers.is_empty(), left == right);
        prop_assert_eq!(differences(&canonical(&left), &canonical(&left)).count, 0);
        for pointer in &found.pointers {
            prop_assert_ne!(left.pointer(pointer), right.pointer(pointer), "{}", pointer);
        }
    }
}
