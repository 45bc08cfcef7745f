//! What a plan needs on AWS, as the templates of the files read it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use oms_engine::diagnostic::{Place, Route};
use oms_engine::document;
use oms_engine::pipeline::IntakeMode;
use oms_engine::plan::{Branch, Choreography, Plan, PlannedStep};
use oms_engine::step::{Port, Verb};
use oms_engine::value::{Digest, Value, write_json};
use serde::Serialize;

use crate::embed::{Bundles, Whole};
use crate::iam::{self, RATES_KEY, Statement, Uses};
use crate::intake::Intake;
use crate::{GenerateError, Origin};

/// Orders that a handler is given at once.
const BATCH: u64 = 10;
/// How long an effect may take for which the pipeline says nothing.
const EFFECT_MAX: Duration = Duration::from_secs(10);
/// How long a function may take at the most ("Lambda quotas").
const FUNCTION_MAX: u64 = 900;
/// What the start of a function takes, with a database that resumes.
const START_MAX: u64 = 20;
/// By how much a message's visibility has to be longer than the function's time-out ("Configuring scalability for an SQS event source").
const VISIBILITY: u64 = 6;

/// Everything that the files say.
#[derive(Debug, Serialize)]
pub(crate) struct View {
    pub(crate) pipeline: String,
    description: String,
    /// Name and description as a text in double quotes, which JSON and YAML write alike.
    summary: String,
    /// The pipeline file.
    pub(crate) file: String,
    regenerate: String,
    pub(crate) intake: Intake,
    bucket: Bucket,
    topic: Topic,
    mail: Option<Mail>,
    database: bool,
    pub(crate) reconcile: Option<Reconcile>,
    pub(crate) rates: Option<Rates>,
    /// What the command line is told about the stack, with CloudFormation's places in it.
    resources: String,
    /// The types of the kinds of the steps that take orders in.
    pub(crate) kinds: BTreeSet<String>,
    /// Whether there are events to try the handlers with.
    events: bool,
    /// Tables that no step writes to, so that somebody has to load them.
    loaded: Vec<String>,
    /// Tables that steps of any handler read and write.
    contended: Vec<String>,
    pub(crate) branches: Vec<BranchView>,
    crates: Vec<Crate>,
}

#[derive(Debug, Serialize)]
struct Bucket {
    name: String,
    /// The logical id.
    id: String,
    /// Its ARN, as `!Sub` fills it in.
    arn: String,
}

#[derive(Debug, Serialize)]
struct Topic {
    name: String,
    /// The logical id.
    id: String,
    /// What the logical ids around it begin with.
    base: String,
}

#[derive(Debug, Serialize)]
struct Mail {
    /// The sender's domain.
    domain: String,
}

/// The search for lost orders.
#[derive(Debug, Serialize)]
pub(crate) struct Reconcile {
    /// The role in the database.
    pub(crate) role: String,
    /// What the pipeline's names stand for, with CloudFormation's places in it.
    resources: String,
    statements: Vec<Statement>,
}

/// Exchange rates that are brought up to date.
#[derive(Debug, Serialize)]
pub(crate) struct Rates {
    /// The name that handlers know the bucket by.
    bucket: &'static str,
    key: &'static str,
    /// What the name stands for, with CloudFormation's places in it.
    resources: String,
    statements: Vec<Statement>,
}

/// A handler of a branch.
#[derive(Debug, Serialize)]
pub(crate) struct BranchView {
    pub(crate) name: String,
    /// The types of the kinds of its steps, and of those that take orders in.
    pub(crate) kinds: BTreeSet<String>,
    id: String,
    steps: Vec<String>,
    steps_text: String,
    /// Seconds.
    timeout: u64,
    /// Seconds.
    visibility: u64,
    /// The role in the database.
    pub(crate) role: String,
    pub(crate) database: bool,
    /// Which of its files have exchange rates that are brought up to date.
    pub(crate) rates: Vec<String>,
    pub(crate) mail: bool,
    /// What the pipeline's names stand for, with CloudFormation's places in it.
    resources: String,
    statements: Vec<Statement>,
    calls: Vec<Calls>,
}

