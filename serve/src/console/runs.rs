//! The list of runs, with its filter and the customer search.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::response::Response;
use jiff::civil::Date;
use oms_engine::run::RunState;
use oms_sqlite::{CustomerRuns, Reader, RunRow, Search, search_terms};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::form::SubmittedForm;
use super::page::Page;
use super::run_filter::{Filter, PageLinks};
use super::visit::Visit;
use crate::format;
use crate::state::flow::Flow;
use crate::state::notice::Notice;
use crate::state::sessions::Session;

/// Number of runs on a page.
const RUNS_PER_PAGE: u32 = 50;
/// Maximum length of a search text in characters.
const SEARCH_CHARS_MAX: usize = 200;

/// The mark for a value that is personal data.
const MASK: &str = "«hidden»";

/// The fields of the customer search.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct CustomerSearch {
    /// The text of a new search.
    customer: Option<String>,
    /// The number of an earlier search whose next page is requested.
    search: String,
    /// Only runs older than this row.
    before: String,
}

/// `GET /console/{pipeline}/runs`.
pub(crate) async fn show(
    mut visit: Visit,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Response {
    let filter = filter.map(|Query(filter)| filter).unwrap_or_default();
    let read = visit.read(|flow| list(flow, &filter, None));
    Page::named("runs", "Runs", "runs").read(read, &mut visit)
}

/// `POST /console/{pipeline}/runs`: the runs of a customer. The search text is in no URL and in no
/// log.
pub(crate) async fn search_customers(
    Path(pipeline): Path<String>,
    SubmittedForm { mut visit, form }: SubmittedForm<CustomerSearch>,
) -> Response {
    let path = format!("/console/{pipeline}/runs");
    let number = form.search.parse().unwrap_or_default();
    let text = match form.customer {
        Some(text) => text.trim().to_owned(),
        None => {
            let text = |session: &mut Session| session.search(number).map(str::to_owned);
            let Some(text) = visit.session(text).flatten() else {
                let notice = "This search has expired. Search again.";
                return visit.redirect_with(&path, Notice::bad(notice));
            };
            text
        }
    };
    if text.is_empty() || text.chars().count() > SEARCH_CHARS_MAX {
        let notice = format!("Enter 1 to {SEARCH_CHARS_MAX} characters to search for.");
        return visit.redirect_with(&path, Notice::bad(notice));
    }
    if super::audit::audit_start(&visit, "search", None, "by a customer's data").await.is_none() {
        let notice = "The search did not run, because it could not be recorded in the audit log.";
        return visit.redirect_with(&path, Notice::bad(notice));
    }
    visit.wait_for_permit().await;
    let before = form.before.parse().ok();
    let number = match before {
        Some(_) => Some(number),
        None => visit.session(|session| session.remember_search(&text)),
    };
    let read = visit.read(|flow| {
        let find = || flow.runner.search_customers(&text, before, RUNS_PER_PAGE);
        let found = tokio::task::block_in_place(find)?;
        let mut page = list(flow, &Filter::default(), Some(found))?;
        page["customer"]["is_older"] = json!(before.is_some());
        page["customer"]["search"] = json!(number);
        Ok(page)
    });
    Page::named("runs", "Runs", "runs").read(read, &mut visit)
}

/// Parses a date.
fn parse_date(text: &str) -> Option<Date> {
    text.parse().ok()
}

fn non_empty(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Counts the runs by state. The caller holds a snapshot.
fn counts(reader: &Reader) -> Result<Vec<(RunState, i64)>, oms_sqlite::Error> {
    let mut counts = RunRow::count_open(reader)?;
    let open: i64 = counts.iter().map(|(_, count)| count).sum();
    counts.push((RunState::Completed, RunRow::total(reader)? - open));
    Ok(counts)
}

/// Returns the totals of a customer search, including the total number of matching customers if the
/// search did not cover all of them.
fn customer_data(found: &CustomerRuns) -> Json {
    let count = |count: usize| format::count(i64::try_from(count).unwrap_or(i64::MAX));
    let (shown, more) = (found.page.runs.len(), found.runs > found.page.runs.len());
    let all = if found.has_all { "" } else { "more than " };
    let customers = usize::try_from(found.customers_total).unwrap_or(usize::MAX);
    let left_out = customers > found.customers;
    let older = found.page.runs.last().filter(|_| found.page.more).map(|row| row.id.to_string());
    json!({
        "older": older.unwrap_or_default(),
        "runs": if more { format!("{} of {all}{}", count(shown), count(found.runs)) } else { String::new() },
        "customers": if left_out { count(customers) } else { String::new() },
        "searched_customers": count(found.customers),
    })
}

/// Returns the template data for a list of runs: those that match the filter, or those of a
/// customer.
fn list(
    flow: &Flow,
    filter: &Filter,
    customer_runs: Option<CustomerRuns>,
) -> Result<Json, oms_sqlite::Error> {
    let plan = flow.plan();
    let customer = customer_runs.as_ref().map(customer_data);
    let known = |step: &String| plan.step(step).is_some();
    let start = |day: Date| plan.time_zone().start_of(day);
    let search = Search {
        key: non_empty(&filter.key),
        state: RunState::parse(&filter.state),
        cause: non_empty(&filter.cause),
        causes: non_empty(&filter.causes),
        step: non_empty(&filter.step).filter(known),
        from: parse_date(&filter.from).and_then(start),
        to: parse_date(&filter.to).and_then(|day| start(day.tomorrow().ok()?)),
        before: filter.before(),
        after: filter.after(),
        limit: RUNS_PER_PAGE,
    };
    let (page, matched, counts, causes, caught) = flow.read(|reader, _| {
        reader.snapshot(|reader| {
            let (page, matched) = match customer_runs {
                Some(found) => (found.page, found.matched),
                None => (search.page(reader)?, BTreeMap::new()),
            };
            let counts = counts(reader)?;
            let caught = RunRow::caught_causes(reader)?;
            Ok((page, matched, counts, RunRow::causes(reader)?, caught))
        })
    })?;
    let total: i64 = counts.iter().map(|(_, count)| count).sum();
    let count = |state| counts.iter().find(|(of, _)| *of == state).map_or(0, |(_, count)| *count);
    let base = format!("/console/{}/runs", plan.name());
    // The links contain no search text, and a search by key has another order.
    let links = match customer.is_none() && search.key.is_none() {
        true => {
            let ends = page.runs.first().zip(page.runs.last());
            PageLinks::new(&base, filter, ends.map(|(first, last)| (first.id, last.id)), page.more)
        }
        false => PageLinks::default(),
    };
    let causes = causes.iter().map(|(causes, _)| causes).chain(&caught);
    let causes: BTreeSet<&str> = causes.flat_map(|causes| causes.split(',')).collect();
    let options = |names: Vec<&str>, chosen: &str| -> Vec<Json> {
        let option = |name| json!({ "name": name, "selected": name == chosen });
        names.into_iter().map(option).collect()
    };
    let runs: Vec<Json> = page
        .runs
        .iter()
        .map(|row| {
            let matched = matched.get(&row.id).map(Vec::as_slice).unwrap_or_default();
            let matched: Vec<Json> = matched
                .iter()
                .map(|found| json!({ "place": found.place, "value": found.value.as_deref().unwrap_or(MASK) }))
                .collect();
            let duration = row.updated_at.as_millisecond() - row.accepted_at.as_millisecond();
            json!({
                "key": row.key,
                "link": format!("{base}/{}", format::part(&row.key)),
                "state": row.state,
                "cause": row.cause.clone().unwrap_or_default(),
                "caught": format::caught(row.caught),
                "accepted_at": format::instant(row.accepted_at),
                "updated_at": format::instant(row.updated_at),
                "duration": format::millis(duration),
                "matched": matched,
            })
        })
        .collect();
    let narrows =
        [&filter.key, &filter.cause, &filter.causes, &filter.step, &filter.from, &filter.to];
    let is_only_state = customer.is_none() && narrows.iter().all(|text| text.is_empty());
    let date =
        |text: &String| if parse_date(text).is_some() { text.clone() } else { String::new() };
    Ok(json!({
        "filter": {
            "key": filter.key, "state": filter.state, "cause": filter.cause, "step": filter.step,
            "from": date(&filter.from), "to": date(&filter.to),
        },
        "time_zone": plan.time_zone().name(),
        "states": options(RunState::ALL.iter().map(|state| state.as_str()).collect(), &filter.state),
        "causes": options(causes.into_iter().collect(), &filter.cause),
        "steps": options(plan.steps().iter().map(|step| &*step.id).collect(), &filter.step),
        "customer": customer,
        "partial": page.partial,
        "exact_causes": filter.causes,
        "more_of_key": search.key.is_some() && page.more,
        "searchable": search_terms(plan.order().schema().ty()).into_iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
        "runs": runs,
        "next": links.next,
        "previous": links.previous,
        "count": match (search.state, is_only_state) {
            (Some(state), true) => format::count(count(state)),
            _ => String::new(),
        },
        "total": format::count(total),
        "parked_now": count(RunState::Parked),
    }))
}
