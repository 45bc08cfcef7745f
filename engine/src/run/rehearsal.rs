//! Runs an order in memory, in a world with the pipeline's seeds and without external effects.

use std::sync::Arc;

use oms_core::document::Files;
use oms_core::effects::RunState;
use oms_core::effects::memory::MemoryWorld;
use oms_core::effects::{Clock as _, RunInfo, StepError};
use oms_core::mail::Mail;
use oms_core::value::{Digest, Field, Record, RecordType, Shape, Type, Value};
use oms_template::Template;

use super::accept::{Rejection, accept};
use super::driver::{Run, advance, call};
use super::state::StepState;
use crate::plan::{Plan, PlannedStep, read_row, row_lines};
use crate::step::{Effect, Port, StepContext};

/// The maximum number of waits of a run before the rehearsal gives up.
const WAITS_MAX: usize = 100;

/// A world for rehearsals.
pub struct Rehearsal {
    plan: Arc<Plan>,
    world: MemoryWorld,
}

/// An e-mail that a run would send.
pub struct SentMail {
    /// The step that sends it.
    pub step: Arc<str>,
    /// The template's name.
    pub template: Arc<str>,
    /// The e-mail.
    pub mail: Mail,
}

/// The error for a seed that cannot be used, for example because its file has changed since the
/// plan was made.
#[derive(Debug, thiserror::Error)]
#[error("cannot use `{path}` as a seed")]
pub struct SeedError {
    path: String,
}

impl Rehearsal {
    /// Creates a world with the pipeline's seeds and the time `now`.
    ///
    /// # Errors
    /// Returns an error if a seed's file is missing or invalid.
    pub fn new(
        plan: &Arc<Plan>,
        files: &dyn Files,
        now: jiff::Timestamp,
    ) -> Result<Self, SeedError> {
        let world = MemoryWorld::new();
        world.set_time(now);
        for seed in plan.seeds() {
            let failed = || SeedError { path: seed.path.clone() };
            let bytes = files.read(&seed.path).map_err(|_| failed())?;
            let text = std::str::from_utf8(&bytes).map_err(|_| failed())?;
            for (_, line) in row_lines(text) {
                world.add_row(&seed.table, read_row(&seed.table, line).map_err(|_| failed())?);
            }
        }
        Ok(Self { plan: Arc::clone(plan), world })
    }

    /// Returns the world.
    pub const fn world(&self) -> &MemoryWorld {
        &self.world
    }

    /// Runs an order that arrived under a name, to its end. Waits take no time.
    ///
    /// # Errors
    /// Returns an error if the order is rejected.
    pub async fn run(&self, body: &[u8], name: &str) -> Result<Run, Rejection> {
        let mut run = accept(&self.plan, body, name, self.world.now())?;
        for _ in 0..WAITS_MAX {
            let progress = advance(&mut run, &self.world).await;
            match (progress.state, progress.until) {
                (RunState::Waiting, Some(until)) => self.world.set_time(until),
                _ => break,
            }
        }
        Ok(run)
    }

    /// Returns the e-mails that a run sent, in the order of its steps, in another locale if one is
    /// given.
    ///
    /// # Errors
    /// Returns an error if the e-mail's step fails, which can only happen if the e-mail is too
    /// large.
    pub async fn mails(&self, run: &Run, locale: Option<&str>) -> Result<Vec<SentMail>, StepError> {
        let mut sent = Vec::new();
        for (position, planned) in self.plan.steps().iter().enumerate() {
            let effect = planned.effects.iter().find(|effect| effect.port == Port::Mail);
            let state = run.scheduler.steps().get(position);
            let (Some(effect), Some(StepState::Succeeded(_)), Some(input)) =
                (effect, state, run.scheduler.input(position))
            else {
                continue;
            };
            let input = locale.map_or(Some(input.clone()), |locale| with_locale(&input, locale));
            let Some(input) = input else { continue };
            sent.extend(self.sent(planned, &effect.resource, &run.info, input).await?);
        }
        Ok(sent)
    }

