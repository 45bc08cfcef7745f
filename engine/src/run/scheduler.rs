//! The pure scheduler: decides which steps can run now, and applies events.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use oms_core::effects::RunState;
use oms_core::effects::{Class, StepError, cause};
use oms_core::value::{JsonProblem, Record, Value};
use oms_expression::{ELEMENTS_MAX, Env, EvalError};

use super::attempts::EarlierAttempts;
use super::decision::{Decision, IllegalEvent, out_of_range};
use super::element::{Elements, NextAction, next_action};
use super::event::{Event, SkipReason};
use super::failure::Failure;
use super::gate::Gate;
use super::list_limits;
use super::requests::Requests;
use super::state::{ElementState, StepState};
use super::write_conflicts::WrittenItems;
use crate::plan::{Plan, PlannedStep};
use crate::step::OnUnknown;

/// The saved state of a step that begins again.
pub(super) struct SavedState {
    /// The state in which it begins.
    pub(super) state: StepState,
    /// Whether it has begun in this version of the pipeline, so it is certain to run here.
    pub(super) has_begun_here: bool,
}

/// The state of a run.
pub struct Scheduler {
    pub(super) plan: Arc<Plan>,
    order: Value,
    run: Value,
    pub(super) steps: Vec<StepState>,
    /// The saved states of pending steps that have begun before and are retried.
    pub(super) saved: Vec<Option<SavedState>>,
    /// The attempts of pending steps in earlier invocations of a handler.
    pub(super) earlier: EarlierAttempts,
    /// The outputs by position, as expressions read them. `Missing` for a step without output.
    pub(super) outputs: Vec<Value>,
    /// The written items, once a step begins that might share one.
    pub(super) written_items: Option<WrittenItems>,
    /// Steps that have produced their output since the run was started or rebuilt.
    pub(super) outputs_since_start: BTreeSet<usize>,
    /// The requests to services.
    pub(super) requests: Requests,
    /// Whether the last event is a retry.
    pub(super) is_retried: bool,
    cancelled: bool,
}

impl Scheduler {
    /// Creates a run in which no step has begun.
    pub fn new(plan: Arc<Plan>, order: Value, run: Value) -> Self {
        let count = plan.steps().len();
        Self {
            plan,
            order,
            run,
            steps: vec![StepState::Pending; count],
            saved: std::iter::repeat_with(|| None).take(count).collect(),
            earlier: EarlierAttempts::default(),
            outputs: vec![Value::Missing; count],
            written_items: None,
            outputs_since_start: BTreeSet::new(),
            requests: Requests::default(),
            is_retried: false,
            cancelled: false,
        }
    }

    /// Leaves all steps but these to other handlers. The other steps count as succeeded, with
    /// unknown outputs.
    pub(super) fn restrict_to(&mut self, steps: &BTreeSet<usize>) {
        for (index, state) in self.steps.iter_mut().enumerate() {
            if !steps.contains(&index) {
                *state = StepState::Succeeded(Value::Missing);
            }
        }
    }

    /// Returns the plan.
    pub const fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Returns the states of the steps, in the order of the plan.
    pub fn steps(&self) -> &[StepState] {
        &self.steps
    }

    /// Returns a step's input if it can be computed now; `None` for a step with `for_each`.
    pub fn input(&self, step: usize) -> Option<Value> {
        let planned = self.plan.steps().get(step)?;
        if planned.for_each.is_some() {
            return None;
        }
        let error = self.error(planned);
        planned.input.eval(&self.env(error.as_ref())).ok()
    }

    /// Finds the lists of the order that are too long for a step. `body` contains the order's
    /// bytes.
    pub(super) fn lists_too_long(&self, body: &[u8]) -> Vec<JsonProblem> {
        list_limits::problems(&self.plan, &self.order, &self.run, body)
    }

    /// Returns the input of each element of a step with `for_each`, if it can be computed; `None`
    /// for other steps.
    pub fn element_inputs(&self, step: usize) -> Option<Vec<Option<Value>>> {
        let planned = self.plan.steps().get(step).filter(|planned| planned.for_each.is_some())?;
        let items = self.expand(planned).ok()?;
        let input = |(element, item)| self.input_for(step, Some(element), Some(item)).ok();
        Some((0..).zip(items.iter()).map(input).collect())
    }

