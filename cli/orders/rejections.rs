//! The findings in rejected orders, in the order of the input.
//!
//! Orders are accepted concurrently, so their answers arrive in any order. This module waits for
//! them in the order of the input.

use std::collections::VecDeque;

use oms_engine::diagnostic::codes;
use oms_engine::value::format_quantity;
use oms_runtime::{Answer, Order};
use tokio::sync::{mpsc, oneshot};

use crate::orders::input::Origin;
use crate::orders::progress::Progress;
use crate::output;

/// Maximum number of findings that are printed.
const FINDINGS_MAX: u64 = 100;
/// Maximum number of orders that wait for their answers.
const UNANSWERED_MAX: usize = 4_096;

/// Creates the queue of answers: one end for the reader of orders, the other for the printer of
/// findings.
pub(crate) fn answer_queue() -> (AnswerQueue, RejectionPrinter) {
    let (sender, receiver) = mpsc::channel(UNANSWERED_MAX);
    (AnswerQueue(sender), RejectionPrinter { receiver, next: None, count: 0 })
}

type Waiting = (Origin, oneshot::Receiver<Answer>);

/// The end for the reader of orders.
#[derive(Clone)]
pub(crate) struct AnswerQueue(mpsc::Sender<Waiting>);

impl AnswerQueue {
    /// Queues an order for the printer, which prints its answer if it is a rejection. Blocks while
    /// too many orders wait for their answers.
    pub(crate) fn expect(&self, order: &mut Order, origin: Origin) {
        let (answer, receiver) = oneshot::channel();
        order.answer = Some(answer);
        self.wait(origin, receiver);
    }

    fn wait(&self, origin: Origin, receiver: oneshot::Receiver<Answer>) {
        // The printer ends before the reader only if the command ends.
        let _unheard = self.0.blocking_send((origin, receiver));
    }
}

/// The orders of one file. It records whether all of them were accepted.
pub(crate) struct FileAnswers<'a> {
    answers: &'a AnswerQueue,
    waiting: VecDeque<Waiting>,
    /// Whether an order was not accepted.
    pub(crate) rejected: bool,
    /// Whether an answer is missing because the process is shutting down.
    pub(crate) unanswered: bool,
}

impl<'a> FileAnswers<'a> {
    pub(crate) const fn new(answers: &'a AnswerQueue) -> Self {
        Self { answers, waiting: VecDeque::new(), rejected: false, unanswered: false }
    }

    /// Records the order that is sent next. Blocks while too many orders wait for their answers.
    pub(crate) fn expect(&mut self, order: &mut Order, origin: Origin) {
        let (answer, receiver) = oneshot::channel();
        order.answer = Some(answer);
        self.waiting.push_back((origin, receiver));
        if self.waiting.len() > UNANSWERED_MAX {
            self.take();
        }
    }

    /// Waits for all answers.
    pub(crate) fn end(&mut self) {
        while !self.waiting.is_empty() {
            self.take();
        }
    }

