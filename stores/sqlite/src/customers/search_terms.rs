//! The search terms of an order: the texts and numbers by which the search index finds its
//! customer.

use std::fmt::{Display, Write as _};

use oms_core::value::{JsonVisitor, Shape, Type, walk_json};

/// Writes the search terms of an order, one value per line. Unreadable content is ignored, because
/// orders were validated when they were accepted.
pub(crate) fn order_lines(ty: &Type, order: &[u8], lines: &mut String) {
    walk_json(order, &mut OrderReader { at: vec![(ty, false)], to: lines });
}

/// Writes the personal data of an order, one value per line.
pub fn personal_lines(ty: &Type, order: &[u8], lines: &mut String) {
    walk_json(order, &mut OrderReader { at: vec![(ty, true)], to: lines });
}

/// Returns the values that [`order_lines`] writes, in the same sequence, each with the path of its
/// member.
pub(crate) fn places(ty: &Type, order: &[u8]) -> Vec<Place> {
    let mut places = Places::default();
    walk_json(order, &mut OrderReader { at: vec![(ty, false)], to: &mut places });
    places.found
}

/// A searched member of an order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The path of the member, such as `items[].to`.
    pub(crate) path: String,
    pub(crate) value: String,
    /// Whether the value is personal data.
    pub(crate) is_personal: bool,
}

/// Receives the searched values of an order.
trait Sink {
    /// Receives a value.
    fn add(&mut self, ty: &Type, value: &dyn Display);
    /// Enters a member, or a list element if `name` is `None`.
    fn enter(&mut self, _name: Option<&str>) {}
    /// Leaves the member or element that was entered last.
    fn leave(&mut self) {}
}

impl Sink for String {
    fn add(&mut self, _: &Type, value: &dyn Display) {
        // Writing to a string cannot fail.
        let _infallible = writeln!(self, "{value}");
    }
}

#[derive(Default)]
struct Places {
    path: String,
    /// The length of the path before each member that was entered.
    before: Vec<usize>,
    found: Vec<Place>,
}

impl Sink for Places {
    fn add(&mut self, ty: &Type, value: &dyn Display) {
        let (path, value) = (self.path.clone(), value.to_string());
        self.found.push(Place { path, value, is_personal: ty.pii });
    }

    fn enter(&mut self, name: Option<&str>) {
        self.before.push(self.path.len());
        match name {
            Some(name) => self.path.extend([if self.path.is_empty() { "" } else { "." }, name]),
            None => self.path.push_str("[]"),
        }
    }

    fn leave(&mut self) {
        self.path.truncate(self.before.pop().unwrap_or_default());
    }
}

/// Returns whether a value of a type may identify a customer.
fn is_searched(ty: &Type) -> bool {
    matches!(ty.shape, Shape::Text { values: None, .. } | Shape::Email | Shape::Int)
}

/// Reads the search terms of an order, and skips all other members. In lists, only personal data is
/// read, because the other values describe articles.
struct OrderReader<'a, S> {
    /// The types of the current member and of those around it, and whether only personal data is
    /// read there.
    at: Vec<(&'a Type, bool)>,
    to: &'a mut S,
}

impl<S: Sink> JsonVisitor for OrderReader<'_, S> {
    fn enter(&mut self, name: Option<&str>) -> bool {
        let Some((ty, listed)) = self.at.last() else { return false };
        let below = match (name, &ty.shape) {
            (Some(name), _) => {
                let field = ty.as_record().and_then(|record| record.field(name));
                field.map(|field| (&field.ty, *listed))
            }
            (None, Shape::List(element)) if element.contains_pii() => Some((&**element, true)),
            (None, _) => None,
        };
        let Some(below) = below else { return false };
        self.at.push(below);
        self.to.enter(name);
        true
    }

    fn leave(&mut self) {
        self.at.pop();
        self.to.leave();
    }

    fn value(&mut self, value: &dyn Display) {
        if let Some((ty, listed)) = self.at.last()
            && is_searched(ty)
            && (!listed || ty.pii)
        {
            self.to.add(ty, value);
        }
    }
}

/// Returns the paths of the searched fields of orders, such as `customer_id`.
pub fn search_terms(ty: &Type) -> Vec<String> {
    let mut paths = Vec::new();
    add_paths(ty, "", false, &mut paths);
    paths
}

fn add_paths(ty: &Type, path: &str, listed: bool, paths: &mut Vec<String>) {
    match &ty.shape {
        Shape::Record(record) => {
            let dot = if path.is_empty() { "" } else { "." };
            for field in record.fields() {
                add_paths(&field.ty, &format!("{path}{dot}{}", field.name), listed, paths);
            }
        }
        Shape::List(element) if element.contains_pii() => {
            add_paths(element, &format!("{path}[]"), true, paths);
        }
        _ if is_searched(ty) && (!listed || ty.pii) => paths.push(path.to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_in_lists_are_search_terms_only_if_they_are_personal_data() {
        let line = Type::record([("sku", Type::text()), ("to", Type::text().with_pii(true))]);
        let name = Type::record([("last", Type::text())]);
        let ty = Type::record([
            ("customer", Type::of(Shape::Int)),
            ("name", name.or_null()),
            ("items", Type::list(line)),
            ("mails", Type::list(Type::of(Shape::Email).with_pii(true))),
            ("tags", Type::list(Type::text())),
            ("price", Type::amount()),
        ]);
        let order = r#"{"customer": 7, "name": {"last": "O\"Hara", "first": "unknown"}, "items": [{"sku": "S", "to": "Ann"}],
            "mails": ["a@b.org"], "tags": ["gift"], "price": "1.00", "other": [{"name": "x"}], "name2": null}"#;
        let mut lines = String::new();
        order_lines(&ty, order.as_bytes(), &mut lines);
        assert_eq!(lines, "7\nO\"Hara\nAnn\na@b.org\n");
        let found = places(&ty, order.as_bytes());
        let found: Vec<_> = found.iter().map(|place| (&*place.path, place.is_personal)).collect();
        let wanted =
            [("customer", false), ("name.last", false), ("items[].to", true), ("mails[]", true)];
        assert_eq!(found, wanted);
        let mut paths = Vec::new();
        add_paths(&ty, "", false, &mut paths);
        assert_eq!(paths, ["customer", "items[].to", "mails[]", "name.last"]);
    }
}
