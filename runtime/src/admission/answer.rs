//! What the sender of an order is told, as soon as that is on disk.

use std::sync::{Arc, Mutex, PoisonError};

use oms_engine::intake::Conflict;
use oms_engine::run::{Rejection, RunState};
use tokio::sync::oneshot;

/// What became of an order.
#[derive(Debug)]
pub enum Answer {
    /// It is new, and on disk.
    Accepted {
        /// Its key.
        key: Arc<str>,
        /// The id of its run.
        run: Arc<str>,
        /// How far the run was when the order was on disk.
        state: RunState,
    },
    /// The same order was there already.
    Same {
        /// Its key.
        key: Arc<str>,
        /// The id of its run.
        run: Arc<str>,
    },
    /// Another order with its key was there already.
    Conflict(Conflict),
    /// It is none.
    Rejected {
        /// Why.
        rejection: Rejection,
        /// Its bytes, into which the problems point.
        body: Vec<u8>,
    },
}

/// Whom to answer; the first answer counts.
#[derive(Clone, Debug)]
pub(crate) struct Answering(Arc<Mutex<Option<oneshot::Sender<Answer>>>>);

impl Answering {
    pub(crate) fn new(sender: Option<oneshot::Sender<Answer>>) -> Self {
        Self(Arc::new(Mutex::new(sender)))
    }

    /// Answers, if somebody waits and was not answered yet. The answer is only made then.
    pub(crate) fn tell(&self, answer: impl FnOnce() -> Answer) {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sender) = sender {
            // Whoever asked may have gone; the order is on disk all the same.
            let _unheard = sender.send(answer());
        }
    }
}