    fn take(&mut self) {
        let Some((origin, receiver)) = self.waiting.pop_front() else { return };
        match receiver.blocking_recv() {
            Ok(Answer::Accepted { .. } | Answer::Same { .. }) => {}
            Ok(rejection @ (Answer::Conflict(_) | Answer::Rejected { .. })) => {
                self.rejected = true;
                let (sender, receiver) = oneshot::channel();
                // The receiver is in scope.
                let _unheard = sender.send(rejection);
                self.answers.wait(origin, receiver);
            }
            Err(_) => self.unanswered = true,
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
    /// Waits for the answer to the next order. Returns `None` after the last order. Dropping the
    /// future loses no answer.
    pub(crate) async fn next(&mut self) -> Option<(Origin, Answer)> {
        loop {
            if self.next.is_none() {
                self.next = Some(self.receiver.recv().await?);
            }
            let answer = match &mut self.next {
                Some((_, receiver)) => receiver.await,
                None => continue,
            };
            let origin = self.next.take().map(|(origin, _)| origin);
            // Without an answer, the process is shutting down, and the next invocation reads the
            // order again.
            if let (Some(origin), Ok(answer)) = (origin, answer) {
                return Some((origin, answer));
            }
        }
    }

    /// Prints the findings in an order with their places in the file.
    pub(crate) fn print(&mut self, origin: &Origin, answer: &Answer, progress: &Progress) {
        match answer {
            Answer::Accepted { .. } | Answer::Same { .. } => {}
            Answer::Rejected { rejection, body } => {
                for problem in &rejection.problems {
                    let start = (origin.line, origin.column);
                    let place = problem.line_column_in_file(body, start);
                    let subject = match problem.pointer.as_str() {
                        "" => "the order",
                        pointer => pointer,
                    };
                    let message = format!("{subject} {}", problem.message);
                    self.print_finding(origin, place, rejection.code, &message, progress);
                }
            }
            Answer::Conflict(conflict) => {
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

    /// Prints the remaining answers after the runner has ended, and the number of findings that
    /// were not printed.
    pub(crate) async fn end(mut self, progress: &Progress) {
        // The reader may still wait for input and keep the channel open.
        self.receiver.close();
        while let Some((origin, answer)) = self.next().await {
            self.print(&origin, &answer, progress);
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

    use oms_engine::run::RunState;

    use super::*;

    fn order() -> Order {
        Order { name: "a".to_owned(), body: Vec::new(), named: false, answer: None }
    }

    fn origin(line: u64) -> Origin {
        Origin { path: Arc::from("orders.ndjson"), line, column: 1 }
    }

    fn accepted() -> Answer {
        let (key, run) = (Arc::from("a"), Arc::from("1"));
        Answer::Accepted { key, run, state: RunState::InProgress }
    }

    fn conflict() -> Answer {
        let (key, run) = (Arc::from("a"), Arc::from("1"));
        Answer::Conflict(oms_engine::intake::Conflict { key, run, differences: None })
    }

    /// Expects one order for each answer, and sends the answers. An order with `None` gets no
    /// answer.
    fn answered(file: &mut FileAnswers<'_>, answers: Vec<Option<Answer>>) {
        for (answer, line) in answers.into_iter().zip(1..) {
            let mut order = order();
            file.expect(&mut order, origin(line));
            if let (Some(sender), Some(answer)) = (order.answer, answer) {
                assert!(sender.send(answer).is_ok());
            }
        }
        file.end();
    }

    #[test]
    fn a_file_is_rejected_if_one_order_is() {
        let (queue, mut printer) = answer_queue();
        let mut file = FileAnswers::new(&queue);
        answered(&mut file, vec![Some(accepted()), Some(conflict()), Some(accepted())]);
        assert_eq!((file.rejected, file.unanswered), (true, false));
        drop(queue);
        let runtime = crate::runtime::current_thread().unwrap();
        let (place, _) = runtime.block_on(printer.next()).unwrap();
        assert_eq!(place, origin(2));
        assert!(runtime.block_on(printer.next()).is_none());
    }

    #[test]
    fn a_missing_answer_is_no_rejection() {
        let (queue, _printer) = answer_queue();
        let mut file = FileAnswers::new(&queue);
        answered(&mut file, vec![Some(accepted()), None]);
        assert_eq!((file.rejected, file.unanswered), (false, true));
    }

    #[test]
    fn answers_are_printed_in_the_order_of_the_input() {
        let (queue, mut printer) = answer_queue();
        let (mut first, mut second) = (order(), order());
        queue.expect(&mut first, origin(1));
        queue.expect(&mut second, origin(2));
        for order in [second, first] {
            assert!(order.answer.unwrap().send(conflict()).is_ok());
        }
        drop(queue);
        let runtime = crate::runtime::current_thread().unwrap();
        let lines = [(); 2].map(|()| runtime.block_on(printer.next()).unwrap().0.line);
        assert_eq!(lines, [1, 2]);
    }
}
