//! The AWS resources of a plan, as data for the templates.

use std::collections::BTreeSet;
use std::time::Duration;

use oms_engine::pipeline::IntakeMode;
use oms_engine::plan::{Branch, Choreography, Plan, PlannedStep};
use oms_engine::step::{Port, Verb};
use oms_engine::value::{Digest, Value, write_json};
use serde::Serialize;

use crate::calls::{self, Calls};
use crate::embed::{Bundles, Source};
use crate::iam::{self, RATES_KEY, ServiceUses, Statement};
use crate::intake::Intake;
use crate::lines::Lines;
use crate::{GenerateError, Origin, dashboard, vendored};

/// Maximum number of messages that a handler receives in one batch. Without a batch window, SQS
/// delivers at most 10 ("Configuring an SQS event source").
const BATCH_MAX: u64 = 10;
/// Minimum and maximum number of times that a message is delivered. SQS allows at most 1,000
/// ("SetQueueAttributes"). Most deliveries are those of temporary failures outside of steps.
const RECEIVES: std::ops::RangeInclusive<u64> = 20..=1_000;
/// Concurrent invocations of a new account that the branches and `mail-events` share. The other 4
/// of 10 are for the intake and the scheduled handlers ("Lambda quotas").
const CONCURRENCY: usize = 6;
/// Maximum number of concurrent invocations of the handler of SES's events, the minimum of Lambda.
const MAIL_EVENTS_CONCURRENCY: usize = 2;
/// Maximum duration of an effect without a timeout in the pipeline.
const EFFECT_MAX: Duration = Duration::from_secs(10);
/// Maximum timeout of a function in seconds ("Lambda quotas").
const FUNCTION_MAX: u64 = 900;
/// Time in seconds for the start of a function, including a database that resumes.
const START_MAX: u64 = 20;
/// Minimum ratio of the visibility timeout of a queue to the timeout of the function ("Configuring
/// scalability for an SQS event source").
const VISIBILITY: u64 = 6;
/// Maximum time in milliseconds after which a handler lets SQS deliver a message again, as in
/// `adapters/aws/src/queue.rs`.
const VISIBILITY_MAX_MS: u64 = 11 * 3_600_000;

/// The data for all templates.
#[derive(Debug, Serialize)]
pub(crate) struct View {
    pub(crate) pipeline: String,
    description: String,
    /// Name and description as a double-quoted string, which is valid in JSON and YAML.
    summary: String,
    /// Name of the pipeline file.
    pub(crate) file: String,
    /// The command that generates the files again.
    regenerate: String,
    /// Its options besides `--out`, each after a space.
    options: String,
    pub(crate) intake: Intake,
    bucket: Bucket,
    topic: Topic,
    pub(crate) mail: Option<Mail>,
    pub(crate) database: bool,
    pub(crate) reconcile: Option<Reconcile>,
    pub(crate) operator: Option<Operator>,
    pub(crate) rates: Option<Rates>,
    /// The description of the stack for the command line, with placeholders of CloudFormation.
    resources: String,
    /// The Rust types of the kinds of the steps before the branches.
    pub(crate) kinds: BTreeSet<String>,
    /// Whether test events are generated.
    events: bool,
    /// Tables that no step writes, so that the user must load their rows.
    loaded: Vec<String>,
    /// Tables that steps of any handlers both read and write.
    contended: Vec<String>,
    pub(crate) branches: Vec<BranchView>,
    /// The body of the dashboard, as JSON with placeholders of CloudFormation.
    dashboard: String,
    /// The default of the maximum number of concurrent invocations of a branch.
    concurrency: usize,
    /// The path to a checkout with the crates, or `None` if they are vendored.
    pub(crate) checkout: Option<String>,
    /// The oldest supported version of Rust.
    rust: &'static str,
}

#[derive(Debug, Serialize)]
struct Bucket {
    name: String,
    /// The logical id.
    id: String,
    /// The ARN for use in `!Sub`.
    arn: String,
}

