//! The page of the pipeline: its file with the findings, and its graph.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value as Json, json};

use super::page::{self, Page};
use super::run::without_style;
use super::visit::Visit;
use crate::format;
use crate::state::flow::Flow;
use crate::state::source::Finding;

/// `GET /console/{pipeline}/pipeline`.
pub(crate) async fn show(mut visit: Visit) -> Response {
    let data = match visit.flow() {
        Some(flow) => data(flow).await,
        None => Json::Null,
    };
    Page::new("pipeline", "Pipeline", "pipeline", data).render(&mut visit)
}

/// `GET /console/{pipeline}/mail/{template}/{locale}`: a preview of an e-mail, rendered for a
/// sample.
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
        Some(html) => page::mail_frame(html),
        None => {
            let message = "This e-mail does not exist";
            Page::error(StatusCode::NOT_FOUND, message, "").render(&mut visit)
        }
    }
}

async fn data(flow: &Flow) -> Json {
    let plan = flow.plan();
    let (shown, source) = (Arc::clone(&plan), Arc::clone(&flow.source));
    let inspect = move || (source.inspect(), source.mails(&shown));
    let read = tokio::task::spawn_blocking(inspect).await;
    let Ok((inspected, mails)) = read else { return Json::Null };
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
    let lines = inspected.text.lines().enumerate().map(|(at, text)| (at + 1, text));
    let lines: Vec<Json> =
        lines.map(|(at, text)| line_data(at, text, &inspected.findings)).collect();
    let others: Vec<Json> = inspected
        .others
        .iter()
        .enumerate()
        .map(|(number, other)| {
            let lines = other.lines.iter().map(|(at, text)| line_data(*at, text, &other.findings));
            let unseen =
                other.findings.iter().filter(|finding| !other.lines.contains_key(&finding.line));
            let unseen = unseen.map(|finding| {
                let mut mark = finding_data(finding);
                mark["line"] = json!(finding.line.to_string());
                mark
            });
            json!({
                "path": other.path, "number": number,
                "lines": lines.collect::<Vec<_>>(), "marks": unseen.collect::<Vec<_>>(),
            })
        })
        .collect();
    let elsewhere = inspected.others.iter().map(|other| other.findings.len()).sum::<usize>();
    json!({
        "description": plan.description().unwrap_or_default(),
        "file": flow.source.name(),
        "digest": plan.digest().short(),
        "graph_svg": without_style(&flow.source.draw(&plan)),
        "lines": lines,
        "others": others,
        "findings": (inspected.findings.len() + elsewhere).to_string(),
        "samples": samples,
        "mails": mails,
    })
}

/// Converts a line and its findings to template data.
fn line_data(number: usize, text: &str, findings: &[Finding]) -> Json {
    let marks = findings.iter().filter(|finding| finding.line == number).map(finding_data);
    json!({ "number": number.to_string(), "text": text, "marks": marks.collect::<Vec<_>>() })
}

fn finding_data(finding: &Finding) -> Json {
    json!({
        "severity": finding.severity, "code": finding.code, "message": finding.message,
        "help": finding.help.clone().unwrap_or_default(), "link": "",
    })
}
