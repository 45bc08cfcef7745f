//! The findings in rejected orders, in the order of the input.
//!
//! Orders are accepted concurrently, so their replies arrive in any order. This module waits for
//! them in the order of the input.

use std::collections::VecDeque;

use oms_engine::diagnostic::codes;
use oms_engine::value::format_quantity;
use oms_runtime::{Order, OrderReply};
use tokio::sync::{mpsc, oneshot};

use crate::orders::input::Origin;
use crate::orders::progress::Progress;
use crate::output;

/// Maximum number of findings that are printed.
const FINDINGS_MAX: u64 = 100;
/// Maximum number of orders that wait for their replies.
const PENDING_MAX: usize = 4_096;

/// Creates the queue of replies: one end for the reader of orders, the other for the printer of
/// findings.
pub(crate) fn reply_queue() -> (ReplyQueue, RejectionPrinter) {
    let (sender, receiver) = mpsc::channel(PENDING_MAX);
    (ReplyQueue(sender), RejectionPrinter { receiver, next: None, count: 0 })
}

type Waiting = (Origin, oneshot::Receiver<OrderReply>);

/// The end for the reader of orders.
#[derive(Clone)]
pub(crate) struct ReplyQueue(mpsc::Sender<Waiting>);

impl ReplyQueue {
    /// Queues an order for the printer, which prints its reply if it is a rejection. Blocks while
    /// too many orders wait for their replies.
    pub(crate) fn expect(&self, order: &mut Order, origin: Origin) {
        let (reply, receiver) = oneshot::channel();
        order.reply = Some(reply);
        self.wait(origin, receiver);
    }

    fn wait(&self, origin: Origin, receiver: oneshot::Receiver<OrderReply>) {
        // The printer ends before the reader only if the command ends.
        let _unheard = self.0.blocking_send((origin, receiver));
    }
}

/// The orders of one file. It records whether all of them were accepted.
pub(crate) struct FileReplies<'a> {
    replies: &'a ReplyQueue,
    waiting: VecDeque<Waiting>,
    /// Whether an order was not accepted.
    pub(crate) rejected: bool,
    /// Whether a reply is missing because the process is shutting down.
    pub(crate) is_reply_missing: bool,
}

impl<'a> FileReplies<'a> {
    pub(crate) const fn new(replies: &'a ReplyQueue) -> Self {
        Self { replies, waiting: VecDeque::new(), rejected: false, is_reply_missing: false }
    }

    /// Records the order that is sent next. Blocks while too many orders wait for their replies.
    pub(crate) fn expect(&mut self, order: &mut Order, origin: Origin) {
        let (reply, receiver) = oneshot::channel();
        order.reply = Some(reply);
        self.waiting.push_back((origin, receiver));
        if self.waiting.len() > PENDING_MAX {
            self.take();
        }
    }

    /// Waits for all replies.
    pub(crate) fn end(&mut self) {
        while !self.waiting.is_empty() {
            self.take();
        }
    }

    fn take(&mut self) {
        let Some((origin, receiver)) = self.waiting.pop_front() else { return };
        match receiver.blocking_recv() {
            Ok(OrderReply::Accepted { .. } | OrderReply::Duplicate { .. }) => {}
            Ok(rejection @ (OrderReply::Conflict(_) | OrderReply::Rejected { .. })) => {
                self.rejected = true;
                let (sender, receiver) = oneshot::channel();
                // The receiver is in scope.
                let _unheard = sender.send(rejection);
                self.replies.wait(origin, receiver);
            }
            Err(_) => self.is_reply_missing = true,
        }
    }
}

/// The end for the printer of findings.
pub(crate) struct RejectionPrinter {
    receiver: mpsc::Receiver<Waiting>,
    next: Option<Waiting>,
    count: u64,
}

impl RejectionPrinter {
    /// Waits for the reply to the next order. Returns `None` after the last order. Dropping the
    /// future loses no reply.
    pub(crate) async fn next(&mut self) -> Option<(Origin, OrderReply)> {
        loop {
            if self.next.is_none() {
                self.next = Some(self.receiver.recv().await?);
            }
            let reply = match &mut self.next {
                Some((_, receiver)) => receiver.await,
                None => continue,
            };
            let origin = self.next.take().map(|(origin, _)| origin);
            // Without a reply, the process is shutting down, and the next invocation reads the
            // order again.
            if let (Some(origin), Ok(reply)) = (origin, reply) {
                return Some((origin, reply));
            }
        }
    }

