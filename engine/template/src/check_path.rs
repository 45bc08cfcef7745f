//! Resolution of paths in a template: contexts, block parameters, and which values are present.
//!
//! Resolution follows Handlebars. Block parameters and values that a partial receives take
//! precedence and are visible at any depth. Every other name is resolved in the context that `../`
//! and `@root` select.

use std::ops::Range;

use oms_core::diagnostic::{codes, did_you_mean};
use oms_core::value::{Shape, Type};

use super::path::Parts;
use super::problem::Fault;

/// Names of the data variables of `{{#each}}`, without the `@`.
const LOCALS: [&str; 3] = ["index", "first", "last"];

/// Names of the data variables that are available everywhere: the locale of the e-mail, its text
/// direction (`ltr` or `rtl`), and the sides on which lines start and end.
pub(super) const GLOBALS: [&str; 4] = ["locale", "dir", "start", "end"];

/// Separates the parts of a place. Names in a template cannot contain it.
const SEPARATOR: char = '\0';

/// A value that a path resolves to.
#[derive(Clone, Debug)]
pub(super) struct ResolvedValue {
    /// Its type, narrowed by the conditions of the enclosing blocks.
    pub(super) ty: Type,
    /// Identifies the value. Two paths to the same value have the same place.
    pub(super) place: String,
}

/// A context: `this` inside a block or a partial.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) this: ResolvedValue,
    /// Whether `@index`, `@first` and `@last` are available.
    pub(super) in_list: bool,
    /// Block parameters, and values that the partial received.
    pub(super) names: Vec<(String, ResolvedValue)>,
}

/// The contexts at one position of a template, from the outside in.
#[derive(Debug)]
pub(super) struct Scopes {
    stack: Vec<Scope>,
    /// Places whose values are present.
    present: Vec<String>,
    places_made: usize,
}

impl Scopes {
    /// Creates the scopes at the top of a template.
    pub(super) fn new(data: &Type) -> Self {
        let this = ResolvedValue { ty: data.clone(), place: "$".to_owned() };
        let root = Scope { this, in_list: false, names: Vec::new() };
        Self { stack: vec![root], present: Vec::new(), places_made: 0 }
    }

    /// Returns a new place that no path leads to, such as the place of a list element.
    pub(super) fn fresh_place(&mut self) -> String {
        self.places_made += 1;
        format!("#{}", self.places_made)
    }

    pub(super) fn push(&mut self, scope: Scope) {
        self.stack.push(scope);
    }

    pub(super) fn pop(&mut self) {
        self.stack.pop();
    }

    /// Returns whether the data variables of `{{#each}}` are available.
    pub(super) fn in_list(&self) -> bool {
        self.stack.last().is_some_and(|scope| scope.in_list)
    }

    /// Returns the current `this`.
    pub(super) fn this(&self) -> Option<&ResolvedValue> {
        self.stack.last().map(|scope| &scope.this)
    }

    /// Marks places as present. Returns the position that [`Self::restore`] takes to undo this.
    pub(super) fn assume(&mut self, places: Vec<String>) -> usize {
        let assumed = self.present.len();
        for place in places {
            // If a value is present, all records that contain it are present.
            for (at, _) in place.match_indices(SEPARATOR) {
                self.present.extend(place.get(..at).map(str::to_owned));
            }
            self.present.push(place);
        }
        assumed
    }

    /// Undoes the assumptions since the call of [`Self::assume`] that returned `assumed`.
    pub(super) fn restore(&mut self, assumed: usize) {
        self.present.truncate(assumed);
    }

    /// Resolves a path. `start` is its byte position in the file.
    pub(super) fn resolve(&self, raw: &str, start: usize) -> Result<ResolvedValue, Fault> {
        let parts = Parts::of(raw);
        let whole = start..start + raw.len();
        if parts.local {
            return self.local(&parts, raw, whole);
        }
        let mut segments = parts.segments.iter();
        let mut known = match self.named(&parts) {
            Some(named) => {
                segments.next();
                named.clone()
            }
            None => self.base(&parts, raw, &whole)?.this.clone(),
        };
        self.narrow(&mut known);
        for (range, name) in segments {
            let span = start + range.start..start + range.end;
            known = self.field(&known, name, span, parts.segments.len() == 1)?;
        }
        Ok(known)
    }

    /// Returns the block parameter that a path starts with.
    fn named(&self, parts: &Parts<'_>) -> Option<&ResolvedValue> {
        let (_, first) = parts.segments.first().filter(|_| !parts.from_root)?;
        let mut names = self.stack.iter().rev().flat_map(|scope| &scope.names);
        names.find(|(name, _)| name == first).map(|(_, known)| known)
    }

    /// Returns the context that a path starts in.
    fn base(&self, parts: &Parts<'_>, raw: &str, whole: &Range<usize>) -> Result<&Scope, Fault> {
        let found = if parts.from_root {
            self.stack.first().filter(|_| parts.ups == 0)
        } else {
            self.stack.len().checked_sub(1 + parts.ups).and_then(|at| self.stack.get(at))
        };
        found.ok_or_else(|| {
            let message = format!("`{raw}` leads out of the template's data");
            let depth = self.stack.len() - 1;
            Fault::new(codes::TEMPLATE_NAME, whole.clone(), message).help(match depth {
                0 => "remove the `../`: this is the outermost level".to_owned(),
                _ => format!("use `../` only to leave `{{{{#each}}}}`, `{{{{#with}}}}` or a partial; the maximum here is {depth}"),
            })
        })
    }