#[derive(Debug, Serialize)]
struct Topic {
    name: String,
    /// The logical id.
    id: String,
    /// Prefix of the logical ids of related resources.
    base: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Mail {
    /// The domain of the sender.
    domain: String,
    /// The role in the database of the handler of SES's events.
    pub(crate) role: String,
    /// The mapping from the pipeline's names to resources, with placeholders of CloudFormation.
    resources: String,
    statements: Vec<Statement>,
}

/// The user of the command line.
#[derive(Debug, Serialize)]
pub(crate) struct Operator {
    /// The role in the database.
    pub(crate) role: String,
    statements: Vec<Statement>,
}

/// The search for lost orders.
#[derive(Debug, Serialize)]
pub(crate) struct Reconcile {
    /// The role in the database.
    pub(crate) role: String,
    /// The mapping from the pipeline's names to resources, with placeholders of CloudFormation.
    resources: String,
    /// The queues of the handlers, with placeholders of CloudFormation.
    queues: String,
    statements: Vec<Statement>,
}

/// Exchange rates that are updated.
#[derive(Debug, Serialize)]
pub(crate) struct Rates {
    /// The name of the bucket in the handlers.
    bucket: &'static str,
    key: &'static str,
    /// The mapping from the name to the bucket, with placeholders of CloudFormation.
    resources: String,
    statements: Vec<Statement>,
}

/// The handler of a branch.
#[derive(Debug, Serialize)]
pub(crate) struct BranchView {
    pub(crate) name: String,
    /// The Rust types of the kinds of its steps and of the steps before the branches.
    pub(crate) kinds: BTreeSet<String>,
    id: String,
    steps: Vec<String>,
    steps_text: String,
    /// Seconds.
    timeout: u64,
    /// Seconds.
    visibility: u64,
    /// Number of messages in a batch.
    batch: u64,
    /// Number of times that a message is delivered before SQS moves it to the dead letters.
    receives: u64,
    /// The role in the database.
    pub(crate) role: String,
    pub(crate) database: bool,
    /// The paths of its files with exchange rates that are updated.
    pub(crate) rates: Vec<String>,
    pub(crate) mail: bool,
    /// The mapping from the pipeline's names to resources, with placeholders of CloudFormation.
    resources: String,
    statements: Vec<Statement>,
    pub(crate) calls: Vec<Calls>,
}

/// Reserved names of handlers: those of other generated handlers, and those whose logical ids could
/// clash with other ids in the template.
const RESERVED: [&str; 12] = [
    "alarm",
    "api",
    "architecture",
    "intake",
    "mail",
    "mail-events",
    "operator",
    "pipeline",
    "rates",
    "reconcile",
    "refresh",
    "release",
];

pub(crate) fn view(
    source: &Source<'_>,
    bundles: &Bundles,
    origin: &Origin,
) -> Result<View, GenerateError> {
    let Source { plan, choreography, .. } = *source;
    let lines = Lines::of(plan, &origin.pipeline);
    let (bucket, topic) = (choreography.bucket.to_string(), choreography.topic.to_string());
    let id = format!("{}Bucket", logical(&bucket));
    let bucket = Bucket { arn: format!("${{{id}.Arn}}"), id, name: bucket };
    let base = logical(&topic);
    let topic = Topic { id: format!("{base}Topic"), base, name: topic };
    let store = plan.steps().get(choreography.store);
    let store = store.map_or_else(String::new, |step| lines.cite([step]));
    let branches = choreography
        .branches
        .iter()
        .map(|branch| {
            let rates = match origin.refresh {
                true => source.rates(bundles.get(Some(&branch.name))),
                false => Vec::new(),
            };
            branch_view(plan, choreography, branch, &bucket, &store, &lines, rates)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let refresh = branches.iter().any(|branch| !branch.rates.is_empty());
    if origin.refresh && !refresh {
        return Err(GenerateError::Rates);
    }
    let direct = plan.intake().is_some_and(|intake| intake.mode == IntakeMode::Direct);
    if refresh && direct {
        return Err(GenerateError::Unpinned);
    }
    let trunk = [choreography.store, choreography.announce];
    let mail = branches.iter().any(|branch| branch.mail);
    let database = branches.iter().any(|branch| branch.database);
    let domain = sender_domain(plan);
    let noting = || branches.iter().filter(|branch| branch.database);
    let noting_ids = || noting().map(|branch| branch.id.as_str());
    Ok(View {
        pipeline: plan.name().to_string(),
        description: plan.description().unwrap_or_default().to_owned(),
        summary: quoted(&format!("{}: {}", plan.name(), plan.description().unwrap_or_default())),
        file: origin.pipeline.clone(),
        regenerate: format!("oms generate lambda {} --out .{}", origin.pipeline, origin.options),
        options: origin.options.clone(),
        intake: Intake::of(
            plan,
            choreography,
            &bucket.id,
            json_of(&[bucket.resources(refresh)]),
            &store,
            refresh,
        ),
        mail: domain.filter(|_| mail).map(|domain| Mail {
            domain,
            role: role(plan.name(), MAIL_EVENTS),
            resources: json_of(&[in_database(&secret_of(MAIL_EVENTS_ID))]),
            statements: iam::of_mail_events(MAIL_EVENTS_ID),
        }),
        database,
        operator: database.then(|| Operator {
            role: role(plan.name(), OPERATOR),
            statements: iam::of_operator(
                &bucket.id,
                noting_ids(),
                branches.iter().map(|branch| branch.id.as_str()),
            ),
        }),
        reconcile: database.then(|| Reconcile {
            role: role(plan.name(), RECONCILE),
            resources: json_of(&[bucket.resource(), in_database(&secret_of(RECONCILE_ID))]),
            queues: queues(noting()),
            statements: iam::of_reconcile(&bucket.id, noting_ids()),
        }),
        rates: refresh.then(|| Rates {
            bucket: RATES,
            key: RATES_KEY,
            resources: format!("{{\"buckets\":{{{RATES_BUCKET}}}}}"),
            statements: iam::of_refresh(),
        }),
        resources: stack(&branches, &bucket, &topic, database, mail),
        loaded: tables_to_load(plan),
        contended: plan.contended_tables().iter().map(ToString::to_string).collect(),
        kinds: kinds(plan, trunk)?,
        events: origin.sample.is_some(),
        bucket,
        topic,
        dashboard: dashboard::body(plan.name(), &handlers_of(&branches), database, mail),
        concurrency: concurrency(branches.len(), mail),
        branches,
        checkout: origin.crates.clone(),
        rust: env!("CARGO_PKG_RUST_VERSION"),
    })
}

/// Returns the domain of the sender, which SES must have verified.
fn sender_domain(plan: &Plan) -> Option<String> {
    plan.mail().and_then(|mail| mail.from.domain().ok())
}

/// Returns the tables that steps read but never write.
fn tables_to_load(plan: &Plan) -> Vec<String> {
    let effects = || plan.steps().iter().flat_map(|step| &step.effects);
    let tables = || effects().filter(|effect| effect.port == Port::Tables);
    let written: BTreeSet<&str> = tables()
        .filter(|effect| effect.verb != Verb::Get)
        .map(|effect| &*effect.resource)
        .collect();
    let read: BTreeSet<&str> = tables().map(|effect| &*effect.resource).collect();
    read.difference(&written).map(|name| (*name).to_owned()).collect()
}

/// Returns the types in `oms-steps` for the kinds of steps, such as `MoneyConvert` for
/// `money.convert`.
fn kinds(
    plan: &Plan,
    steps: impl IntoIterator<Item = usize>,
) -> Result<BTreeSet<String>, GenerateError> {
    let steps = steps.into_iter().filter_map(|index| plan.steps().get(index));
    steps
        .map(|step| match oms_steps::ALL.iter().any(|kind| kind.name() == step.kind) {
            true => Ok(logical(step.kind)),
            false => Err(GenerateError::Kind { step: step.id.to_string(), kind: step.kind }),
        })
        .collect()
}

fn branch_view(
    plan: &Plan,
    choreography: &Choreography,
    branch: &Branch,
    bucket: &Bucket,
    store: &str,
    lines: &Lines,
    rates: Vec<String>,
) -> Result<BranchView, GenerateError> {
    let steps: Vec<&PlannedStep> =
        branch.steps.iter().filter_map(|index| plan.steps().get(*index)).collect();
    let using = |port: Port| -> Vec<&PlannedStep> {
        let uses = |step: &&PlannedStep| step.effects.iter().any(|effect| effect.port == port);
        steps.iter().copied().filter(uses).collect()
    };
    for (port, name) in
        [(Port::Objects, "objects"), (Port::Topics, "topics"), (Port::Custom, "a custom service")]
    {
        if let Some(step) = using(port).first() {
            let (step, kind) = (step.id.to_string(), step.kind);
            return Err(GenerateError::Service { step, kind, port: name });
        }
    }
    let (tables, mails) = (using(Port::Tables), using(Port::Mail));
    if RESERVED.contains(&&*branch.name) || vendored::has_package(&branch.name) {
        return Err(GenerateError::Name(branch.name.to_string()));
    }
    let cited =
        |steps: &[&PlannedStep]| (!steps.is_empty()).then(|| lines.cite(steps.iter().copied()));
    let id = logical(&branch.name);
    // E-mails are claimed in the database.
    let asking: Vec<&PlannedStep> = tables.iter().chain(&mails).copied().collect();
    let (tables_reason, mail) = (cited(&asking), cited(&mails));
    let refreshed = !rates.is_empty();
    let uses = ServiceUses {
        id: &id,
        bucket: &bucket.id,
        store,
        tables: tables_reason,
        mail: mail.zip(sender_domain(plan)),
        rates: refreshed,
    };
    let statements = iam::of_branch(&uses);
    let one: Duration = steps
        .iter()
        .filter(|step| !step.effects.is_empty())
        .map(|step| step.timeout.unwrap_or(EFFECT_MAX))
        .sum();
    // The last message of a batch must not be left without time.
    let one = one.as_secs().max(1);
    let batch = ((FUNCTION_MAX - START_MAX) / one).clamp(1, BATCH_MAX);
    let timeout = FUNCTION_MAX.min(START_MAX + batch * one);
    let retries = steps.iter().filter(|step| !step.effects.is_empty()).map(|step| {
        // A message returns before the end of a long wait.
        let early = step.retry.whole_waits_ms().map(|wait| wait / VISIBILITY_MAX_MS).sum::<u64>();
        let deliveries = u64::from(step.retry.attempts) + early;
        if step.for_each.is_some() { *RECEIVES.end() } else { deliveries }
    });
    let receives = (RECEIVES.start() + retries.sum::<u64>()).min(*RECEIVES.end());
    let names: Vec<String> = steps.iter().map(|step| step.id.to_string()).collect();
    let database = !tables.is_empty() || !mails.is_empty();
    let mut resources = vec![bucket.resources(refreshed)];
    if database {
        resources.push(in_database(&secret_of(&id)));
    }
    if !mails.is_empty() {
        resources.push(MAIL.to_owned());
    }
    let trunk = [choreography.store, choreography.announce];
    Ok(BranchView {
        name: branch.name.to_string(),
        kinds: kinds(plan, branch.steps.iter().copied().chain(trunk))?,
        steps_text: names.join(", "),
        steps: names,
        timeout,
        visibility: timeout * VISIBILITY,
        batch,
        receives,
        role: role(plan.name(), &branch.name),
        database,
        rates,
        mail: !mails.is_empty(),
        resources: json_of(&resources),
        statements,
        calls: calls::of_branch(&steps, branch.last.is_some()),
        id,
    })
}

/// The handler that searches for lost orders.
const RECONCILE: &str = "reconcile";
const RECONCILE_ID: &str = "Reconcile";

/// The handler of SES's events.
const MAIL_EVENTS: &str = "mail-events";
const MAIL_EVENTS_ID: &str = "SesEvents";

/// The user of the command line.
const OPERATOR: &str = "operator";
const OPERATOR_ID: &str = "Operator";

/// The JSON member with the secret of the database's owner, who migrates the tables.
const OWNER_SECRET: &str = "\"owner_secret\":\"${DatabaseCluster.MasterUserSecret.SecretArn}\"";

/// The JSON members for sending e-mails.
const MAIL: &str = "\"configuration_set\":\"${MailConfigurationSet}\",\"mail_rate\":${MailRate}";

/// Maximum length of a name in PostgreSQL in bytes ("Identifiers and Key Words"). PostgreSQL
/// truncates longer names.
const NAME_MAX: usize = 63;

/// Returns the name of a handler's role in the database.
fn role(pipeline: &str, handler: &str) -> String {
    let name = format!("oms_{pipeline}_{handler}").replace(['-', '.'], "_");
    if name.len() <= NAME_MAX {
        return name;
    }
    let digest = Digest::of(name.as_bytes()).short();
    let kept: String = name.chars().take(NAME_MAX - 1 - digest.len()).collect();
    format!("{kept}_{digest}")
}

impl View {
    /// Returns the name of the bucket for orders in the pipeline.
    pub(crate) fn bucket(&self) -> &str {
        &self.bucket.name
    }
}

/// Returns the default of the maximum number of concurrent invocations of a branch.
fn concurrency(branches: usize, mail: bool) -> usize {
    let others = if mail { MAIL_EVENTS_CONCURRENCY } else { 0 };
    ((CONCURRENCY - others) / branches.max(1)).clamp(2, 5)
}

fn handlers_of(branches: &[BranchView]) -> Vec<dashboard::Handler<'_>> {
    let of = branches.iter().map(|branch| (&branch.name, &branch.id));
    of.map(|(name, id)| dashboard::Handler { name, id }).collect()
}

fn json_of(members: &[String]) -> String {
    format!("{{{}}}", members.join(","))
}

/// Returns the JSON members for the database and the secret that gives access to it.
fn in_database(secret: &str) -> String {
    let cluster = "\"cluster\":\"${DatabaseCluster.DBClusterArn}\"";
    format!("{cluster},\"secret\":\"{secret}\",\"database\":\"oms\"")
}

/// Returns the secret with the database credentials of a handler.
fn secret_of(id: &str) -> String {
    format!("${{{id}Secret}}")
}

/// Returns a JSON member that maps each handler to its resource.
fn each<'b>(branches: impl Iterator<Item = &'b BranchView>, name: &str, kind: &str) -> String {
    let of = |branch: &BranchView| format!("\"{}\":\"${{{}{kind}}}\"", branch.name, branch.id);
    let members: Vec<String> = branches.map(of).collect();
    format!("\"{name}\":{}", json_of(&members))
}

/// Returns the queues of the handlers in the form that `SqsQueue::of_handlers` reads: the URL of a
/// queue, and then the names of the queues. URLs of all queues would soon exceed the maximum size of
/// environment variables.
fn queues<'b>(branches: impl Iterator<Item = &'b BranchView>) -> String {
    let mut words = Vec::new();
    for BranchView { name, id, .. } in branches {
        if words.is_empty() {
            words.push(format!("${{{id}Queue}}"));
        }
        let [queue, letters] =
            ["Queue", "DeadLetters"].map(|kind| format!("${{{id}{kind}.QueueName}}"));
        words.push(format!("{name}={queue},{letters}"));
    }
    words.join(" ")
}

