//! The checks of an intake for webhooks.

use oms_core::diagnostic::{Finding, Place, Route, codes};

use super::checked::Plan;
use super::order::OrderPlan;
use super::sink::Sink;
use crate::pipeline::Pipeline;

/// Reports an intake whose orders get their keys from a part of the request that does not exist, or
/// that the signature does not cover.
pub(super) fn check(pipeline: &Pipeline, order: &OrderPlan, sink: &mut Sink<'_>) {
    let Some(intake) = pipeline.intake.as_ref().filter(|_| order.key_is_name()) else { return };
    let key = Place::value(Route::root().key("order").key("key"));
    if !intake.has_key() {
        let message = "the order key is the last part of the path, but the path has no `{key}`";
        let place = Place::value(Route::root().key("intake").key("path"));
        let help = format!(
            "write `{}/{{key}}`, or use a member of the order as the key",
            intake.path.trim_end_matches('/')
        );
        let finding = Finding::error(codes::INTAKE_PATH, place, message);
        sink.add(finding.related(key, "the order key").help(help));
    } else if intake.verify.is_some() {
        let message = "the signature covers the body of a request, but the order key is not in it";
        let place = Place::key(Route::root().key("intake").key("verify"));
        let finding = Finding::error(codes::UNSIGNED_KEY, key, message);
        sink.add(
            finding
                .related(place, "the signature is verified")
                .help("use a member of the order that is unique for each order".to_owned()),
        );
    }
}

/// Reports what the generated handlers cannot do.
pub(super) fn check_lambda(plan: &Plan, found: &mut Vec<Finding>) {
    let mut refuse = |place: Place, message: &str, help: &str| {
        let finding = Finding::error(codes::LAMBDA_WEBHOOK, place, message);
        found.push(finding.help(help.to_owned()));
    };
    if plan.order().ignores_members() {
        let place = Place::key(Route::root().key("order").key("ignore"));
        let message = "a handler compares whole orders, and ignores no members";
        refuse(place, message, "remove `ignore`, or receive the orders with `oms serve`");
    }
    let Some(intake) = plan.intake() else { return };
    let route = Route::root().key("intake");
    if !intake.has_key() {
        let message = "a handler receives orders only by `PUT`, with the key in the path";
        let help =
            format!("write `{}/{{key}}`, or receive the orders with `oms serve`", intake.path);
        refuse(Place::value(route.key("path")), message, &help);
    }
    if intake.verify.is_some() {
        let message = "a handler does not verify signatures";
        let help = "remove `verify`, or receive the webhooks with `oms serve`";
        refuse(Place::key(route.key("verify")), message, help);
    }
    if intake.accept.is_some() {
        let message = "a handler accepts all orders, whatever their headers";
        let help = "remove `accept`, or receive the webhooks with `oms serve`";
        refuse(Place::key(route.key("accept")), message, help);
    }
}