    fn local(
        &self,
        parts: &Parts<'_>,
        raw: &str,
        whole: Range<usize>,
    ) -> Result<ResolvedValue, Fault> {
        let level = self.stack.len().checked_sub(1 + parts.ups);
        let in_list = level.and_then(|at| self.stack.get(at)).is_some_and(|scope| scope.in_list);
        let name = match parts.segments.as_slice() {
            [(_, name)] if in_list && LOCALS.contains(name) => *name,
            [(_, name)] if parts.ups == 0 && GLOBALS.contains(name) => {
                return Ok(ResolvedValue { ty: Type::text(), place: format!("@{raw}") });
            }
            _ => {
                let fault =
                    Fault::new(codes::TEMPLATE_NAME, whole, format!("unknown variable `{raw}`"));
                return Err(fault.help(
                    "use `@index`, `@first` and `@last` inside `{{#each}}`; `@locale`, `@dir`, `@start`, `@end` and `@root.name` are available everywhere"
                        .to_owned(),
                ));
            }
        };
        let shape = if name == "index" { Shape::Int } else { Shape::Bool };
        Ok(ResolvedValue { ty: Type::of(shape), place: format!("@{raw}") })
    }

    fn field(
        &self,
        holder: &ResolvedValue,
        name: &str,
        span: Range<usize>,
        lonely: bool,
    ) -> Result<ResolvedValue, Fault> {
        let Some(record) = holder.ty.as_record() else {
            let message =
                format!("cannot read `{name}` from {}, which has no fields", holder.ty.shape);
            let help = match holder.ty.shape {
                Shape::List(_) => Some("iterate over the list with `{{#each …}}`".to_owned()),
                Shape::Json => Some("describe its fields in the order schema".to_owned()),
                _ => None,
            };
            return Err(Fault::new(codes::TEMPLATE_SHAPE, span, message).help(help));
        };
        let Some(field) = record.field(name) else {
            let fault = Fault::new(codes::TEMPLATE_NAME, span, format!("unknown name `{name}`"));
            let help = match self.above(name).filter(|_| lonely) {
                Some(path) => Some(format!("did you mean `{path}`?")),
                None => did_you_mean(name, record.names()),
            };
            return Err(fault.help(help));
        };
        let mut known = ResolvedValue {
            ty: field.ty.clone(),
            place: format!("{}{SEPARATOR}{name}", holder.place),
        };
        known.ty.nullable |= holder.ty.nullable;
        self.narrow(&mut known);
        Ok(known)
    }

    fn narrow(&self, known: &mut ResolvedValue) {
        if self.present.contains(&known.place) {
            known.ty.nullable = false;
        }
    }

    /// Returns the path to a name that an outer context contains.
    fn above(&self, name: &str) -> Option<String> {
        let has =
            |scope: &&Scope| scope.this.ty.as_record().is_some_and(|r| r.field(name).is_some());
        let ups = self.stack.iter().rev().take_while(|scope| !has(scope)).count();
        (ups < self.stack.len()).then(|| format!("{}{name}", "../".repeat(ups)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(scopes: &Scopes, raw: &str) -> Result<String, String> {
        scopes
            .resolve(raw, 0)
            .map(|known| format!("{}: {}", known.place.replace('\0', "."), known.ty))
            .map_err(|fault| fault.message)
    }

    #[test]
    fn paths_resolve_as_handlebars_does() {
        let item = Type::record([("sku", Type::text())]);
        let order = Type::record([("id", Type::text()), ("items", Type::list(item.clone()))]);
        let mut scopes = Scopes::new(&Type::record([("order", order), ("sku", Type::amount())]));
        let this = ResolvedValue { ty: item, place: scopes.fresh_place() };
        let names = vec![("line".to_owned(), this.clone())];
        scopes.push(Scope { this, in_list: true, names });
        for (raw, meaning) in [
            ("sku", "#1.sku: text"),
            ("this.sku", "#1.sku: text"),
            ("./sku", "#1.sku: text"),
            ("line.sku", "#1.sku: text"),
            ("../sku", "$.sku: a decimal"),
            ("../order/id", "$.order.id: text"),
            ("@root.order.[id]", "$.order.id: text"),
            ("this", "#1: a record"),
            ("@index", "@@index: an integer"),
            ("@last", "@@last: a boolean"),
        ] {
            assert_eq!(place(&scopes, raw).as_deref(), Ok(meaning), "{raw}");
        }
        for raw in ["../../sku", "@key", "@../index", "@root", "order", "sku.x", "../order.items.0"]
        {
            assert!(place(&scopes, raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn fields_of_a_nullable_record_may_be_missing() {
        let customer = Type::record([("name", Type::text())]).or_null();
        let mut scopes = Scopes::new(&Type::record([("customer", customer)]));
        assert!(scopes.resolve("customer.name", 0).unwrap().ty.nullable);
        let name = scopes.resolve("customer.name", 0).unwrap().place;
        let assumed = scopes.assume(vec![name]);
        assert!(!scopes.resolve("customer.name", 0).unwrap().ty.nullable);
        assert!(!scopes.resolve("customer", 0).unwrap().ty.nullable);
        scopes.restore(assumed);
        assert!(scopes.resolve("customer", 0).unwrap().ty.nullable);
    }
}
