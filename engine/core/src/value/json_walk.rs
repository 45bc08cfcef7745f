//! Visits members of a JSON text without building a tree of it.

use std::borrow::Cow;
use std::fmt::{self, Display};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Receives the values of a JSON text.
pub trait JsonVisitor {
    /// Enters a member, or the elements of a list if `name` is `None`. Returns whether its values
    /// are visited; if not, [`leave`](Self::leave) is not called for it.
    fn enter(&mut self, name: Option<&str>) -> bool;
    /// Leaves the member or the list that was entered last.
    fn leave(&mut self);
    /// Receives a text or an integer at the current place.
    fn value(&mut self, value: &dyn Display);
}

/// Visits a JSON text. It ends at the first error in the text and does not report it, because the
/// text was validated when it was accepted.
pub fn walk_json(json: &[u8], visitor: &mut dyn JsonVisitor) {
    let _ignored = serde_json::Deserializer::from_slice(json).deserialize_any(Walk(visitor));
}

struct Walk<'v>(&'v mut dyn JsonVisitor);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            if self.0.enter(Some(&name)) {
                members.next_value_seed(Walk(&mut *self.0))?;
                self.0.leave();
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        if self.0.enter(None) {
            while elements.next_element_seed(Walk(&mut *self.0))?.is_some() {}
            self.0.leave();
        } else {
            while elements.next_element::<IgnoredAny>()?.is_some() {}
        }
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.value(&text);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.0.value(&number);
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.0.value(&number);
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