/// Calls of AWS for one order.
#[derive(Debug, Serialize)]
struct Calls {
    call: &'static str,
    count: u32,
    #[serde(rename = "for")]
    because: String,
}

#[derive(Debug, Serialize)]
struct Crate {
    name: &'static str,
    /// How the manifest says where it is.
    source: String,
}

/// Names that a handler cannot have: the intake's, and those whose logical ids the template has for something else.
const RESERVED: [&str; 9] =
    ["alarm", "api", "architecture", "intake", "mail", "pipeline", "rates", "reconcile", "refresh"];

/// The crates that handlers are linked with, and where they lie in the workspace.
const CRATES: [(&str, &str); 4] = [
    ("oms-aws", "adapters/aws"),
    ("oms-lambda", "lambda/runtime"),
    ("oms-sql", "adapters/sql"),
    ("oms-steps", "steps"),
];

pub(crate) fn view(
    whole: &Whole<'_>,
    bundles: &Bundles,
    origin: &Origin,
) -> Result<View, GenerateError> {
    let Whole { plan, choreography, .. } = *whole;
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
                true => whole.rates(bundles.get(Some(&branch.name))),
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
    let domain = plan.mail().and_then(|mail| mail.from.domain().ok());
    Ok(View {
        pipeline: plan.name().to_string(),
        description: plan.description().unwrap_or_default().to_owned(),
        summary: quoted(&format!("{}: {}", plan.name(), plan.description().unwrap_or_default())),
        file: origin.pipeline.clone(),
        regenerate: origin.regenerate.clone(),
        intake: Intake::of(
            plan,
            choreography,
            &bucket.id,
            json_of(&[bucket.resources(refresh)]),
            &store,
            refresh,
        ),
        mail: domain.filter(|_| mail).map(|domain| Mail { domain }),
        database,
        reconcile: database.then(|| Reconcile {
            role: role(plan.name(), RECONCILE),
            resources: json_of(&[
                bucket.resource(),
                in_database(&secret_of(RECONCILE_ID)),
                each(branches.iter().filter(|branch| branch.database), "queues", "Queue"),
            ]),
            statements: iam::of_reconcile(
                &bucket.id,
                branches.iter().filter(|branch| branch.database).map(|branch| branch.id.as_str()),
            ),
        }),
        rates: refresh.then(|| Rates {
            bucket: RATES,
            key: RATES_KEY,
            resources: format!("{{\"buckets\":{{{RATES_BUCKET}}}}}"),
            statements: iam::of_refresh(),
        }),
        resources: stack(&branches, &bucket, database, mail),
        loaded: loaded(plan),
        contended: plan.contended_tables().iter().map(ToString::to_string).collect(),
        kinds: kinds(plan, trunk)?,
        events: origin.sample.is_some(),
        bucket,
        topic,
        branches,
        crates: CRATES
            .map(|(name, folder)| {
                let source = match &origin.crates {
                    Some(path) => format!("path = \"{path}/{folder}\""),
                    None => format!("version = \"{}\"", env!("CARGO_PKG_VERSION")),
                };
                Crate { name, source }
            })
            .into(),
    })
}

/// Returns the tables that steps read and none writes to.
fn loaded(plan: &Plan) -> Vec<String> {
    let effects = || plan.steps().iter().flat_map(|step| &step.effects);
    let tables = || effects().filter(|effect| effect.port == Port::Tables);
    let written: BTreeSet<&str> = tables()
        .filter(|effect| effect.verb != Verb::Get)
        .map(|effect| &*effect.resource)
        .collect();
    let read: BTreeSet<&str> = tables().map(|effect| &*effect.resource).collect();
    read.difference(&written).map(|name| (*name).to_owned()).collect()
}

