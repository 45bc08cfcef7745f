//! The key `ignore` of the section `order`: the members that do not make it another order.

use oms_core::diagnostic::{Finding, Place, Route, codes, did_you_mean};
use oms_core::value::{Digest, EACH_ELEMENT, IgnoredMembers, Shape, Type, without_ignored};
use oms_expression::Compiled;

use super::checked::{Plan, PlannedStep};
use super::sink::Sink;
use crate::schema::OrderSchema;

/// The members that are ignored when an order is compared with an accepted order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ignored {
    members: IgnoredMembers,
    pointers: Vec<Pointer>,
}

/// A pointer to ignored members, in which `*` stands for every element of a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pointer {
    text: String,
    names: Vec<String>,
}

impl Ignored {
    /// Returns the members.
    pub(crate) const fn members(&self) -> &IgnoredMembers {
        &self.members
    }

    /// Returns the digest of an order without the ignored members, or `None` if no member is
    /// ignored. The digest also depends on the pointers: an order that was reduced by other pointers
    /// has another digest.
    pub(crate) fn reduced_digest(&self, canonical: &[u8]) -> Option<Digest> {
        if self.members.is_empty() {
            return None;
        }
        let reduced = without_ignored(canonical, &self.members);
        let pointers = self.pointers.iter().map(|pointer| pointer.text.as_bytes());
        Some(Digest::of_parts(pointers.chain([reduced.as_slice()])))
    }
}

impl Pointer {
    /// Parses a JSON pointer (RFC 6901).
    fn parse(text: &str) -> Option<Self> {
        let names = text.strip_prefix('/')?.split('/').map(unescaped).collect::<Option<_>>()?;
        Some(Self { text: text.to_owned(), names })
    }

    /// Returns the names as parts of a path of an expression, where a `.` in a name cannot be told
    /// from the one between two names.
    fn parts(&self) -> impl Iterator<Item = &str> {
        self.names.iter().flat_map(|name| name.split('.'))
    }

    /// Returns whether it leads to the members at `other` or to a member that contains them.
    fn covers<'n>(&self, other: impl IntoIterator<Item = &'n str>) -> bool {
        let mut other = other.into_iter();
        self.parts().all(|name| other.next().is_some_and(|other| is_same(name, other)))
    }

    /// Returns whether a change of its members can change the members at `path`.
    fn overlaps(&self, path: &[&str]) -> bool {
        self.parts().zip(path).all(|(name, other)| is_same(name, other))
    }
}

fn is_same(name: &str, other: &str) -> bool {
    name == other || name == EACH_ELEMENT
}

/// Returns a segment without the escapes of a JSON pointer.
fn unescaped(segment: &str) -> Option<String> {
    let mut parts = segment.split('~');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        name.push(match part.as_bytes().first()? {
            b'0' => '~',
            b'1' => '/',
            _ => return None,
        });
        name.push_str(part.get(1..)?);
    }
    Some(name)
}

/// Returns the parts of a path of an expression, such as `order.lines[0].id`, below the order.
fn below_order(path: &str) -> Option<Vec<&str>> {
    let mut names = path.split(['.', '[']).map(|name| name.trim_end_matches(']'));
    (names.next() == Some("order")).then(|| names.collect())
}

/// Checks the pointers. Reports those that lead to no member, and those to members that decide which
/// order it is.
pub(super) fn check(
    pointers: &[String],
    schema: &OrderSchema,
    key: &Compiled,
    sink: &mut Sink<'_>,
) -> Ignored {
    let mut ignored = Ignored::default();
    for (index, text) in pointers.iter().enumerate() {
        let place = Place::value(route(index));
        match check_one(text, schema, key, &ignored) {
            Ok(pointer) => {
                ignored.members.add(pointer.names.iter().map(String::as_str));
                ignored.pointers.push(pointer);
            }
            Err((message, help)) => {
                sink.add(Finding::error(codes::IGNORED_MEMBER, place, message).help(help));
            }
        }
    }
    ignored.pointers.sort();
    ignored
}

fn route(index: usize) -> Route {
    Route::root().key("order").key("ignore").index(index)
}

/// A message and a help text.
type Problem = (String, Option<String>);

