//! The OpenAPI 3.1 document of the server. The paths and the schemas of orders come from the
//! pipelines. The statuses are listed here: update them together with the table in `docs/serve.md`
//! if a response changes.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value as Json, json};

use crate::state::flow::Flow;
use crate::state::site::Site;

/// The response of a server without API keys to an untrusted request for an order.
const FORBIDDEN: (&str, &str) = (
    "403",
    "The server has no API keys, and a proxy forwarded the request or a page of another site sent it.",
);
/// The response to a request for another host.
const MISDIRECTED: (&str, &str) = ("421", "The request is for a host other than this machine.");

/// `GET /openapi.json`.
pub(crate) async fn show(State(site): State<Arc<Site>>) -> Response {
    axum::Json(describe(&site.flows)).into_response()
}

fn describe(flows: &[Flow]) -> Json {
    let mut paths = Map::new();
    let mut schemas = Map::from_iter([
        ("Accepted".to_owned(), accepted()),
        ("Problem".to_owned(), problem()),
        ("Status".to_owned(), status()),
    ]);
    let mut security_schemes = json!({
        "key": { "type": "apiKey", "in": "header", "name": "x-api-key" },
        "bearer": { "type": "http", "scheme": "bearer" },
    });
    for flow in flows {
        let plan = flow.plan();
        let Some(intake) = plan.intake() else { continue };
        let name = plan.name();
        let mut schema = plan.order().schema().source().clone();
        if let Some(members) = schema.as_object_mut() {
            // With an `$id`, references resolve within the schema.
            members.entry("$id").or_insert_with(|| json!(format!("urn:oms:{name}:order")));
        }
        schemas.insert(format!("{name}.order"), schema);
        let order = json!({ "$ref": format!("#/components/schemas/{name}.order") });
        let body =
            json!({ "required": true, "content": { "application/json": { "schema": order } } });
        let key = json!({ "name": "key", "in": "path", "required": true, "schema": key_schema() });
        let prefer = json!({ "name": "Prefer", "in": "header", "description": "`wait=5` waits up to 5 seconds for the run to end.", "schema": { "type": "string" } });
        let idempotency = json!({ "name": "Idempotency-Key", "in": "header", "description": "The order's key, if it is not in the body.", "schema": { "type": "string" } });
        let summary = plan.description().unwrap_or_default();
        if intake.has_key() {
            paths.insert(
                intake.path.clone(),
                json!({
                    "parameters": [key],
                    "put": {
                        "operationId": format!("{name}.put"), "summary": summary, "parameters": [prefer],
                        "requestBody": body, "responses": order_responses(),
                    },
                    "get": {
                        "operationId": format!("{name}.show"), "summary": "The state of an order.",
                        "responses": status_responses(),
                    },
                }),
            );
        }
        let mut parameters = vec![prefer];
        if flow.verifier.is_none() {
            parameters.push(idempotency);
        }
        let mut post = json!({
            "operationId": format!("{name}.post"), "summary": summary,
            "requestBody": body, "responses": order_responses(),
        });
        if let Some(accept) = &flow.accept {
            let description =
                format!("Other values than {} get the status 204.", accept.values.join(", "));
            parameters.push(json!({ "name": accept.header, "in": "header", "description": description, "schema": { "type": "string" } }));
            post["responses"]["204"] =
                json!({ "description": "The webhook is not an order. Nothing is stored." });
        }
        if let Some(verifier) = &flow.verifier {
            let scheme = format!("{name}.signature");
            security_schemes[&scheme] = json!({ "type": "apiKey", "in": "header", "name": verifier.header(), "description": "The signature of the body." });
            post["security"] = json!([{ scheme: [] }]);
            // A signature replaces the API key, also on a server without keys.
            post["responses"]["401"] =
                problem_response("The signature is missing, wrong or too old.");
        }
        post["parameters"] = Json::from(parameters);
        paths.insert(intake.collection().to_owned(), json!({ "post": post }));
    }
    for (path, summary) in
        [("/healthz", "The process responds."), ("/readyz", "The server accepts orders.")]
    {
        let success = json!({ "description": summary, "content": { "application/json": { "schema": { "type": "object" } } } });
        let mut responses = Map::from_iter([("200".to_owned(), success)]);
        responses.extend(problems(&[
            ("400", "The request names several hosts."),
            ("403", "The server has no API keys, and a proxy forwarded the request."),
            MISDIRECTED,
        ]));
        if path == "/readyz" {
            responses.extend(problems(&[("503", "The server is shutting down.")]));
        }
        paths.insert(
            path.to_owned(),
            json!({ "get": {
                "operationId": path.trim_start_matches('/'), "summary": summary, "security": [], "responses": responses,
            } }),
        );
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "oms", "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": env!("CARGO_PKG_LICENSE") },
        },
        // The server that returned this document.
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": security_schemes,
        },
        // The empty entry is for a loopback server without keys.
        "security": [{}, { "key": [] }, { "bearer": [] }],
    })
}