    /// Returns the e-mails of a template for its sample data, one for each step that sends it, in a
    /// locale if one is given.
    ///
    /// # Errors
    /// Returns an error if the e-mail's step fails, which can only happen if the e-mail is too
    /// large.
    pub async fn sample(
        &self,
        template: &Template,
        name: &str,
        locale: Option<&str>,
    ) -> Result<Vec<SentMail>, StepError> {
        let info = Arc::new(RunInfo {
            pipeline: Arc::clone(self.plan.name()),
            key: Arc::from("sample"),
            id: Arc::from("sample"),
            accepted_at: self.world.now(),
            body: Arc::from([]),
            digest: Digest::of(b""),
            reduced: None,
        });
        let mut sent = Vec::new();
        for planned in self.plan.steps() {
            let sends = |effect: &&Effect| effect.port == Port::Mail && *effect.resource == *name;
            let Some(effect) = planned.effects.iter().find(sends) else { continue };
            let Shape::Record(ty) = planned.input.ty().shape else { continue };
            // The check has already reported data that does not fit.
            let data = ty.field("data").and_then(|data| template.sample(&data.ty).ok().flatten());
            let input = data.and_then(|data| with_data(planned, &data, locale));
            if let Some(input) = input {
                sent.extend(self.sent(planned, &effect.resource, &info, input).await?);
            }
        }
        Ok(sent)
    }

    /// Runs an e-mail step in a separate world, which then contains only its e-mail.
    async fn sent(
        &self,
        planned: &PlannedStep,
        template: &Arc<str>,
        run: &Arc<RunInfo>,
        input: Value,
    ) -> Result<impl Iterator<Item = SentMail>, StepError> {
        let world = MemoryWorld::new();
        world.set_time(self.world.now());
        let call = call(run, planned, None, &Arc::default());
        planned.step.run(&StepContext { effects: &world, call: &call }, input).await?;
        let (step, template) = (Arc::clone(&planned.id), Arc::clone(template));
        let mails = world.contents().mails.into_values();
        Ok(mails.map(move |mail| SentMail {
            step: Arc::clone(&step),
            template: Arc::clone(&template),
            mail,
        }))
    }
}

/// The recipient and the unsubscribe link of an e-mail that is only shown (names that RFC 2606
/// reserves).
const RECIPIENT: &str = "reader@example.com";
const UNSUBSCRIBE_URL: &str = "https://example.com/unsubscribe";

/// Returns the input of an e-mail step that shows an e-mail with this data and every attachment.
fn with_data(planned: &PlannedStep, data: &Value, locale: Option<&str>) -> Option<Value> {
    let Type { shape: Shape::Record(ty), .. } = planned.input.ty() else { return None };
    let value = |field: &Field| match (field.name.as_ref(), &field.ty.shape) {
        ("data", _) => data.clone(),
        ("to", _) => Value::text(RECIPIENT),
        ("locale", _) => locale.map_or(Value::Null, Value::text),
        ("attach", Shape::Record(files)) => {
            let all = files.fields().iter().map(|_| Value::Bool(true)).collect();
            Value::Record(Arc::new(Record::new(Arc::clone(files), all)))
        }
        ("unsubscribe", Shape::Text { .. }) => Value::text(UNSUBSCRIBE_URL),
        _ => Value::Missing,
    };
    let fields = ty.fields().iter().map(value).collect();
    Some(Value::Record(Arc::new(Record::new(ty, fields))))
}

/// Returns a step's input with another locale.
fn with_locale(input: &Value, locale: &str) -> Option<Value> {
    const LOCALE: &str = "locale";
    let record = input.as_record()?;
    let others = record.ty().fields().iter().filter(|field| field.name.as_ref() != LOCALE);
    let own = others.map(|field| (Arc::clone(&field.name), field.ty.clone()));
    let ty = RecordType::new(own.chain([(Arc::from(LOCALE), Type::text())]));
    let value = |name: &Arc<str>| match name.as_ref() {
        LOCALE => Value::text(locale),
        other => record.get(other).cloned().unwrap_or_default(),
    };
    let fields = ty.fields().iter().map(|field| value(&field.name)).collect();
    Some(Value::Record(Arc::new(Record::new(Arc::new(ty), fields))))
}
