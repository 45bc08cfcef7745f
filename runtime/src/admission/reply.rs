//! The reply to the sender of an order. It is sent as soon as the order is on disk.

use std::sync::{Arc, Mutex, PoisonError};

use oms_engine::intake::Conflict;
use oms_engine::run::{Rejection, RunState};
use tokio::sync::oneshot;

/// The result of submitting an order.
#[derive(Debug)]
pub enum OrderReply {
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
    Duplicate {
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

/// The channel to the sender of an order. It sends only the first reply.
#[derive(Clone, Debug)]
pub(crate) struct ReplySender(Arc<Mutex<Option<oneshot::Sender<OrderReply>>>>);

impl ReplySender {
    pub(crate) fn new(sender: Option<oneshot::Sender<OrderReply>>) -> Self {
        Self(Arc::new(Mutex::new(sender)))
    }

    /// Calls `reply` and sends the result, if the sender is still waiting for a reply.
    pub(crate) fn send(&self, reply: impl FnOnce() -> OrderReply) {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sender) = sender {
            // The sender may have disconnected. The order is on disk anyway.
            let _ignored = sender.send(reply());
        }
    }
}
