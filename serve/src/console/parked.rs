//! Parked runs by cause, and the retry of all runs with a cause.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use oms_engine::effects::cause;
use oms_sqlite::RunRow;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::audit;
use super::causes;
use super::form::SubmittedForm;
use super::page::{Page, count_parked, fragment};
use super::visit::{Visit, redirect};
use crate::format;
use crate::state::error::with_sources;
use crate::state::flow::Flow;
use crate::state::notice::Notice;
use crate::state::site::Site;

/// Number of keys that are shown for a cause.
const KEYS_MAX: usize = 10;

/// The cause of the runs. A run may have several, separated by commas.
#[derive(Default, Deserialize)]
pub(crate) struct CauseQuery {
    #[serde(default)]
    cause: String,
}

#[derive(Deserialize)]
pub(crate) struct CauseForm {
    cause: String,
}

/// `GET /console/{pipeline}/parked`.
pub(crate) async fn show(mut visit: Visit) -> Response {
    let read = visit.read(|flow| {
        let (groups, parked) = groups(flow)?;
        Ok(json!({ "groups": groups, "progress": progress(flow), "parked_now": parked }))
    });
    Page::named("parked", "Parked runs", "parked").read(read, &mut visit)
}

/// `GET /console/{pipeline}/parked/live`: the progress of a retry.
pub(crate) async fn live(visit: Visit, Path(pipeline): Path<String>) -> Response {
    let read = visit
        .read(|flow| Ok(json!({ "progress": progress(flow), "parked_now": count_parked(flow) })));
    fragment("progress", &pipeline, read)
}

fn progress(flow: &Flow) -> Json {
    let progress = flow.bulk_retry.progress();
    let of = if progress.total == 0 { String::new() } else { progress.total.to_string() };
    json!({
        "running": progress.running, "of": of,
        "done": progress.done.to_string(), "failed": progress.parked, "causes": progress.causes,
        "live": format!("/console/{}/parked/live", flow.plan().name()),
    })
}

/// Returns the groups of parked runs by cause, and the total number of runs.
fn groups(flow: &Flow) -> Result<(Vec<Json>, i64), oms_sqlite::Error> {
    let plan = flow.plan();
    let base = format!("/console/{}", plan.name());
    let (causes, firsts) = flow.read(|reader, _| {
        let causes = RunRow::causes(reader)?;
        let mut firsts = BTreeMap::new();
        for (cause, _) in &causes {
            firsts.insert(cause.clone(), RunRow::parked(reader, cause, KEYS_MAX as u32)?);
        }
        Ok((causes, firsts))
    })?;
    let group = |(cause, count): &(String, i64)| {
        let rows = firsts.get(cause).map(Vec::as_slice).unwrap_or_default();
        let keys: Vec<Json> = rows
            .iter()
            .map(|row| json!({ "key": row.key, "link": format!("{base}/runs/{}", format::part(&row.key)) }))
            .collect();
        let held = cause.split(',').any(|one| one == cause::UNKNOWN_OUTCOME);
        let more = count - keys.len() as i64;
        let oldest = rows.first().map(|row| format::instant(row.accepted_at));
        let retry = format!("{base}/parked/retry?cause={}", format::part(cause));
        json!({
            "cause": cause, "text": causes::explain(cause), "count": format::count(*count),
            "oldest_at": oldest.unwrap_or_default(), "keys": keys,
            "more": if more > 0 { format::count(more) } else { String::new() },
            "retry": if held { String::new() } else { retry }, "held": held,
        })
    };
    let parked = causes.iter().map(|(_, count)| count).sum();
    Ok((causes.iter().map(group).collect(), parked))
}

/// `GET /console/{pipeline}/parked/retry?cause=…`: the confirmation page.
pub(crate) async fn confirm(
    mut visit: Visit,
    query: Result<Query<CauseQuery>, QueryRejection>,
) -> Response {
    let query = query.map(|Query(query)| query).unwrap_or_default();
    let base = visit.base();
    let read = visit.read(|flow| {
        let runs = format::runs(rows(flow, &query.cause)?.len());
        Ok(json!({
        "question": format!("Retry {runs} with the cause {}?", query.cause),
        "explanation": [
            "Each run continues where it failed, with the current pipeline file. Completed steps do not run again.",
            "The runs are retried in the background. The page “Parked runs” shows the progress.",
        ],
        "action": format!("{base}/parked/retry"),
        "back": format!("{base}/parked"),
        "button": "Retry all",
        "danger": false,
        "hidden": [{ "name": "cause", "value": query.cause }],
        }))
    });
    Page::named("confirm", "Retry", "confirm").read(read, &mut visit)
}

fn rows(flow: &Flow, cause: &str) -> Result<Vec<RunRow>, oms_sqlite::Error> {
    flow.read(|reader, _| RunRow::parked(reader, cause, u32::MAX))
}

/// `POST /console/{pipeline}/parked/retry`.
pub(crate) async fn retry(
    State(site): State<Arc<Site>>,
    Path(pipeline): Path<String>,
    SubmittedForm { visit, form }: SubmittedForm<CauseForm>,
) -> Response {
    let back = format!("/console/{pipeline}/parked");
    let (Some(flow), Some(index)) = (visit.flow(), visit.index) else { return redirect(&back) };
    if let Err(why) = flow.reload().await {
        return visit.redirect_with(
            &back,
            Notice::bad(format!("No run was retried: {}.", with_sources(&why))),
        );
    }
    let rows = match rows(flow, &form.cause) {
        Ok(rows) => rows,
        Err(error) => {
            return visit
                .redirect_with(&back, Notice::bad(format!("The retry was not started: {error}.")));
        }
    };
    let detail = format!("{} with the cause {}", format::runs(rows.len()), form.cause);
    if rows.is_empty() || flow.bulk_retry.progress().running {
        let notice = "The retry was not started: no run is parked with this cause, or another retry is in progress.";
        return visit.redirect_with(&back, Notice::bad(notice));
    }
    let Some(entry) = audit::audit_start(&visit, "retry all", None, &detail).await else {
        let notice = "The retry was not started, because the audit log could not be written.";
        return visit.redirect_with(&back, Notice::bad(notice));
    };
    if !flow.bulk_retry.begin(rows.len()) {
        flow.audit_outcome(entry, "not started").await;
        return visit.redirect_with(
            &back,
            Notice::bad("The retry was not started, because another retry has just started."),
        );
    }
    site.retry_in_background(index, rows, entry);
    visit.redirect_with(&back, Notice::open("The runs are being retried in the background."))
}