    /// Decides what to do now. Every started attempt counts as running from then on.
    pub fn next(&mut self, now: Timestamp) -> Vec<Decision> {
        let mut decisions = Vec::new();
        if self.cancelled {
            return vec![Decision::Finish(RunState::Cancelled)];
        }
        let outdated = self.outdated(now);
        if !outdated.is_empty() {
            return vec![Decision::ReadAgain { steps: outdated }];
        }
        let mut running = false;
        let mut until: Option<Timestamp> = None;
        for step in 0..self.steps.len() {
            if matches!(self.steps.get(step), Some(StepState::Pending)) {
                self.begin(step, &mut decisions);
            }
            match self.steps.get_mut(step) {
                Some(StepState::One(state)) => match next_action(state, now) {
                    NextAction::Running => running = true,
                    NextAction::WaitUntil(instant) => {
                        until = Some(until.map_or(instant, |until| until.min(instant)))
                    }
                    NextAction::Reschedule(attempts, until) => {
                        decisions.push(Decision::Reschedule {
                            step,
                            element: None,
                            attempts,
                            until,
                        });
                    }
                    NextAction::Start(attempt) => {
                        self.start(step, None, attempt, now, &mut decisions);
                    }
                    NextAction::Unknown(attempt) => {
                        self.decide_unknown(step, None, attempt, now, &mut decisions);
                    }
                    NextAction::Ended => {}
                },
                Some(StepState::Each { .. }) => {
                    let (still, at) = self.start_elements(step, now, &mut decisions);
                    running |= still;
                    until = [until, at].into_iter().flatten().min();
                }
                _ => {}
            }
        }
        if decisions.is_empty() && !running {
            decisions.push(match until {
                Some(until) => Decision::WaitUntil(until),
                None => Decision::Finish(self.end()),
            });
        }
        decisions
    }

    /// Begins or skips a pending step if its needs allow it.
    fn begin(&mut self, step: usize, decisions: &mut Vec<Decision>) {
        let plan = Arc::clone(&self.plan);
        let Some(planned) = plan.steps().get(step) else { return };
        match self.gate(planned) {
            Gate::Open => {}
            Gate::Wait => return,
            Gate::Skip(reason) => {
                decisions.push(Decision::Skip { step, reason });
                return;
            }
        }
        let error = self.error(planned);
        let env = self.env(error.as_ref());
        if let Some(when) = &planned.when {
            match when.eval(&env) {
                Ok(Value::Bool(true)) => {}
                Ok(_) => {
                    decisions.push(Decision::Skip { step, reason: SkipReason::When });
                    return;
                }
                Err(error) => {
                    decisions.push(Decision::fail(step, None, out_of_range(error)));
                    return;
                }
            }
        }
        if self.resume_saved(step) {
            return;
        }
        if let Some(failure) = self.earlier.failure(step) {
            decisions.push(Decision::fail(step, None, failure));
            return;
        }
        let begun = match &planned.for_each {
            None => StepState::One(self.earlier.state(step, None)),
            Some(_) => match self.expand(planned) {
                Ok(items) if items.is_empty() => {
                    decisions.push(Decision::Succeed { step, output: Value::List(items) });
                    return;
                }
                Ok(items) => {
                    let states = (0..).zip(items.iter());
                    let states = states.map(|(element, _)| self.earlier.state(step, Some(element)));
                    StepState::Each { elements: Elements::new(states.collect()), items }
                }
                Err(failure) => {
                    decisions.push(Decision::fail(step, None, failure));
                    return;
                }
            },
        };
        if let Some(state) = self.steps.get_mut(step) {
            *state = begun;
        }
    }

    /// Resumes a step from its saved state. Returns whether the step has a saved state.
    fn resume_saved(&mut self, step: usize) -> bool {
        let saved = self.saved.get_mut(step).and_then(Option::take);
        match (saved, self.steps.get_mut(step)) {
            (Some(saved), Some(state)) => {
                *state = saved.state;
                true
            }
            _ => false,
        }
    }

    /// Returns the list that a step runs over, if the step has begun.
    pub fn items(&self, step: usize) -> Option<&Arc<[Value]>> {
        let saved = || self.saved.get(step)?.as_ref();
        match self.steps.get(step) {
            Some(StepState::Pending) => saved()?.state.items(),
            Some(state) => state.items(),
            None => None,
        }
    }