fn check_one(
    text: &str,
    schema: &OrderSchema,
    key: &Compiled,
    others: &Ignored,
) -> Result<Pointer, Problem> {
    let Some(pointer) = Pointer::parse(text) else {
        let help = match text {
            "" => "the whole order cannot be ignored; name its members, such as `/updated_at`",
            _ => {
                "write a `/` before each name, `*` for the elements of a list, and `~0` and `~1` for `~` and `/` in names, as in `/line_items/*/fulfillment_status`"
            }
        };
        return Err(("this is not a JSON pointer to a member".to_owned(), Some(help.to_owned())));
    };
    lead_to_member(&pointer.names, schema.ty())?;
    // `order["a-b"]` also counts as a read of the whole order.
    let paths: Vec<&str> = match key.is_made_of_paths() {
        true => key.readable_paths().collect(),
        false => key.reads().collect(),
    };
    if paths.into_iter().filter_map(below_order).any(|path| pointer.overlaps(&path)) {
        let message = format!("the order key depends on `{text}`");
        let help =
            "remove the pointer: orders that differ in a part of the key are different orders";
        return Err((message, Some(help.to_owned())));
    }
    let mut customer = schema.customer().paths();
    if customer.any(|path| pointer.covers(path.iter().flat_map(|name| name.split('.')))) {
        let message = format!("`{text}` identifies the customer of an order (`x-customer`)");
        let help = "remove the pointer: the order of another customer is another order";
        return Err((message, Some(help.to_owned())));
    }
    let covers = |one: &Pointer, other: &Pointer| {
        let mut names = one.names.iter().zip(&other.names);
        one.names.len() <= other.names.len() && names.all(|(name, other)| is_same(name, other))
    };
    let mut others = others.pointers.iter();
    if let Some(other) = others.find(|other| covers(other, &pointer) || covers(&pointer, other)) {
        let message = format!("`{text}` and `{}` lead to the same members", other.text);
        return Err((message, Some("keep the shorter of the two pointers".to_owned())));
    }
    Ok(pointer)
}

/// Checks that the order schema declares the members. Below a part without a type, any name is
/// allowed.
fn lead_to_member(names: &[String], order: &Type) -> Result<(), Problem> {
    let mut ty = order;
    for (at, name) in names.iter().enumerate() {
        let above = || match at {
            0 => "an order".to_owned(),
            _ => format!("`/{}`", names.get(..at).unwrap_or_default().join("/")),
        };
        match &ty.shape {
            Shape::Record(record) => {
                let Some(field) = record.field(name) else {
                    let help = did_you_mean(name, record.names()).unwrap_or_else(|| {
                        "use a member that the order schema declares".to_owned()
                    });
                    let message = format!("{} has no member `{name}` in the order schema", above());
                    return Err((message, Some(help)));
                };
                ty = &field.ty;
            }
            Shape::List(element) if name == EACH_ELEMENT => ty = element,
            Shape::List(_) => {
                let message = format!("{} is a list, which has no member `{name}`", above());
                return Err((message, Some("write `*` for all elements of the list".to_owned())));
            }
            Shape::Json | Shape::Broken => return Ok(()),
            shape => return Err((format!("{} is {shape}, which has no members", above()), None)),
        }
    }
    Ok(())
}

/// Reports ignored members that a step uses: the step does not see the change if an order is
/// delivered again with another value.
pub(super) fn check_used(plan: &Plan) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, text) in plan.order().ignore().iter().enumerate() {
        let Some(pointer) = Pointer::parse(text) else { continue };
        let Some(step) = plan.steps().iter().find(|step| uses(step, &pointer)) else { continue };
        let message = format!("`{}` uses `{text}`, but does not see a change of it", step.id);
        let place = Place::key(Route::root().key("steps").key(&step.id));
        found.push(
            Finding::warning(codes::IGNORED_MEMBER_USED, Place::value(route(index)), message)
                .related(place, "this step")
                .help(
                    "remove the pointer, so that an order with another value is rejected as a conflict"
                        .to_owned(),
                ),
        );
    }
    found
}

fn uses(step: &PlannedStep, pointer: &Pointer) -> bool {
    let list = step.for_each.as_ref().map(|each| &each.items);
    let items = list.and_then(Compiled::path).and_then(below_order);
    let covers = |path: &str| match path.strip_prefix("item.") {
        Some(rest) => items.as_ref().is_some_and(|items| {
            pointer.covers(items.iter().copied().chain([EACH_ELEMENT]).chain(rest.split('.')))
        }),
        None => below_order(path).is_some_and(|path| pointer.covers(path)),
    };
    let expressions = step.input.fields().chain(&step.when).chain(list);
    expressions.flat_map(Compiled::reads).any(covers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_parsed_and_compared_by_their_names() {
        let names = |text: &str| Pointer::parse(text).map(|pointer| pointer.names);
        assert_eq!(names("/a~1b/m~0n/*"), Some(vec!["a/b".into(), "m~n".into(), "*".into()]));
        assert_eq!(names("/"), Some(vec![String::new()]));
        for text in ["", "a", "#/a", "/a~", "/a~2", "/~é"] {
            assert_eq!(names(text), None, "{text}");
        }
        let covers = |pointer: &str, path: &str| {
            Pointer::parse(pointer).is_some_and(|pointer| pointer.covers(path.split('.')))
        };
        assert!(covers("/a", "a.b") && covers("/a/*", "a.b") && covers("/a/b", "a.b"));
        assert!(!covers("/a/b", "a") && !covers("/a/b", "a.c"));
        assert!(covers("/a.b", "a.b.c") && !covers("/a.b", "a.c"));
        assert_eq!(below_order("order.a[0].b"), Some(vec!["a", "0", "b"]));
        assert_eq!(below_order("steps.a.b"), None);
        let overlaps = |pointer: &str, path: &[&str]| {
            Pointer::parse(pointer).is_some_and(|pointer| pointer.overlaps(path))
        };
        assert!(overlaps("/a/b", &["a"]) && overlaps("/a", &["a", "b"]));
        assert!(!overlaps("/a/b", &["a", "c"]));
    }
}
