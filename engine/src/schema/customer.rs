//! The members of an order that identify its customer (`x-customer`), and a reader for them.

use std::fmt::Display;
use std::sync::Arc;

use oms_core::table::Identity;
use oms_core::value::{JsonVisitor, Shape, walk_json};

use super::problem::SchemaProblemKind;

/// The help text about the members that can be marked.
pub(super) const MARKABLE: &str = "mark the member that contains the customer's id, and members of format `email` that contain the customer's own addresses";

/// The path of a member in an order.
type Path = Vec<Arc<str>>;

/// The members of an order that are marked `x-customer`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerMembers {
    pub(super) id: Option<Path>,
    pub(super) emails: Vec<Path>,
}

impl CustomerMembers {
    /// Returns whether no member is marked.
    pub const fn is_empty(&self) -> bool {
        self.id.is_none() && self.emails.is_empty()
    }

    /// Marks a member as identifying the order's customer. Returns the problem if it cannot be
    /// marked.
    pub(super) fn mark(
        &mut self,
        path: &[Arc<str>],
        shape: &Shape,
        in_list: bool,
    ) -> Option<(SchemaProblemKind, &'static str)> {
        if in_list {
            return Some((
                SchemaProblemKind::NoEffect,
                "`x-customer` has no effect in a list, because an order has one customer",
            ));
        }
        match shape {
            Shape::Broken => {}
            Shape::Email if self.emails.iter().any(|known| known == path) => {}
            Shape::Email => self.emails.push(path.to_vec()),
            Shape::Text { values: None, .. } | Shape::Int => match &self.id {
                Some(known) if known != path => {
                    return Some((
                        SchemaProblemKind::Invalid,
                        "an order has one customer id, but another member is already marked `x-customer`",
                    ));
                }
                _ => self.id = Some(path.to_vec()),
            },
            _ => {
                return Some((
                    SchemaProblemKind::Invalid,
                    "`x-customer` can only mark text, an integer or an e-mail address",
                ));
            }
        }
        None
    }

    /// Reads the identity of an order's customer. Only accepted orders are read, so errors in the
    /// JSON are ignored.
    pub fn read(&self, order: &[u8]) -> Identity {
        let mut reader = Reader { members: self, path: Vec::new(), identity: Identity::default() };
        walk_json(order, &mut reader);
        reader.identity
    }

    /// Returns the paths of the marked members.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.id.iter().chain(&self.emails)
    }
}

/// Reads the marked members and skips the others.
struct Reader<'a> {
    members: &'a CustomerMembers,
    /// The path of the current member.
    path: Path,
    identity: Identity,
}

impl JsonVisitor for Reader<'_> {
    fn enter(&mut self, name: Option<&str>) -> bool {
        let Some(name) = name else { return false };
        let depth = self.path.len();
        let leads_on = |marked: &&Path| {
            marked.starts_with(&self.path) && marked.get(depth).is_some_and(|next| **next == *name)
        };
        let Some(marked) = self.members.paths().find(leads_on) else { return false };
        self.path.push(Arc::clone(&marked[depth]));
        true
    }

    fn leave(&mut self) {
        self.path.pop();
    }

    fn value(&mut self, value: &dyn Display) {
        if self.members.id.as_ref() == Some(&self.path) {
            self.identity.set_id(value.to_string());
        }
        if self.members.emails.contains(&self.path) {
            self.identity.add_email(&value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::{OrderSchema, TypeRules};

    #[test]
    fn only_marked_members_identify_a_customer() {
        let schema = json!({
            "type": "object",
            "properties": {
                "customer": { "$ref": "#/$defs/person" },
                "to": { "type": "string", "format": "email" },
                "sku": { "type": "string" }
            },
            "$defs": { "person": { "type": "object", "properties": {
                "id": { "type": ["integer", "null"], "x-customer": true },
                "email": { "type": "string", "format": "email", "x-customer": true },
                "name": { "type": "string" }
            } } }
        });
        let (schema, problems) = OrderSchema::compile(&schema, TypeRules::Current);
        assert!(problems.is_empty(), "{problems:#?}");
        let expected = |id: Option<&str>, emails: &[&str]| {
            let mut identity = Identity::default();
            id.into_iter().for_each(|id| identity.set_id(id.to_owned()));
            emails.iter().for_each(|email| identity.add_email(email));
            identity
        };
        let read = |order: &str| schema.customer().read(order.as_bytes());
        let order = r#"{"sku": "7", "customer": {"name": "7", "id": 7, "email": "a@b.org"}, "to": "c@d.org"}"#;
        assert_eq!(read(order), expected(Some("7"), &["a@b.org"]));
        assert_eq!(read(r#"{"id": 7, "customer": {"id": null}}"#), expected(None, &[]));
        assert_eq!(read(r#"{"customer": [{"id": 7}]}"#), expected(None, &[]));
    }
}