    /// Computes the list that a step runs over.
    pub(super) fn expand(&self, planned: &PlannedStep) -> Result<Arc<[Value]>, Failure> {
        let error = self.error(planned);
        let env = self.env(error.as_ref());
        let items = match &planned.for_each {
            Some(each) => each.items.eval(&env).map_err(out_of_range)?,
            None => Value::Missing,
        };
        let items = items.as_list().cloned().unwrap_or_else(|| Arc::from([]));
        if items.len() > ELEMENTS_MAX {
            return Err(Failure {
                class: Class::Permanent,
                cause: cause::OUT_OF_RANGE.to_owned(),
                message: format!(
                    "the list has {} elements; the maximum is {ELEMENTS_MAX}",
                    items.len()
                ),
                request: None,
            });
        }
        Ok(items)
    }

    /// Starts as many elements as `max_concurrency` allows. Returns whether any is running, and
    /// when the next waiting one is due.
    fn start_elements(
        &mut self,
        step: usize,
        now: Timestamp,
        decisions: &mut Vec<Decision>,
    ) -> (bool, Option<Timestamp>) {
        let plan = Arc::clone(&self.plan);
        let limit = plan
            .steps()
            .get(step)
            .and_then(|planned| planned.for_each.as_ref())
            .map_or(1, |each| each.max_concurrency as usize);
        let Some(StepState::Each { elements, .. }) = self.steps.get(step) else {
            return (false, None);
        };
        let (start, unknown) = (elements.startable(limit, now), elements.unknown());
        let any = elements.running() + start.len() > 0;
        let (sooner, until) = (elements.rescheduled(now), elements.due_after(now));
        for (element, attempts, until) in sooner {
            let element = Some(element);
            decisions.push(Decision::Reschedule { step, element, attempts, until });
        }
        for (element, attempt) in unknown {
            self.decide_unknown(step, Some(element), attempt, now, decisions);
        }
        for element in start {
            let attempt = match self.state(step, Some(element)) {
                Some(ElementState::Waiting { attempts, .. }) => attempts + 1,
                _ => 1,
            };
            self.start(step, Some(element), attempt, now, decisions);
        }
        (any, until)
    }

    /// Returns the input of an attempt of a step, or of one of its elements.
    ///
    /// # Errors
    /// Returns an error if the input cannot be computed, for example because a number is out of
    /// range.
    pub(super) fn input_of(&self, step: usize, element: Option<u32>) -> Result<Value, EvalError> {
        let item = element.and_then(|element| self.items(step)?.get(element as usize));
        self.input_for(step, element, item)
    }

    /// Returns the input of an attempt with the element `item`.
    pub(super) fn input_for(
        &self,
        step: usize,
        element: Option<u32>,
        item: Option<&Value>,
    ) -> Result<Value, EvalError> {
        let Some(planned) = self.plan.steps().get(step) else { return Ok(Value::Missing) };
        let index = element.map(|element| Value::Int(element.into()));
        let error = self.error(planned);
        let env = Env { item, index: index.as_ref(), ..self.env(error.as_ref()) };
        planned.input.eval(&env)
    }

    /// Returns the step with the earliest waiting attempt, and the time of the attempt.
    pub fn next_attempt(&self) -> Option<(&Arc<str>, Timestamp)> {
        let waits = self.steps.iter().zip(self.plan.steps()).filter_map(|(state, planned)| {
            let until = match state {
                StepState::One(ElementState::Waiting { until, .. }) => *until,
                StepState::Each { elements, .. } => elements.due()?,
                _ => return None,
            };
            Some((&planned.id, until))
        });
        waits.min_by_key(|(_, until)| *until)
    }

