//! HTTP replies to orders.

use oms_core::diagnostic::codes;
use serde_json::{Value as Json, json};

use super::Conflict;
use crate::plan::larger_than;
use crate::run::Rejection;

/// The value of `Retry-After` for an order that could not be accepted, in seconds.
const RETRY_AFTER_SECONDS: u32 = 1;

/// An HTTP reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status code (RFC 9110, section 15).
    pub status: u16,
    /// The JSON body. For an error, this is a problem document (RFC 9457). Null for a reply without
    /// a body.
    pub body: Json,
}

impl Reply {
    /// Returns 201 for a new order that is on disk, with its key and the id of its run.
    pub fn accepted(key: &str, run: &str) -> Self {
        Self { status: 201, body: json!({ "key": key, "run": run }) }
    }

    /// Returns 200 for an order that was accepted before, with the same body as [`Self::accepted`].
    pub fn same(key: &str, run: &str) -> Self {
        Self { status: 200, ..Self::accepted(key, run) }
    }

    /// Returns 204 for a webhook that is not an order.
    pub const fn not_accepted() -> Self {
        Self { status: 204, body: Json::Null }
    }

    /// Returns 200 for a request that only tests the URL.
    pub const fn pong() -> Self {
        Self { status: 200, body: Json::Null }
    }

    /// Returns 409 for an order whose key belongs to another order. The body has the key, the run
    /// of the other order and, if known, the members that differ.
    pub fn conflict(conflict: &Conflict) -> Self {
        let code = codes::ORDER_CONFLICT;
        let reply = Self::problem(409, &code.to_string(), code.title());
        let mut reply = reply.detailed(&conflict.to_string());
        if let Some(members) = reply.body.as_object_mut() {
            members.insert("key".to_owned(), Json::from(&*conflict.key));
            members.insert("run".to_owned(), Json::from(&*conflict.run));
            if let Some(differences) = conflict.differences() {
                let pointers = Json::from(differences.pointers.as_slice());
                members.insert("pointers".to_owned(), pointers);
            }
        }
        reply
    }

    /// Returns 400 for an invalid order, with the place of each fault in `body`, or 413 for an order
    /// that is too large.
    pub fn rejected(rejection: &Rejection, body: &[u8]) -> Self {
        if let (codes::ORDER_TOO_LARGE, Some(problem)) =
            (rejection.code, rejection.problems.first())
        {
            return Self::larger(&problem.message);
        }
        let problems: Vec<Json> = rejection
            .problems
            .iter()
            .map(|problem| {
                let (line, column) = problem.line_column(body);
                json!({ "pointer": problem.pointer, "line": line, "column": column, "message": problem.message })
            })
            .collect();
        let code = rejection.code;
        let mut reply = Self::problem(400, &code.to_string(), code.title());
        if let Some(members) = reply.body.as_object_mut().filter(|_| !problems.is_empty()) {
            members.insert("problems".to_owned(), Json::from(problems));
        }
        reply
    }

    /// Returns 413 for an order that is larger than `max` bytes. `oms serve` stops reading the body
    /// there, so it has no [`Rejection`].
    pub fn too_large(max: usize) -> Self {
        Self::larger(&larger_than(max))
    }

    fn larger(problem: &str) -> Self {
        let code = codes::ORDER_TOO_LARGE;
        Self::problem(413, &code.to_string(), code.title())
            .detailed(&format!("the order {problem}"))
    }

    /// Returns 429 if there are too many concurrent orders.
    pub fn busy() -> Self {
        Self::problem(429, "busy", "too many concurrent orders; send the order again")
    }

    /// Returns 503 for an order that cannot be stored at the moment.
    pub fn unavailable() -> Self {
        Self::problem(503, "unavailable", "the order could not be stored; send the order again")
    }

    /// Returns a problem document. `kind` is a finding code or a word.
    pub fn problem(status: u16, kind: &str, title: &str) -> Self {
        let body = json!({ "type": format!("urn:oms:{kind}"), "title": title, "status": status });
        Self { status, body }
    }

    /// Adds a detailed explanation to a problem document.
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

    /// Returns the value of `Retry-After` in seconds, if retrying can help.
    pub const fn retry_after(&self) -> Option<u32> {
        match self.status {
            429 | 503 => Some(RETRY_AFTER_SECONDS),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use oms_core::value::{JsonProblem, ProblemKind};

    use super::*;

    #[test]
    fn the_reply_to_an_order_that_is_too_large_contains_the_limit() {
        let problem = JsonProblem {
            kind: ProblemKind::Shape,
            pointer: String::new(),
            offset: 0,
            message: "is larger than 10 bytes".to_owned(),
        };
        let rejection = Rejection { code: codes::ORDER_TOO_LARGE, problems: vec![problem] };
        let reply = Reply::rejected(&rejection, b"");
        assert_eq!(reply, Reply::too_large(10), "the same on Lambda and on one machine");
        assert_eq!(reply.status, 413);
        assert_eq!(reply.body["detail"], "the order is larger than 10 bytes");
    }
}
