//! The answer to the sender of an order. It is sent as soon as the order is on disk.

use std::sync::{Arc, Mutex, PoisonError};

use oms_engine::intake::Conflict;
use oms_engine::run::{Rejection, RunState};
use tokio::sync::oneshot;

/// The result of submitting an order.
#[derive(Debug)]
pub enum Answer {
    /// The order is new and on disk.
    Accepted {
        /// The order's key.
        key: Arc<str>,
        /// The run's id.
        run: Arc<str>,
        /// The run's state when the order was on disk.
        state: RunState,
    },
    /// The same order was already accepted.
    Same {
        /// The order's key.
        key: Arc<str>,
        /// The run's id.
        run: Arc<str>,
    },
    /// Another order with this key was already accepted.
    Conflict(Conflict),
    /// The order is invalid.
    Rejected {
        /// The reason.
        rejection: Rejection,
        /// The bytes of the order. The problems in `rejection` refer to positions in them.
        body: Vec<u8>,
    },
}

/// The channel to the sender of an order. It sends only the first answer.
#[derive(Clone, Debug)]
pub(crate) struct Answering(Arc<Mutex<Option<oneshot::Sender<Answer>>>>);

impl Answering {
    pub(crate) fn new(sender: Option<oneshot::Sender<Answer>>) -> Self {
        Self(Arc::new(Mutex::new(sender)))
    }

    /// Calls `answer` and sends the result, if the sender is still waiting for an answer.
    pub(crate) fn tell(&self, answer: impl FnOnce() -> Answer) {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sender) = sender {
            // The sender may have disconnected. The order is on disk anyway.
            let _ignored = sender.send(answer());
        }
    }
}
