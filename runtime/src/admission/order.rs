//! Incoming orders, and the settings of a runner.

use std::sync::Arc;

use jiff::Timestamp;
use oms_engine::effects::{Clock, NoServices, Random, Services};
use tokio::sync::oneshot;

use super::reply::OrderReply;
use crate::export::Export;
use crate::targets::{Listener, MailDelivery, Remote};

/// The settings of a runner.
#[derive(Clone)]
pub struct Settings {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of random numbers.
    pub random: Arc<dyn Random>,
    /// Maximum number of concurrent runs.
    pub concurrency: usize,
    /// Where to export objects and e-mails as files.
    pub export: Option<Export>,
    /// How e-mails are delivered; `None` keeps the stored choice.
    pub mail: Option<MailDelivery>,
    /// Where the steps' effects are stored, if not in the local state.
    pub remote: Option<Remote>,
    /// The HTTP services that steps call.
    pub services: Arc<dyn Services>,
    /// Receives the committed events of runs.
    pub listener: Option<Arc<dyn Listener>>,
    /// Whether runs wait while the disk is full. New orders then get no reply. Otherwise, a full
    /// disk is an error.
    pub waits_for_disk_space: bool,
    /// Whether orders are accepted while all concurrent runs are stalled, for example because a
    /// mail server does not respond. Their runs start later.
    pub accepts_while_stalled: bool,
}

impl Settings {
    /// Returns settings for one run at a time, with all effects in the local state.
    pub fn new<C: Clock + Random + Clone + 'static>(clock: C) -> Self {
        Self {
            clock: Arc::new(clock.clone()),
            random: Arc::new(clock),
            concurrency: 1,
            export: None,
            mail: None,
            remote: None,
            services: Arc::new(NoServices("this process cannot call services")),
            listener: None,
            waits_for_disk_space: false,
            accepts_while_stalled: false,
        }
    }
}

/// A unit of work for a runner.
#[derive(Debug)]
pub enum Work {
    /// A new order.
    Order(Order),
    /// A run to continue.
    Resume {
        /// The id of the run's row.
        id: i64,
        /// When the run continues.
        at: Timestamp,
    },
}

/// A new order.
#[derive(Debug)]
pub struct Order {
    /// The name of the order (`intake.name`), such as a file name without its extension, or the
    /// last part of a URL path. If a file has several orders, their names end with numbers.
    pub name: String,
    /// The order's bytes.
    pub body: Vec<u8>,
    /// Whether the name must equal the order's key.
    pub name_must_equal_key: bool,
    /// The channel to the sender. If it is closed without a reply, the result is unknown.
    pub reply: Option<oneshot::Sender<OrderReply>>,
}