/// Returns the types of `oms-steps` that the kinds of steps are: `money.convert` is `MoneyConvert`.
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
    for (port, name) in [
        (Port::Objects, "objects"),
        (Port::Topics, "topics"),
        (Port::Custom, "a service of its own"),
    ] {
        if let Some(step) = using(port).first() {
            let (step, kind) = (step.id.to_string(), step.kind);
            return Err(GenerateError::Service { step, kind, port: name });
        }
    }
    let (tables, mails) = (using(Port::Tables), using(Port::Mail));
    if RESERVED.contains(&&*branch.name) {
        return Err(GenerateError::Name(branch.name.to_string()));
    }
    let cited =
        |steps: &[&PlannedStep]| (!steps.is_empty()).then(|| lines.cite(steps.iter().copied()));
    let id = logical(&branch.name);
    // A mail is claimed in the database.
    let asking: Vec<&PlannedStep> = tables.iter().chain(&mails).copied().collect();
    let (tables_because, mail) = (cited(&asking), cited(&mails));
    let refreshed = !rates.is_empty();
    let uses =
        Uses { id: &id, bucket: &bucket.id, store, tables: tables_because, mail, rates: refreshed };
    let statements = iam::of_branch(&uses);
    let mut calls = vec![Calls { call: "s3:GetObject", count: 1, because: "the order".to_owned() }];
    for step in &steps {
        let because = format!("steps.{}", step.id);
        for effect in &step.effects {
            match effect.port {
                Port::Tables => {
                    let call = "rds-data:ExecuteStatement";
                    calls.push(Calls { call, count: 1, because: because.clone() });
                }
                Port::Mail => {
                    let claim = format!("{because}: claimed, and marked as sent");
                    calls.push(Calls {
                        call: "rds-data:ExecuteStatement",
                        count: 2,
                        because: claim,
                    });
                    calls.push(Calls { call: "ses:SendEmail", count: 1, because: because.clone() });
                }
                Port::Objects | Port::Topics | Port::Custom => {}
            }
        }
    }
    if !asking.is_empty() && branch.last.is_none() {
        let (call, because) = ("rds-data:ExecuteStatement", "the note that it is done".to_owned());
        calls.push(Calls { call, count: 1, because });
    }
    let one: Duration = steps
        .iter()
        .filter(|step| !step.effects.is_empty())
        .map(|step| step.timeout.unwrap_or(EFFECT_MAX))
        .sum();
    let timeout = FUNCTION_MAX.min(START_MAX + BATCH * one.as_secs());
    let names: Vec<String> = steps.iter().map(|step| step.id.to_string()).collect();
    let database = !tables.is_empty() || !mails.is_empty();
    let mut resources = vec![bucket.resources(refreshed)];
    if database {
        resources.push(in_database(&secret_of(&id)));
    }
    if !mails.is_empty() {
        resources.push(CONFIGURATION_SET.to_owned());
    }
    let trunk = [choreography.store, choreography.announce];
    Ok(BranchView {
        name: branch.name.to_string(),
        kinds: kinds(plan, branch.steps.iter().copied().chain(trunk))?,
        steps_text: names.join(", "),
        steps: names,
        timeout,
        visibility: timeout * VISIBILITY,
        role: role(plan.name(), &branch.name),
        database,
        rates,
        mail: !mails.is_empty(),
        resources: json_of(&resources),
        statements,
        calls,
        id,
    })
}

/// The handler that looks for lost orders.
const RECONCILE: &str = "reconcile";
const RECONCILE_ID: &str = "Reconcile";

const CONFIGURATION_SET: &str = "\"configuration_set\":\"${MailConfigurationSet}\"";

/// Bytes of a name in PostgreSQL at the most ("Identifiers and Key Words"); what is longer would be cut off.
const NAME_MAX: usize = 63;

/// Names a handler's role in the database.
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
    /// Returns the pipeline's name of the bucket with the orders.
    pub(crate) fn bucket(&self) -> &str {
        &self.bucket.name
    }
}

fn json_of(members: &[String]) -> String {
    format!("{{{}}}", members.join(","))
}

/// Says where the database is, and which secret opens it.
fn in_database(secret: &str) -> String {
    let cluster = "\"cluster\":\"${DatabaseCluster.DBClusterArn}\"";
    format!("{cluster},\"secret\":\"{secret}\",\"database\":\"oms\"")
}

/// Names the secret with a handler's role in the database.
fn secret_of(id: &str) -> String {
    format!("${{{id}Secret}}")
}

/// Says which resource of each handler is which.
fn each<'b>(branches: impl Iterator<Item = &'b BranchView>, name: &str, kind: &str) -> String {
    let of = |branch: &BranchView| format!("\"{}\":\"${{{}{kind}}}\"", branch.name, branch.id);
    let members: Vec<String> = branches.map(of).collect();
    format!("\"{name}\":{}", json_of(&members))
}

