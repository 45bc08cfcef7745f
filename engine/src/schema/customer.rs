//! The members of an order that identify its customer (`x-customer`), and a reader for them.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use oms_core::table::Identity;
use oms_core::value::Shape;
use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::problem::SchemaProblemKind;

/// The help on which members can be marked.
pub(super) const MARKABLE: &str = "mark the member with the customer's id, and members of format `email` with the customer's own addresses";

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
        let mut identity = Identity::default();
        let paths = self.id.iter().map(|path| (path.as_slice(), true));
        let paths: Vec<(&[Arc<str>], bool)> =
            paths.chain(self.emails.iter().map(|path| (path.as_slice(), false))).collect();
        let reader = Reader { paths, identity: &mut identity };
        let _unread = reader.deserialize(&mut serde_json::Deserializer::from_slice(order));
        identity
    }
}

/// Reads the members at `paths` and skips the others. The flag of a path is true for the customer's
/// id.
struct Reader<'a> {
    paths: Vec<(&'a [Arc<str>], bool)>,
    identity: &'a mut Identity,
}

impl Reader<'_> {
    fn value(self, value: impl fmt::Display) {
        for (path, is_id) in &self.paths {
            match (path, is_id) {
                ([], true) => self.identity.set_id(value.to_string()),
                ([], false) => self.identity.add_email(&value.to_string()),
                _ => {}
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            let below = self.paths.iter().filter_map(|(path, is_id)| match path {
                [first, rest @ ..] if **first == *name => Some((rest, *is_id)),
                _ => None,
            });
            let paths: Vec<(&[Arc<str>], bool)> = below.collect();
            if paths.is_empty() {
                members.next_value::<IgnoredAny>()?;
            } else {
                members.next_value_seed(Reader { paths, identity: &mut *self.identity })?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.value(text);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.value(number);
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.value(number);
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
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
