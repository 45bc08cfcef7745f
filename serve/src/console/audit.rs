//! The page with the audit log.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use oms_sqlite::AuditEntry;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::page::Page;
use super::visit::Visit;
use crate::format;

/// Number of entries on a page.
const ENTRIES_PER_PAGE: u32 = 100;

/// Records an action before it is executed and returns the entry's number. Without an entry, the
/// action must not be executed.
pub(crate) async fn audit_start(
    visit: &Visit,
    what: &str,
    key: Option<&str>,
    detail: &str,
) -> Option<i64> {
    visit.flow()?.audit_start(&visit.who, what, key, detail).await.ok()
}

#[derive(Default, Deserialize)]
pub(crate) struct AuditQuery {
    before: Option<i64>,
}

/// `GET /console/{pipeline}/audit`.
pub(crate) async fn show(
    mut visit: Visit,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Response {
    let query = query.map(|Query(query)| query).unwrap_or_default();
    let base = visit.base();
    let read = visit.read(|flow| {
        let list = |reader: &_| AuditEntry::list(reader, query.before, ENTRIES_PER_PAGE);
        let entries = flow.read(|reader, _| list(reader))?;
        let full = entries.len() == ENTRIES_PER_PAGE as usize;
        let next = match entries.last().filter(|_| full) {
            Some(last) => format!("{base}/audit?before={}", last.id),
            None => String::new(),
        };
        let previous = if query.before.is_some() { format!("{base}/audit") } else { String::new() };
        let entries: Vec<Json> = entries.iter().map(|entry| entry_data(&base, entry)).collect();
        Ok(json!({ "entries": entries, "next": next, "previous": previous }))
    });
    Page::named("audit", "Audit log", "audit").read(read, &mut visit)
}

fn entry_data(base: &str, entry: &AuditEntry) -> Json {
    let link = entry.key.as_ref().map(|key| format!("{base}/runs/{}", format::part(key)));
    json!({
        "at": format::instant(entry.at), "who": entry.who, "what": entry.what,
        "key": entry.key.clone().unwrap_or_default(), "link": link.unwrap_or_default(),
        "detail": entry.detail,
    })
}