/// Returns the description of the stack for the command line.
fn stack(
    branches: &[BranchView],
    bucket: &Bucket,
    topic: &Topic,
    database: bool,
    mail: bool,
) -> String {
    let mut members = vec![
        bucket.resource(),
        format!("\"topics\":{{\"{}\":\"${{{}}}\"}}", topic.name, topic.id),
        format!("\"bucket_topics\":[\"{}\"]", topic.name),
        each(branches.iter(), "queues", "Queue"),
        each(branches.iter(), "dead_letters", "DeadLetters"),
    ];
    if database {
        members.push(in_database(&secret_of(OPERATOR_ID)));
        members.push(OWNER_SECRET.to_owned());
        members.push("\"reconcile_days\":${ReconcileDays}".to_owned());
        let roles = branches.iter().filter(|branch| branch.database);
        let roles = roles.map(|branch| (branch.name.as_str(), branch.id.as_str()));
        let roles: Vec<String> = roles
            .chain(mail.then_some((MAIL_EVENTS, MAIL_EVENTS_ID)))
            .chain([(RECONCILE, RECONCILE_ID), (OPERATOR, OPERATOR_ID)])
            .map(|(name, id)| format!("\"{name}\":\"{}\"", secret_of(id)))
            .collect();
        members.push(format!("\"roles\":{}", json_of(&roles)));
    }
    if mail {
        members.push(MAIL.to_owned());
    }
    json_of(&members)
}