fn key_schema() -> Json {
    json!({ "type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[A-Za-z0-9._~-]+$" })
}

fn accepted() -> Json {
    json!({
        "type": "object", "required": ["key", "run"],
        "properties": {
            "key": key_schema(),
            "run": { "type": "string", "description": "The id of the order's run." },
            "state": { "type": "string", "description": "The state of the run, if the request waited for it." },
            "cause": { "type": ["string", "null"] },
            "caught": caught(),
        },
    })
}

fn caught() -> Json {
    json!({ "type": "integer", "minimum": 0, "description": "Number of failures that a catch step handled." })
}

fn status() -> Json {
    json!({
        "type": "object", "required": ["key", "run", "state", "accepted_at", "updated_at"],
        "properties": {
            "key": key_schema(),
            "run": { "type": "string" },
            "state": { "enum": oms_engine::run::RunState::ALL },
            "accepted_at": { "type": "string", "format": "date-time" },
            "updated_at": { "type": "string", "format": "date-time" },
            "cause": {
                "type": ["string", "null"],
                "description": "Why the run is parked. For a completed run, the causes of the failures that a catch step handled.",
            },
            "caught": caught(),
        },
    })
}

fn problem() -> Json {
    json!({
        "description": "RFC 9457", "type": "object", "required": ["type", "title", "status"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "key": { "type": "string", "description": "The key that another order already has (409)." },
            "run": { "type": "string", "description": "The id of that order's run (409)." },
            "pointers": {
                "type": "array", "items": { "type": "string" },
                "description": "JSON pointers (RFC 6901) to the first members that differ (409); absent if that order is no longer stored or cannot be read.",
            },
            "problems": { "type": "array", "items": {
                "type": "object", "required": ["pointer", "line", "column", "message"],
                "properties": {
                    "pointer": { "type": "string" },
                    "line": { "type": "integer" },
                    "column": { "type": "integer" },
                    "message": { "type": "string" },
                },
            } },
        },
    })
}

fn problem_response(description: &str) -> Json {
    json!({ "description": description, "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } } })
}

fn success(description: &str, schema: &str) -> Json {
    let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
    json!({ "description": description, "content": { "application/json": { "schema": schema } } })
}

fn problems(statuses: &[(&str, &str)]) -> Map<String, Json> {
    statuses.iter().map(|(status, why)| ((*status).to_owned(), problem_response(why))).collect()
}

/// The responses to an order.
fn order_responses() -> Json {
    let mut responses = Map::from_iter([
        ("200".to_owned(), success("The same order was accepted before.", "Accepted")),
        ("201".to_owned(), success("The order is on disk and will run.", "Accepted")),
    ]);
    responses.extend(problems(&[
        ("400", "The order or its key is invalid."),
        ("401", "An API key is required."),
        FORBIDDEN,
        ("408", "The order was not received in time."),
        ("409", "Another order has this key. The problem names its run and up to 10 members that differ."),
        ("413", "The order is too large."),
        ("415", "The body is not `application/json`, or it is compressed."),
        MISDIRECTED,
        ("429", "Too many concurrent orders. Send the order again after the number of seconds in `Retry-After`."),
        ("503", "The order could not be stored. Send it again."),
    ]));
    Json::Object(responses)
}

fn status_responses() -> Json {
    let mut responses =
        Map::from_iter([("200".to_owned(), success("The state of the order.", "Status"))]);
    responses.extend(problems(&[
        ("400", "The key is invalid."),
        ("401", "An API key is required."),
        FORBIDDEN,
        ("404", "No order has this key."),
        MISDIRECTED,
        ("503", "The order could not be read. Try again."),
    ]));
    Json::Object(responses)
}