    /// Prints the findings in an order with their places in the file.
    pub(crate) fn print(&mut self, origin: &Origin, reply: &OrderReply, progress: &Progress) {
        match reply {
            OrderReply::Accepted { .. } | OrderReply::Duplicate { .. } => {}
            OrderReply::Rejected { rejection, body } => {
                let fault = origin.row.as_ref().and_then(|row| row.fault.as_ref());
                if let Some((place, message)) = fault {
                    self.print_finding(origin, *place, codes::ORDER_SYNTAX, message, progress);
                    return;
                }
                for problem in &rejection.problems {
                    let start = (origin.line, origin.column);
                    let place = match &origin.row {
                        Some(row) => row.place(&problem.pointer).unwrap_or(start),
                        None => problem.line_column_in_file(body, start),
                    };
                    let subject = match problem.pointer.as_str() {
                        "" => "the order",
                        pointer => pointer,
                    };
                    let message = format!("{subject} {}", problem.message);
                    self.print_finding(origin, place, rejection.code, &message, progress);
                }
            }
            OrderReply::Conflict(conflict) => {
                let place = (origin.line, origin.column);
                let code = codes::ORDER_CONFLICT;
                self.print_finding(origin, place, code, &conflict.to_string(), progress);
            }
        }
    }

    fn print_finding(
        &mut self,
        origin: &Origin,
        (line, column): (u64, u64),
        code: oms_engine::diagnostic::Code,
        message: &str,
        progress: &Progress,
    ) {
        self.count += 1;
        if self.count <= FINDINGS_MAX {
            let path = &origin.path;
            progress.message(&format!("{path}:{line}:{column}: error[{code}]: {message}"));
        }
    }

    /// Prints the remaining replies after the runner has ended, and the number of findings that
    /// were not printed.
    pub(crate) async fn end(mut self, progress: &Progress) {
        // The reader may still be waiting for input and keep the channel open.
        self.receiver.close();
        while let Some((origin, reply)) = self.next().await {
            self.print(&origin, &reply, progress);
        }
        if self.count > FINDINGS_MAX {
            let more = format_quantity(self.count - FINDINGS_MAX, "finding");
            output::message(&format!("… and {more} more"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use oms_engine::intake::{Comparison, Conflict};
    use oms_engine::run::RunState;

    use super::*;

    fn order() -> Order {
        Order { name: "a".to_owned(), body: Vec::new(), name_must_equal_key: false, reply: None }
    }

    fn origin(line: u64) -> Origin {
        Origin { path: Arc::from("orders.ndjson"), line, column: 1, row: None }
    }

    fn accepted() -> OrderReply {
        let (key, run) = (Arc::from("a"), Arc::from("1"));
        OrderReply::Accepted { key, run, state: RunState::InProgress }
    }

    fn conflict() -> OrderReply {
        let (key, run) = (Arc::from("a"), Arc::from("1"));
        OrderReply::Conflict(Conflict { key, run, comparison: Comparison::NotStored })
    }

    /// Expects one order for each reply, and sends the replies. An order with `None` gets no
    /// reply.
    fn send_replies(file: &mut FileReplies<'_>, replies: Vec<Option<OrderReply>>) {
        for (reply, line) in replies.into_iter().zip(1..) {
            let mut order = order();
            file.expect(&mut order, origin(line));
            let sender = order.reply.unwrap();
            if let Some(reply) = reply {
                assert!(sender.send(reply).is_ok());
            }
        }
        file.end();
    }

    #[test]
    fn a_file_is_rejected_if_one_order_is() {
        let (queue, mut printer) = reply_queue();
        let mut file = FileReplies::new(&queue);
        send_replies(&mut file, vec![Some(accepted()), Some(conflict()), Some(accepted())]);
        assert_eq!((file.rejected, file.is_reply_missing), (true, false));
        drop(queue);
        let runtime = crate::runtime::current_thread().unwrap();
        let (place, _) = runtime.block_on(printer.next()).unwrap();
        assert_eq!(place, origin(2));
        assert!(runtime.block_on(printer.next()).is_none());
    }

    #[test]
    fn a_missing_reply_is_not_a_rejection() {
        let (queue, _printer) = reply_queue();
        let mut file = FileReplies::new(&queue);
        send_replies(&mut file, vec![Some(accepted()), None]);
        assert_eq!((file.rejected, file.is_reply_missing), (false, true));
    }

    #[test]
    fn replies_are_printed_in_the_order_of_the_input() {
        let (queue, mut printer) = reply_queue();
        let (mut first, mut second) = (order(), order());
        queue.expect(&mut first, origin(1));
        queue.expect(&mut second, origin(2));
        for order in [second, first] {
            assert!(order.reply.unwrap().send(conflict()).is_ok());
        }
        drop(queue);
        let runtime = crate::runtime::current_thread().unwrap();
        let lines = [(); 2].map(|()| runtime.block_on(printer.next()).unwrap().0.line);
        assert_eq!(lines, [1, 2]);
    }
}