/// Maximum number of characters of the stack's description. CloudFormation allows 1,024 bytes
/// ("Template description").
const DESCRIPTION_MAX: usize = 250;

/// Returns a text as a JSON string, truncated to the maximum length of a description.
fn quoted(text: &str) -> String {
    let short: String = text.chars().take(DESCRIPTION_MAX).collect();
    write_json(&Value::text(&short))
}

/// Converts a name into a logical id, such as `order-captured` into `OrderCaptured`.
fn logical(name: &str) -> String {
    let parts = name.split(|char: char| !char.is_ascii_alphanumeric());
    parts
        .flat_map(|part| {
            let mut chars = part.chars();
            chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars)
        })
        .collect()
}

/// The name of the bucket with the exchange rates in the handlers. A pipeline whose bucket has this
/// name is rejected, because both buckets would have the same logical id.
const RATES: &str = "rates";
const RATES_BUCKET: &str = "\"rates\":\"${RatesBucket}\"";

impl Bucket {
    /// Returns the mapping from the pipeline's name to the bucket.
    fn resource(&self) -> String {
        self.resources(false)
    }

    /// Returns the mapping, optionally with the bucket for exchange rates.
    fn resources(&self, rates: bool) -> String {
        let rates = if rates { format!(",{RATES_BUCKET}") } else { String::new() };
        format!("\"buckets\":{{\"{}\":\"${{{}}}\"{rates}}}", self.name, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logical_id_has_only_letters_and_digits() {
        assert_eq!(logical("order-captured"), "OrderCaptured");
        assert_eq!(logical("my.orders_2"), "MyOrders2");
    }

    #[test]
    fn postgresql_does_not_truncate_the_name_of_a_role() {
        assert_eq!(role("my-shop", "bill.now"), "oms_my_shop_bill_now");
        let (a, b) = (role(&"x".repeat(80), "a"), role(&"x".repeat(80), "b"));
        assert!(a.len() == NAME_MAX && b.len() == NAME_MAX && a != b, "{a} {b}");
    }
}