/// Says what is what on AWS, for the command line.
fn stack(branches: &[BranchView], bucket: &Bucket, database: bool, mail: bool) -> String {
    let mut members = vec![
        bucket.resource(),
        each(branches.iter(), "queues", "Queue"),
        each(branches.iter(), "dead_letters", "DeadLetters"),
    ];
    if database {
        members.push(in_database("${DatabaseCluster.MasterUserSecret.SecretArn}"));
        let roles = branches.iter().filter(|branch| branch.database);
        let roles = roles.map(|branch| (branch.name.as_str(), branch.id.as_str()));
        let roles: Vec<String> = roles
            .chain([(RECONCILE, RECONCILE_ID)])
            .map(|(name, id)| format!("\"{name}\":\"{}\"", secret_of(id)))
            .collect();
        members.push(format!("\"roles\":{}", json_of(&roles)));
    }
    if mail {
        members.push(CONFIGURATION_SET.to_owned());
    }
    json_of(&members)
}

/// Characters of a stack's description at the most ("Template description", AWS CloudFormation); it may say 1,024 bytes.
const DESCRIPTION_MAX: usize = 250;

/// Quotes a text as JSON does, shortened to what a description may have.
fn quoted(text: &str) -> String {
    let short: String = text.chars().take(DESCRIPTION_MAX).collect();
    write_json(&Value::text(&short))
}

/// Makes a logical id of a name: `order-captured` to `OrderCaptured`.
fn logical(name: &str) -> String {
    let parts = name.split(|char: char| !char.is_ascii_alphanumeric());
    parts
        .flat_map(|part| {
            let mut chars = part.chars();
            chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars)
        })
        .collect()
}

/// The name that handlers know the bucket with the exchange rates by; a bucket of the pipeline cannot have it.
const RATES: &str = "rates";
const RATES_BUCKET: &str = "\"rates\":\"${RatesBucket}\"";

impl Bucket {
    /// Says which bucket the pipeline's name stands for.
    fn resource(&self) -> String {
        self.resources(false)
    }

    /// Says it with the bucket of the exchange rates beside it.
    fn resources(&self, rates: bool) -> String {
        let rates = if rates { format!(",{RATES_BUCKET}") } else { String::new() };
        format!("\"buckets\":{{\"{}\":\"${{{}}}\"{rates}}}", self.name, self.id)
    }
}

/// Where steps stand in the pipeline file.
struct Lines {
    file: String,
    document: Option<document::Document>,
    text: Arc<str>,
}

impl Lines {
    fn of(plan: &Plan, pipeline: &str) -> Self {
        let bytes = plan.files().get(pipeline).cloned().unwrap_or_default();
        let document = document::parse(&Arc::from(pipeline), &bytes).ok();
        let text = Arc::from(String::from_utf8_lossy(&bytes).as_ref());
        Self { file: pipeline.to_owned(), document, text }
    }

    /// Names steps with their lines, such as `steps.bill (storefront.yaml:60)`.
    fn cite<'p>(&self, steps: impl IntoIterator<Item = &'p PlannedStep>) -> String {
        let cited: BTreeSet<(usize, String)> = steps
            .into_iter()
            .map(|step| {
                let place = Place::key(Route::root().key("steps").key(&step.id));
                let begin =
                    self.document.as_ref().map_or(0, |document| document.span(&place).start);
                let before = self.text.get(..begin).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                (line, format!("steps.{} ({}:{line})", step.id, self.file))
            })
            .collect();
        cited.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logical_id_has_letters_and_digits_only() {
        assert_eq!(logical("order-captured"), "OrderCaptured");
        assert_eq!(logical("my.orders_2"), "MyOrders2");
    }

    #[test]
    fn a_role_has_a_name_that_postgresql_keeps_whole() {
        assert_eq!(role("my-shop", "bill.now"), "oms_my_shop_bill_now");
        let (a, b) = (role(&"x".repeat(80), "a"), role(&"x".repeat(80), "b"));
        assert!(a.len() == NAME_MAX && b.len() == NAME_MAX && a != b, "{a} {b}");
    }
}
