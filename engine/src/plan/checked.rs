//! The plan: a pipeline that passed all checks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use oms_core::effects::TableNames;
use oms_core::table::{TableDef, TableUse};
use oms_core::time_zone::TimeZone;
use oms_core::value::{Digest, JsonNode, Type, Value};
use oms_expression::Compiled;

use super::isolation::DependentUpsert;
use super::order::OrderPlan;
use super::semantics::Semantics;
use super::settings::UnsetSetting;
use crate::pipeline::{Allow, IntakeSection, RetrySection};
use crate::step::{
    Effect, ErasedStep, InputPlan, MailSettings, OnUnknown, Port, RateSource, Service, Settings,
    Verb,
};

/// A pipeline that passed all checks.
pub struct Plan {
    pub(super) name: Arc<str>,
    pub(super) description: Option<String>,
    pub(super) time_zone: TimeZone,
    pub(super) order: OrderPlan,
    pub(super) intake: Option<IntakeSection>,
    pub(super) tables: Vec<Arc<TableDef>>,
    pub(super) seeds: Vec<Seed>,
    pub(super) rates: Vec<Arc<RateSource>>,
    pub(super) mail: Option<Arc<MailSettings>>,
    pub(super) services: Vec<Arc<Service>>,
    pub(super) steps: Vec<PlannedStep>,
    pub(super) handlers: Vec<Handler>,
    pub(super) samples: Vec<String>,
    pub(super) files: BTreeMap<String, Arc<[u8]>>,
    pub(super) digest: Digest,
    pub(super) contended: TableNames,
    pub(super) dependent_upserts: Vec<DependentUpsert>,
    pub(super) semantics: Semantics,
    pub(super) settings: Option<Settings>,
    pub(super) unset: Vec<UnsetSetting>,
}

impl Plan {
    /// Returns the pipeline's name.
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Returns the description.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Returns the time zone that determines the date of a timestamp.
    pub const fn time_zone(&self) -> &TimeZone {
        &self.time_zone
    }

    /// Returns the plan of the order: its schema and its key.
    pub const fn order(&self) -> &OrderPlan {
        &self.order
    }

    /// Returns the section `intake`.
    pub const fn intake(&self) -> Option<&IntakeSection> {
        self.intake.as_ref()
    }

    /// Returns the tables in the order of the file.
    pub fn tables(&self) -> &[Arc<TableDef>] {
        &self.tables
    }

    /// Returns whether a step writes to a table.
    pub fn writes_to(&self, table: &str) -> bool {
        let effects = self.steps.iter().flat_map(|step| &step.effects);
        let mut tables = effects.filter(|effect| effect.port == Port::Tables);
        tables.any(|effect| effect.verb != Verb::Get && *effect.resource == *table)
    }

    /// Returns each declared table, and whether a step writes to it.
    pub fn table_uses(&self) -> Vec<TableUse> {
        let used = |table: &Arc<TableDef>| TableUse {
            table: Arc::clone(table),
            is_written: self.writes_to(&table.name),
        };
        self.tables.iter().map(used).collect()
    }

    /// Returns whether the keys of objects in a bucket may contain personal data. Returns false
    /// only if the order key is not personal data and steps store objects in the bucket, all of
    /// them under keys without personal data.
    pub fn has_personal_keys(&self, bucket: &str) -> bool {
        let stores = |effect: &Effect| {
            effect.port == Port::Objects && effect.verb == Verb::Put && *effect.resource == *bucket
        };
        let mut storing = self.steps.iter().filter(|step| step.effects.iter().any(stores));
        let is_personal = |step: &PlannedStep| {
            let input = step.input.ty();
            let mut fields = input.as_record().into_iter().flat_map(|record| record.fields());
            // A custom kind may form the key from any of its inputs.
            let key = fields.find(|field| &*field.name == "key");
            key.map_or_else(|| input.contains_pii(), |field| field.ty.contains_pii())
        };
        let first = storing.next();
        self.order.key_is_personal() || first.is_none_or(is_personal) || storing.any(is_personal)
    }

    /// Returns the tables that steps both read and write. A row of these tables may change between
    /// a read and a step that depends on it.
    pub const fn contended_tables(&self) -> &TableNames {
        &self.contended
    }

    /// Returns the reads of rows on which an upsert of the same table depends.
    pub fn dependent_upserts(&self) -> &[DependentUpsert] {
        &self.dependent_upserts
    }

    /// Adds tables to the contended ones, because another handler of the same pipeline uses them.
    pub fn contend(&mut self, tables: impl IntoIterator<Item = Arc<str>>) {
        Arc::make_mut(&mut self.contended).extend(tables);
    }

    /// Returns the seed files.
    pub fn seeds(&self) -> &[Seed] {
        &self.seeds
    }

    /// Returns the rate tables.
    pub fn rates(&self) -> &[Arc<RateSource>] {
        &self.rates
    }

    /// Returns the services.
    pub fn services(&self) -> &[Arc<Service>] {
        &self.services
    }

