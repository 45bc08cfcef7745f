//! The pipeline: its file with what is found in it, and its graph.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value as Json, json};

use super::guard::Visit;
use super::pages::Page;
use super::run::unstyled;
use crate::flow::Flow;
use crate::site::Site;

/// `GET /console/{pipeline}/pipeline`.
pub(crate) async fn show(
    State(site): State<Arc<Site>>,
    Path(pipeline): Path<String>,
    headers: HeaderMap,
) -> Response {
    match Visit::enter(&site, Some(&pipeline), &headers) {
        Ok(mut visit) => {
            let data = visit.flow().map(file).unwrap_or_default();
            Page::new("pipeline", "Pipeline", "pipeline", data).of(&mut visit)
        }
        Err(refused) => *refused,
    }
}

fn file(flow: &Flow) -> Json {
    let plan = flow.plan();
    let looked = tokio::task::block_in_place(|| flow.source.look());
    let lines: Vec<Json> = looked
        .text
        .lines()
        .enumerate()
        .map(|(at, text)| {
            let marks = looked.findings.iter().filter(|finding| finding.line == at + 1);
            let marks: Vec<Json> = marks
                .map(|finding| {
                    json!({
                        "severity": finding.severity, "code": finding.code, "message": finding.message,
                        "help": finding.help.clone().unwrap_or_default(), "link": "",
                    })
                })
                .collect();
            json!({ "number": (at + 1).to_string(), "text": text, "marks": marks })
        })
        .collect();
    json!({
        "description": plan.description().unwrap_or_default(),
        "file": flow.source.name(),
        "digest": plan.digest().short(),
        "graph_svg": unstyled(&flow.source.draw(&plan)),
        "lines": lines,
        "findings": looked.findings.len().to_string(),
        "samples": [],
        "mails": [],
    })
}
