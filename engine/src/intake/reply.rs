//! An answer of HTTP, and what each outcome of an order comes to.

use serde_json::{Value as Json, json};

use super::Conflict;
use crate::diagnostic::codes;
use crate::run::Rejection;

/// Seconds after which it is worth sending an order again that could not be taken.
const RETRY_AFTER_SECONDS: u32 = 1;

/// An answer of HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status (RFC 9110, section 15).
    pub status: u16,
    /// The body: JSON, and of a refusal a problem as RFC 9457 describes it.
    pub body: Json,
}

impl Reply {
    /// The order is new, and on disk: 201 with its key and the id of its run.
    pub fn accepted(key: &str, run: &str) -> Self {
        Self { status: 201, body: json!({ "key": key, "run": run }) }
    }

    /// The same order was there before: 200 with the same body.
    pub fn same(key: &str, run: &str) -> Self {
        Self { status: 200, ..Self::accepted(key, run) }
    }

    /// Another order has this key: 409 with the key, that order's run, and where the orders differ
    /// as long as that is known.
    pub fn conflict(conflict: &Conflict) -> Self {
        let code = codes::ORDER_CONFLICT;
        let reply = Self::problem(409, &code.to_string(), code.title());
        let mut reply = reply.detailed(&conflict.to_string());
        if let Some(members) = reply.body.as_object_mut() {
            members.insert("key".to_owned(), Json::from(&*conflict.key));
            members.insert("run".to_owned(), Json::from(&*conflict.run));
            if let Some(differences) = &conflict.differences {
                let pointers = Json::from(differences.pointers.as_slice());
                members.insert("pointers".to_owned(), pointers);
            }
        }
        reply
    }

    /// What came is no order: 400, or 413 if it is too large, with the place of each fault in
    /// `body`.
    pub fn rejected(rejection: &Rejection, body: &[u8]) -> Self {
        let problems: Vec<Json> = rejection
            .problems
            .iter()
            .map(|problem| {
                let (line, column) = problem.line_column(body);
                json!({ "pointer": problem.pointer, "line": line, "column": column, "message": problem.message })
            })
            .collect();
        let code = rejection.code;
        let status = if code == codes::ORDER_TOO_LARGE { 413 } else { 400 };
        let mut reply = Self::problem(status, &code.to_string(), code.title());
        if let Some(members) = reply.body.as_object_mut().filter(|_| !problems.is_empty()) {
            members.insert("problems".to_owned(), Json::from(problems));
        }
        reply
    }

    /// What came is larger than an order may be: 413, with the number of bytes that it may have.
    pub fn too_large(max: usize) -> Self {
        let code = codes::ORDER_TOO_LARGE;
        Self::problem(413, &code.to_string(), code.title())
            .detailed(&format!("an order has at most {max} bytes"))
    }

    /// There are more orders than can be taken in now: 429.
    pub fn busy() -> Self {
        Self::problem(429, "busy", "more orders came than can be taken in; send it again")
    }

    /// The order cannot be taken in now: 503.
    pub fn unavailable() -> Self {
        Self::problem(503, "unavailable", "the order could not be stored; send it again")
    }

    /// A problem of a kind, which is a code of ours or a word.
    pub fn problem(status: u16, kind: &str, title: &str) -> Self {
        let body = json!({ "type": format!("urn:oms:{kind}"), "title": title, "status": status });
        Self { status, body }
    }

    /// Says more about a problem than its title does.
    #[must_use]
    pub fn detailed(mut self, detail: &str) -> Self {
        if let Some(members) = self.body.as_object_mut() {
            members.insert("detail".to_owned(), Json::from(detail));
        }
        self
    }

    /// Returns the media type of the body.
    pub const fn media_type(&self) -> &'static str {
        if self.status < 300 { "application/json" } else { "application/problem+json" }
    }

    /// Returns after how many seconds it is worth trying again, if it is.
    pub const fn retry_after(&self) -> Option<u32> {
        match self.status {
            429 | 503 => Some(RETRY_AFTER_SECONDS),
            _ => None,
        }
    }
}
