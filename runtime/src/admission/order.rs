//! Orders that come in, and the settings of a runner.

use std::sync::Arc;

use jiff::Timestamp;
use oms_engine::effects::{Clock, Random};
use tokio::sync::oneshot;

use super::answer::Answer;
use crate::export::Export;
use crate::target::{Listener, Mailing, Remote};

/// How a runner works.
#[derive(Clone)]
pub struct Settings {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of random numbers.
    pub random: Arc<dyn Random>,
    /// Runs that are driven side by side at the most.
    pub concurrency: usize,
    /// Where objects and mails are written as files, too, as they come.
    pub export: Option<Export>,
    /// Where mail goes, if somebody says so.
    pub mail: Option<Mailing>,
    /// Where what the steps do lies, if not here.
    pub remote: Option<Remote>,
    /// Who hears of what runs do.
    pub listener: Option<Arc<dyn Listener>>,
    /// Whether runs wait while the disk is full. New orders then get no answer. Otherwise a full disk is an error.
    pub waits_for_room: bool,
    /// Whether orders are accepted while all concurrent runs are stalled, such as by a mail server that does not answer. Their runs start later.
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
            listener: None,
            waits_for_room: false,
            accepts_while_stalled: false,
        }
    }
}

/// What a runner is given to do.
#[derive(Debug)]
pub enum Work {
    /// An order that came in.
    Order(Order),
    /// A run that is to go on.
    GoOn {
        /// Its row.
        id: i64,
        /// When.
        at: Timestamp,
    },
}

/// An order that came in.
#[derive(Debug)]
pub struct Order {
    /// The name that it came in under: a file's stem, the last part of a path.
    pub name: String,
    /// Its bytes.
    pub body: Vec<u8>,
    /// Whether the name has to be its key.
    pub named: bool,
    /// Who waits to hear what became of it. Without an answer it is not known.
    pub answer: Option<oneshot::Sender<Answer>>,
}
