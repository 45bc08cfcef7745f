//! Loops over lists: `map`, `filter`, `all`, `exists`, `exists_one`.

use oms_core::diagnostic::codes;
use oms_core::value::{Shape, Type};

use super::check::{Checked, Checker, Local};
use super::check_binary::truth;
use super::node::{Loop, LoopKind, Node};
use super::problem::ProblemSeverity;
use super::syntax::{Expr, ExprKind};
use super::{ELEMENTS_MAX, hints, widen};

/// The maximum nesting of loops. Even two levels over lists of a thousand elements reach the
/// limit of visits in one evaluation, so a third level would fail for most lists.
const LOOPS_MAX: usize = 2;

/// Returns the message and the help for a list that may have more elements than can be processed.
pub fn too_long(path: &str, ty: &Type) -> Option<(String, String)> {
    let limit = ELEMENTS_MAX as u64;
    let is_bounded = ty.limits.elements_max.is_some_and(|most| most <= limit);
    (!is_bounded).then(|| {
        (
            format!(
                "`{path}` may have more than {limit} elements, the maximum that a step can process"
            ),
            format!("limit the list that it comes from: `maxItems: {limit}` in the order schema"),
        )
    })
}

impl Checker<'_> {
    pub(super) fn loop_call(
        &mut self,
        expr: &Expr,
        kind: LoopKind,
        target: &Expr,
        args: &[Expr],
    ) -> Checked {
        let span = expr.span.clone();
        let name = self.source_of(&expr.at);
        let list = self.check(target);
        let (variable, condition, body) = match args {
            [variable, body] => (variable, None, body),
            [variable, condition, body] if kind == LoopKind::Map => {
                (variable, Some(condition), body)
            }
            _ => {
                let message = format!("`{name}` takes a name and an expression for each element");
                self.report(
                    codes::EXPRESSION_TYPE,
                    span.clone(),
                    message,
                    "wrong number of arguments",
                )
                .help(format!("write `list.{name}(x, …)`"));
                return Checked::broken(span);
            }
        };
        let ExprKind::Name(variable) = &variable.kind else {
            let message = format!("`{name}` expects a name for the element as its first argument");
            self.report(codes::EXPRESSION_TYPE, variable.span.clone(), message, "not a name")
                .help(format!("write `list.{name}(x, …)`"));
            return Checked::broken(span);
        };
        if self.locals.len() >= LOOPS_MAX {
            let message = format!("loops can be nested at most {LOOPS_MAX} levels deep");
            self.report(codes::EXPRESSION_LIMIT, expr.at.clone(), message, "nested too deeply")
                .help("compute a part of the expression in a `value.compute` step".to_owned());
            return Checked::broken(span);
        }
        let element = self.element(&list, name);
        self.locals_made += 1;
        // The path contains a space, so it differs from every path in an expression.
        let path = format!("{variable} {}", self.locals_made);
        self.locals.push(Local { name: variable.clone(), path: path.clone(), ty: element.clone() });
        let condition = condition.map(|condition| self.check(condition));
        let body = match &condition {
            Some(condition) => self.check_with_facts(&condition.if_true, body),
            None => self.check(body),
        };
        self.locals.pop();
        self.reads.retain(|read| !read.starts_with(&path));
        let mut valid = true;
        let conditions = condition.iter().chain((kind != LoopKind::Map).then_some(&body));
        for condition in conditions {
            valid &= self.loop_condition(condition, name);
        }
        let known = valid && element.is_some() && body.ty.is_some();
        // The selected elements reveal the data in the condition, and the length of a result
        // reveals that of the list.
        let chosen = list.ty.as_ref().is_some_and(|ty| ty.pii)
            || condition.as_ref().is_some_and(Checked::contains_pii)
            || kind == LoopKind::Filter && body.contains_pii();
        let ty = known.then(|| match kind {
            LoopKind::Map => {
                let elements_max = list.ty.as_ref().and_then(|ty| ty.limits.elements_max);
                let element = body.ty.clone();
                element.map(|ty| Type::list_of_at_most(ty, elements_max).with_pii(chosen))
            }
            LoopKind::Filter => list.ty.clone().map(|list| list.not_null().with_pii(chosen)),
            LoopKind::All | LoopKind::Exists | LoopKind::ExistsOne => Some(truth([&body])),
        });
        let looping =
            Loop { kind, list: list.node, condition: condition.map(|c| c.node), body: body.node };
        Checked::new(Node::Loop(Box::new(looping)), ty.flatten(), span)
    }

    /// Returns the element type, or reports a value that is not a list.
    fn element(&mut self, list: &Checked, name: &str) -> Option<Type> {
        let ty = list.ty.as_ref()?;
        let Shape::List(element) = &ty.shape else {
            let found = widen::describe(&ty.shape);
            let message = format!("`{name}` expects a list, found {found}");
            self.report(
                codes::EXPRESSION_TYPE,
                list.span.clone(),
                message,
                format!("this is {found}"),
            )
            .origin(list.origin.clone());
            return None;
        };
        let element = element.as_ref().clone().with_pii(ty.pii);
        self.warn_if_unbounded(list);
        self.present(list).then_some(element)
    }

    /// Reports a warning for a list of a step that may be too long. Warnings about lists of the
    /// order are reported where the schema declares them.
    pub(super) fn warn_if_unbounded(&mut self, list: &Checked) {
        let path = list.path.as_deref().filter(|path| path.starts_with("steps."));
        let (Some(path), Some(ty)) = (path, &list.ty) else { return };
        if let Some((message, help)) = too_long(path, ty) {
            self.report(codes::LIST_LIMIT, list.span.clone(), message, "may be too long")
                .help(help)
                .severity(ProblemSeverity::Warning);
        }
    }

    fn loop_condition(&mut self, condition: &Checked, name: &str) -> bool {
        match condition.shape() {
            None => false,
            Some(Shape::Bool) => self.present(condition),
            Some(shape) => {
                let found = widen::describe(shape);
                let message = format!("`{name}` expects a condition, found {found}");
                let label = format!("this is {found}");
                let help = condition
                    .ty
                    .as_ref()
                    .and_then(|ty| hints::condition(self.source_of(&condition.span), ty, false));
                self.report(codes::EXPRESSION_TYPE, condition.span.clone(), message, label)
                    .help(help);
                false
            }
        }
    }
}
