//! The page with the audit log.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use oms_sqlite::AuditEntry;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::format;
use super::guard::Visit;
use super::pages::Page;

/// Number of entries on a page.
const ENTRIES: u32 = 100;

/// Records an action before it is executed and returns the entry's number. Without an entry, the action must not be executed.
pub(crate) async fn note(
    visit: &Visit,
    what: &str,
    key: Option<&str>,
    detail: &str,
) -> Option<i64> {
    visit.flow()?.note(&visit.who, what, key, detail).await.ok()
}

#[derive(Default, Deserialize)]
pub(crate) struct From {
    before: Option<i64>,
}

/// `GET /console/{pipeline}/audit`.
pub(crate) async fn show(mut visit: Visit, from: Result<Query<From>, QueryRejection>) -> Response {
    let from = from.map(|Query(from)| from).unwrap_or_default();
    let base = visit.base();
    let read = visit.read(|flow| {
        let list = |reader: &_| AuditEntry::list(reader, from.before, ENTRIES);
        let entries = flow.reading(|reader, _| list(reader))?;
        let full = entries.len() == ENTRIES as usize;
        let next = match entries.last().filter(|_| full) {
            Some(last) => format!("{base}/audit?before={}", last.id),
            None => String::new(),
        };
        let previous = if from.before.is_some() { format!("{base}/audit") } else { String::new() };
        let entries: Vec<Json> = entries.iter().map(|entry| shown(&base, entry)).collect();
        Ok(json!({ "entries": entries, "next": next, "previous": previous }))
    });
    Page::named("audit", "Audit log", "audit").read(read, &mut visit)
}

fn shown(base: &str, entry: &AuditEntry) -> Json {
    let link = entry.key.as_ref().map(|key| format!("{base}/runs/{}", format::part(key)));
    json!({
        "at": format::instant(entry.at), "who": entry.who, "what": entry.what,
        "key": entry.key.clone().unwrap_or_default(), "link": link.unwrap_or_default(),
        "detail": entry.detail,
    })
}