    /// Returns the time of the earliest waiting attempt.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.next_attempt().map(|(_, until)| until)
    }

    fn start(
        &mut self,
        step: usize,
        element: Option<u32>,
        attempt: u32,
        now: Timestamp,
        decisions: &mut Vec<Decision>,
    ) {
        let input = self.input_of(step, element).map_err(out_of_range);
        let allowed = input.and_then(|input| {
            if let Some(planned) = self.plan.steps().get(step) {
                self.requests.check((step, element), planned, &input, now)?;
            }
            self.claim(step, element, &input).map(|()| input)
        });
        match allowed {
            Ok(input) => {
                self.set_state(step, element, ElementState::Running);
                decisions.push(Decision::Start { step, element, attempt, input });
            }
            Err(failure) => decisions.push(Decision::fail(step, element, failure)),
        }
    }

    /// Decides on a claimed attempt without a recorded outcome, which a crash leaves behind. The
    /// attempt is repeated if that is safe, or with `on_unknown: resend`, if attempts are left.
    /// Otherwise it fails with an unknown outcome, which holds the run.
    fn decide_unknown(
        &mut self,
        step: usize,
        element: Option<u32>,
        attempt: u32,
        now: Timestamp,
        decisions: &mut Vec<Decision>,
    ) {
        let planned = self.plan.steps().get(step);
        let is_safe =
            |planned: &PlannedStep| planned.calls_service() && planned.on_unknown().is_none();
        if planned.is_some_and(is_safe) {
            return self.start(step, element, attempt, now, decisions);
        }
        let may_resend = planned.is_some_and(|planned| {
            planned.on_unknown() == Some(OnUnknown::Resend)
                && attempt < planned.retry.attempts
                && planned.retry.is_for(cause::UNKNOWN_OUTCOME)
        });
        if may_resend {
            return self.start(step, element, attempt + 1, now, decisions);
        }
        let error =
            StepError::unknown("the process ended before it recorded the outcome of the attempt");
        decisions.push(Decision::Fail { step, element, attempt, failure: Failure::from(&error) });
    }

    fn state(&self, step: usize, element: Option<u32>) -> Option<&ElementState> {
        match (self.steps.get(step)?, element) {
            (StepState::One(state), None) => Some(state),
            (StepState::Each { elements, .. }, Some(element)) => {
                elements.states().get(element as usize)
            }
            _ => None,
        }
    }

    fn set_state(&mut self, step: usize, element: Option<u32>, new: ElementState) {
        match (self.steps.get_mut(step), element) {
            (Some(StepState::One(state)), None) => *state = new,
            (Some(StepState::Each { elements, .. }), Some(element)) => elements.set(element, new),
            _ => {}
        }
    }

    /// Applies an event. Applying a journal to a new run rebuilds its state.
    ///
    /// # Errors
    /// Returns an error if the event is impossible in the current state.
    pub fn apply(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        let retries = matches!(event, Event::Retried { .. });
        self.requests.apply(event, &self.plan);
        match event {
            Event::Succeeded { step, element, output, .. } => {
                let at = self.ready(step, *element)?;
                self.outputs_since_start.insert(at);
                self.set(at, *element, ElementState::Succeeded(output.clone()));
            }
            Event::Failed { step, element, attempt, failure, retry_at, at: ended, .. } => {
                let at = self.ready(step, *element)?;
                let state = match retry_at {
                    Some(until) => waiting(*attempt, *until, *ended),
                    None => ElementState::Failed(failure.clone()),
                };
                self.set(at, *element, state);
            }
            Event::Rescheduled { step, element, attempts, at: decided, retry_at } => {
                let at = self.ready(step, *element)?;
                self.set(at, *element, waiting(*attempts, *retry_at, *decided));
            }
            Event::Claimed { step, element, attempt, .. } => {
                let at = self.ready(step, *element)?;
                // The driver applies this event to a running attempt. When a journal is applied, no
                // outcome is known yet.
                let state = self.state(at, *element);
                if state.is_some_and(|state| !matches!(state, ElementState::Running)) {
                    self.set(at, *element, ElementState::Claimed { attempt: *attempt });
                }
            }
            Event::Answered { step, .. } => {
                self.position(step)?;
            }
            Event::Skipped { step, reason, .. } => {
                let at = self.position(step)?;
                match self.steps.get_mut(at) {
                    Some(state @ StepState::Pending) => *state = StepState::Skipped(reason.clone()),
                    _ => return Err(IllegalEvent::NotRunning(Arc::clone(step))),
                }
            }
            Event::ReadAgain { steps, .. } => {
                let steps: Result<_, _> = steps.iter().map(|step| self.position(step)).collect();
                self.read_again(&steps?);
            }
            Event::Retried { at, .. } => self.reopen(*at),
            Event::Cancelled { .. } => self.cancelled = true,
        }
        self.is_retried = retries;
        Ok(())
    }

    fn position(&self, step: &Arc<str>) -> Result<usize, IllegalEvent> {
        self.plan.step(step).ok_or_else(|| IllegalEvent::NoStep(Arc::clone(step)))
    }

    /// Checks that an attempt of this step can end now. Begins the step if the journal has no event
    /// of it yet.
    fn ready(&mut self, step: &Arc<str>, element: Option<u32>) -> Result<usize, IllegalEvent> {
        let at = self.position(step)?;
        let saved = self.saved.get(at).and_then(Option::as_ref);
        let is_kept = saved.is_some_and(|saved| {
            saved.has_begun_here && saved.state.items().is_some() == element.is_some()
        });
        if matches!(self.steps.get(at), Some(StepState::Pending))
            && !(is_kept && self.resume_saved(at))
        {
            let mut decisions = Vec::new();
            self.begin(at, &mut decisions);
            let ends =
                matches!(decisions.as_slice(), [Decision::Succeed { .. } | Decision::Fail { .. }]);
            if let Some(state) = self.steps.get_mut(at).filter(|_| ends) {
                *state = StepState::One(ElementState::Running);
            }
        }
        self.reopen_for(at, element);
        match (self.steps.get(at), element) {
            (Some(StepState::One(_)), None) => Ok(at),
            (Some(StepState::Each { elements, .. }), Some(element))
                if (element as usize) < elements.states().len() =>
            {
                Ok(at)
            }
            (Some(StepState::Each { .. }), Some(element)) => {
                Err(IllegalEvent::NoElement(Arc::clone(step), element))
            }
            _ => Err(IllegalEvent::NotRunning(Arc::clone(step))),
        }
    }

    /// Reopens a failed step for an element that was still running at the failure. Starts are not
    /// journaled, so when a journal is applied, the first failure looks like the end of the step.
    fn reopen_for(&mut self, at: usize, element: Option<u32>) {
        let (Some(StepState::Failed { items, elements, .. }), Some(element)) =
            (self.steps.get(at), element)
        else {
            return;
        };
        let in_progress = elements.get(element as usize).is_some_and(|state| {
            !matches!(state, ElementState::Succeeded(_) | ElementState::Failed(_))
        });
        if !in_progress {
            return;
        }
        let (items, elements) = (Arc::clone(items), Elements::new(elements.clone()));
        if let Some(state) = self.steps.get_mut(at) {
            *state = StepState::Each { items, elements };
        }
    }

    fn set(&mut self, step: usize, element: Option<u32>, new: ElementState) {
        if matches!(new, ElementState::Failed(_)) {
            self.release(step, element);
        }
        self.set_state(step, element, new);
        let Some(state) = self.steps.get_mut(step) else { return };
        let ended = match state {
            StepState::One(ElementState::Succeeded(output)) => StepState::Succeeded(output.clone()),
            StepState::One(ElementState::Failed(failure)) => {
                let (items, elements) = (Arc::from([]), Vec::new());
                StepState::Failed { failure: failure.clone(), items, elements }
            }
            StepState::Each { items, elements } => match elements.end(items) {
                Some(ended) => ended,
                None => return,
            },
            _ => return,
        };
        if let (StepState::Succeeded(output), Some(slot)) = (&ended, self.outputs.get_mut(step)) {
            *slot = output.clone();
        }
        *state = ended;
    }

    /// Returns the state of the run when no step can continue.
    fn end(&self) -> RunState {
        if self.failures().next().is_some() { RunState::Parked } else { RunState::Completed }
    }

    fn env<'a>(&'a self, error: Option<&'a Value>) -> Env<'a> {
        let (order, run, steps) = (&self.order, &self.run, self.outputs.as_slice());
        Env { order, run, steps, error, ..Env::empty() }
    }

    /// Returns the value of `error` for a catch step: the first failure, in the order of the file,
    /// of the steps that it catches.
    fn error(&self, planned: &PlannedStep) -> Option<Value> {
        let (failure, id) = planned.catches.iter().find_map(|caught| {
            let StepState::Failed { failure, .. } = self.steps.get(*caught)? else { return None };
            Some((failure, &self.plan.steps().get(*caught)?.id))
        })?;
        let ty = crate::plan::error_record();
        // In the order of the field names: cause, message, step.
        let fields = vec![
            Value::text(&failure.cause),
            Value::text(&failure.message),
            Value::Text(Arc::clone(id)),
        ];
        Some(Value::Record(Arc::new(Record::new(ty, fields))))
    }
}

/// Returns the state of an attempt that waits until `until`, as decided at `decided`.
fn waiting(attempts: u32, until: Timestamp, decided: Timestamp) -> ElementState {
    ElementState::Waiting { attempts, until, wait: until.duration_since(decided) }
}
