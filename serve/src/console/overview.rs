//! The overview: how much comes in, how far it is, and what is stuck.

use axum::extract::Path;
use axum::response::Response;
use oms_engine::effects::Clock as _;
use oms_engine::run::RunState;
use oms_local::{RunRow, SystemClock};
use serde_json::{Value as Json, json};

use super::guard::Visit;
use super::pages::{Page, part};
use super::words;
use crate::flow::Flow;

/// Runs that the times are taken from.
const RUNS: u32 = 1_000;

/// `GET /console/{pipeline}/`.
pub(crate) async fn show(mut visit: Visit) -> Response {
    let live = format!("{}/live", visit.base());
    let read = visit.read(|flow| Ok(json!({ "live": live, "figures": figures(flow)? })));
    Page::named("overview", "Overview", "overview").read(read, &mut visit)
}

/// `GET /console/{pipeline}/live`: the figures alone.
pub(crate) async fn live(visit: Visit, Path(pipeline): Path<String>) -> Response {
    let read = visit.read(|flow| Ok(json!({ "figures": figures(flow)? })));
    part("figures", &pipeline, read)
}

fn figures(flow: &Flow) -> Result<Json, oms_local::Error> {
    let plan = flow.plan();
    let (total, open, causes, times) = flow.reading(|connection, _| {
        let _snapshot = connection.unchecked_transaction()?;
        Ok((
            RunRow::total(connection)?,
            RunRow::count_open(connection)?,
            RunRow::causes(connection)?,
            RunRow::completed_in(connection, RUNS)?,
        ))
    })?;
    let of = |state| open.iter().find(|(known, _)| *known == state).map_or(0, |(_, count)| *count);
    let completed = total - open.iter().map(|(_, count)| count).sum::<i64>();
    let at = |share: usize| times.get((times.len() * share / 100).min(times.len() - 1)).copied();
    let latency: Vec<Json> = match times.is_empty() {
        true => Vec::new(),
        false => [("median", 50), ("95 %", 95), ("99 %", 99)]
            .into_iter()
            .map(|(name, share)| {
                json!({ "name": name, "value": words::millis(at(share).unwrap_or_default()) })
            })
            .collect(),
    };
    let causes: Vec<Json> = causes
        .iter()
        .map(|(cause, count)| {
            let link = format!(
                "/console/{}/runs?state=parked&cause={}",
                plan.name(),
                words::part(cause.split(',').next().unwrap_or_default())
            );
            json!({ "cause": cause, "count": words::count(*count), "link": link })
        })
        .collect();
    let now = SystemClock.now();
    let minutes = flow.recent.minutes(now);
    let most = minutes.iter().map(|minute| minute.count).max().unwrap_or_default();
    let minutes: Vec<Json> = minutes
        .iter()
        .filter(|_| most > 0)
        .map(|minute| {
            let label = format!("{:02}:{:02}", minute.minute / 60 % 24, minute.minute % 60);
            let count = words::count(i64::try_from(minute.count).unwrap_or(i64::MAX));
            json!({ "label": label, "count": count, "of_max": minute.count * 100 / most.max(1) })
        })
        .collect();
    Ok(json!({
        "per_second": format!("{:.1}", flow.recent.per_second(now)),
        "accepted": words::count(total),
        "in_progress": words::count(of(RunState::InProgress)),
        "waiting": words::count(of(RunState::Waiting)),
        "parked": words::count(of(RunState::Parked)),
        "completed": words::count(completed),
        "cancelled": words::count(of(RunState::Cancelled)),
        "latency": latency,
        "causes": causes,
        "minutes": minutes,
    }))
}
