//! The page of the pipeline: its file with the findings, and its graph.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value as Json, json};

use super::format;
use super::guard::Visit;
use super::pages::{self, Page};
use super::run::unstyled;
use crate::state::flow::{Finding, Flow};

/// `GET /console/{pipeline}/pipeline`.
pub(crate) async fn show(mut visit: Visit) -> Response {
    let data = match visit.flow() {
        Some(flow) => file(flow).await,
        None => Json::Null,
    };
    Page::new("pipeline", "Pipeline", "pipeline", data).of(&mut visit)
}

/// `GET /console/{pipeline}/mail/{template}/{locale}`: a preview of an e-mail, rendered for a sample.
pub(crate) async fn mail(
    mut visit: Visit,
    Path((_, template, locale)): Path<(String, String, String)>,
) -> Response {
    let rendered = visit.flow().map(|flow| {
        let (plan, source) = (flow.plan(), Arc::clone(&flow.source));
        tokio::task::spawn_blocking(move || source.mail(&plan, &template, &locale))
    });
    let html = match rendered {
        Some(rendered) => rendered.await.ok().flatten(),
        None => None,
    };
    match html {
        Some(html) => pages::mail(html),
        None => {
            let message = "This e-mail does not exist";
            Page::error(StatusCode::NOT_FOUND, message, "").of(&mut visit)
        }
    }
}

async fn file(flow: &Flow) -> Json {
    let plan = flow.plan();
    let (shown, source) = (Arc::clone(&plan), Arc::clone(&flow.source));
    let read = move || (source.look(), source.mails(&shown));
    let read = tokio::task::spawn_blocking(read).await;
    let Ok((looked, mails)) = read else { return Json::Null };
    let base = format!("/console/{}", plan.name());
    let mails: Vec<Json> = mails
        .iter()
        .map(|(name, locales)| {
            let frame = |locale: &String| {
                let (name, part) = (format::part(name), format::part(locale));
                json!({ "name": locale, "frame": format!("{base}/mail/{name}/{part}") })
            };
            json!({ "name": name, "locales": locales.iter().map(frame).collect::<Vec<_>>() })
        })
        .collect();
    let samples: Vec<Json> = plan
        .samples()
        .iter()
        .map(|sample| {
            let name = sample.rsplit('/').next().unwrap_or(sample);
            let key = name.split('.').next().unwrap_or(name);
            json!({ "name": name, "link": format!("{base}/runs?key={}", format::part(key)) })
        })
        .collect();
    let lines = looked.text.lines().enumerate().map(|(at, text)| (at + 1, text));
    let lines: Vec<Json> = lines.map(|(at, text)| line(at, text, &looked.findings)).collect();
    let others: Vec<Json> = looked
        .others
        .iter()
        .enumerate()
        .map(|(number, other)| {
            let lines = other.lines.iter().map(|(at, text)| line(*at, text, &other.findings));
            let unseen =
                other.findings.iter().filter(|finding| !other.lines.contains_key(&finding.line));
            let unseen = unseen.map(|finding| {
                let mut mark = mark(finding);
                mark["line"] = json!(finding.line.to_string());
                mark
            });
            json!({
                "path": other.path, "number": number,
                "lines": lines.collect::<Vec<_>>(), "marks": unseen.collect::<Vec<_>>(),
            })
        })
        .collect();
    let elsewhere = looked.others.iter().map(|other| other.findings.len()).sum::<usize>();
    json!({
        "description": plan.description().unwrap_or_default(),
        "file": flow.source.name(),
        "digest": plan.digest().short(),
        "graph_svg": unstyled(&flow.source.draw(&plan)),
        "lines": lines,
        "others": others,
        "findings": (looked.findings.len() + elsewhere).to_string(),
        "samples": samples,
        "mails": mails,
    })
}

/// Converts a line and its findings to template data.
fn line(number: usize, text: &str, findings: &[Finding]) -> Json {
    let marks = findings.iter().filter(|finding| finding.line == number).map(mark);
    json!({ "number": number.to_string(), "text": text, "marks": marks.collect::<Vec<_>>() })
}

fn mark(finding: &Finding) -> Json {
    json!({
        "severity": finding.severity, "code": finding.code, "message": finding.message,
        "help": finding.help.clone().unwrap_or_default(), "link": "",
    })
}
