//! The overview: incoming orders, their progress, and parked runs.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use axum::extract::Path;
use axum::response::Response;
use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_engine::run::RunState;
use oms_sqlite::RunRow;
use serde_json::{Value as Json, json};

use super::page::{Page, fragment};
use super::visit::Visit;
use crate::format;
use crate::state::flow::Flow;

/// Number of runs from which the durations are computed.
const RUNS_MAX: u32 = 1_000;

/// `GET /console/{pipeline}/`.
pub(crate) async fn show(mut visit: Visit) -> Response {
    let live = format!("{}/live", visit.base());
    let read = visit.read(|flow| {
        let (metrics, parked) = metrics(flow)?;
        Ok(json!({ "live": live, "metrics": metrics, "parked_now": parked }))
    });
    Page::named("overview", "Overview", "overview").read(read, &mut visit)
}

/// `GET /console/{pipeline}/live`: the metrics, the badge and the time.
pub(crate) async fn live(visit: Visit, Path(pipeline): Path<String>) -> Response {
    let read = visit.read(|flow| {
        let (metrics, parked) = metrics(flow)?;
        Ok(json!({ "metrics": metrics, "parked_now": parked }))
    });
    fragment("metrics", &pipeline, read)
}

/// Returns the metrics of the overview from one snapshot, and the number of parked runs.
fn metrics(flow: &Flow) -> Result<(Json, i64), oms_sqlite::Error> {
    let (plan, now) = (flow.plan(), SystemClock.now());
    let (total, open, causes, times) = flow.read(|reader, _| {
        reader.snapshot(|reader| {
            flow.recent_orders.catch_up(reader, now)?;
            Ok((
                RunRow::total(reader)?,
                RunRow::count_open(reader)?,
                RunRow::causes(reader)?,
                RunRow::completed_in(reader, RUNS_MAX)?,
            ))
        })
    })?;
    let of = |state| open.iter().find(|(known, _)| *known == state).map_or(0, |(_, count)| *count);
    let completed = total - open.iter().map(|(_, count)| count).sum::<i64>();
    let at = |share: usize| times.get((times.len() * share / 100).min(times.len() - 1)).copied();
    let latency: Vec<Json> = match times.is_empty() {
        true => Vec::new(),
        false => [("median", 50), ("95th percentile", 95), ("99th percentile", 99)]
            .into_iter()
            .map(|(name, share)| {
                json!({ "name": name, "value": format::millis(at(share).unwrap_or_default()) })
            })
            .collect(),
    };
    // A run may have several causes. Each is counted separately, as in the linked list.
    let mut runs: BTreeMap<&str, i64> = BTreeMap::new();
    for (causes, count) in &causes {
        for cause in causes.split(',') {
            *runs.entry(cause).or_default() += count;
        }
    }
    let mut runs: Vec<(&str, i64)> = runs.into_iter().collect();
    runs.sort_by_key(|(_, count)| Reverse(*count));
    let causes: Vec<Json> = runs
        .into_iter()
        .map(|(cause, count)| {
            let (name, part) = (plan.name(), format::part(cause));
            let link = format!("/console/{name}/runs?state=parked&cause={part}");
            json!({ "cause": cause, "count": format::count(count), "link": link })
        })
        .collect();
    let minutes = flow.recent_orders.minutes(now);
    let most = minutes.iter().map(|minute| minute.count).max().unwrap_or_default();
    let minutes: Vec<Json> = minutes
        .iter()
        .filter(|_| most > 0)
        .map(|minute| {
            let label = format!("{:02}:{:02}", minute.minute / 60 % 24, minute.minute % 60);
            let count = format::count(i64::try_from(minute.count).unwrap_or(i64::MAX));
            json!({ "label": label, "count": count, "of_max": minute.count * 100 / most.max(1) })
        })
        .collect();
    let parked = of(RunState::Parked);
    let metrics = json!({
        "per_second": format!("{:.1}", flow.recent_orders.per_second(now)),
        "accepted": format::count(total),
        "in_progress": format::count(of(RunState::InProgress)),
        "waiting": format::count(of(RunState::Waiting)),
        "parked": format::count(parked),
        "completed": format::count(completed),
        "cancelled": format::count(of(RunState::Cancelled)),
        "latency": latency,
        "causes": causes,
        "minutes": minutes,
    });
    Ok((metrics, parked))
}