    /// Returns the settings for e-mails.
    pub fn mail(&self) -> Option<&Arc<MailSettings>> {
        self.mail.as_ref()
    }

    /// Returns the value of a setting.
    pub fn setting(&self, name: &str) -> Option<&Value> {
        self.settings.as_ref()?.get(name)
    }

    /// Returns the settings without a valid value in this environment. No run can start with this
    /// plan if there are any.
    pub fn unset_settings(&self) -> &[UnsetSetting] {
        &self.unset
    }

    /// Returns the steps in the order of the file.
    pub fn steps(&self) -> &[PlannedStep] {
        &self.steps
    }

    /// Returns the position of a step.
    pub fn step(&self, id: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.id.as_ref() == id)
    }

    /// Returns the handlers for AWS Lambda.
    pub fn handlers(&self) -> &[Handler] {
        &self.handlers
    }

    /// Returns the sample files, relative to the pipeline.
    pub fn samples(&self) -> &[String] {
        &self.samples
    }

    /// Returns the bundle: the pipeline file and all other files from which the plan was made, by
    /// path.
    pub const fn files(&self) -> &BTreeMap<String, Arc<[u8]>> {
        &self.files
    }

    /// Returns the semantics with which runs are replayed.
    pub const fn semantics(&self) -> Semantics {
        self.semantics
    }

    /// Returns the digest of the bundle.
    pub const fn digest(&self) -> Digest {
        self.digest
    }
}

/// A file with the initial rows of a table.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The table.
    pub table: Arc<TableDef>,
    /// The path of the file, relative to the pipeline.
    pub path: String,
}

/// A step that is ready to run.
pub struct PlannedStep {
    /// The id.
    pub id: Arc<str>,
    /// The name of the kind.
    pub kind: &'static str,
    /// The steps that it needs.
    pub needs: Vec<Need>,
    /// The condition.
    pub when: Option<Compiled>,
    /// The list over which it runs.
    pub for_each: Option<ForEach>,
    /// The retries.
    pub retry: Retry,
    /// The timeout of an attempt.
    pub timeout: Option<Duration>,
    /// The catch step that runs if this step fails permanently.
    pub caught_by: Option<usize>,
    /// If this is a catch step, the steps whose failures it catches, in the order of the file.
    pub catches: Vec<usize>,
    /// The expressions of the input.
    pub input: InputPlan,
    /// The executable step.
    pub step: Arc<dyn ErasedStep>,
    /// The type of an attempt's output. With `for_each`, this is the type for a single element.
    pub output: Type,
    /// The form in which the journal stores an output.
    pub stored: JsonNode,
    /// The effects.
    pub effects: Vec<Effect>,
}

impl PlannedStep {
    /// Returns how to handle an attempt whose outcome is unknown, or `None` if the step is safe to
    /// repeat.
    pub fn on_unknown(&self) -> Option<OnUnknown> {
        self.effects.iter().filter_map(Effect::on_unknown).min()
    }

    /// Returns whether the step calls a service that the pipeline declares.
    pub fn calls_service(&self) -> bool {
        self.effects.iter().any(|effect| effect.port == Port::Services)
    }
}

/// A step that must have ended before another one begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The position of the needed step.
    pub step: usize,
    /// The outcomes, in addition to success, that are allowed.
    pub allow: Vec<Allow>,
}

/// The list over which a step runs.
#[derive(Clone, Debug)]
pub struct ForEach {
    /// The list.
    pub items: Compiled,
    /// Maximum number of elements that run concurrently.
    pub max_concurrency: u32,
}

/// The retries of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Maximum number of attempts.
    pub attempts: u32,
    /// The waits between attempts.
    pub waits: RetrySection,
}

impl Retry {
    /// Returns whether a failure with this cause may lead to another attempt.
    pub fn is_for(&self, cause: &str) -> bool {
        self.waits.on.as_ref().is_none_or(|causes| causes.iter().any(|known| known == cause))
    }

    /// Returns the wait after attempt number `attempt` (from 1) in milliseconds, without jitter:
    /// `initial_ms` × `multiplier`^(n − 1), at most `max_ms`. The default of `max_ms` is never less
    /// than `initial_ms`.
    pub fn whole_wait_ms(&self, attempt: u32) -> u64 {
        let growth = self
            .waits
            .multiplier
            .powi(i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX));
        // The casts saturate: an infinite wait becomes the longest allowed one.
        ((self.waits.initial_ms as f64 * growth) as u64).min(self.waits.longest_ms())
    }

    /// Returns the longest waits between the attempts in milliseconds.
    pub fn whole_waits_ms(&self) -> impl Iterator<Item = u64> {
        (1..self.attempts).map(|attempt| self.whole_wait_ms(attempt))
    }
}

/// A function on AWS Lambda, with the steps that it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handler {
    /// The name.
    pub name: Arc<str>,
    /// The positions of the steps.
    pub steps: Vec<usize>,
}
