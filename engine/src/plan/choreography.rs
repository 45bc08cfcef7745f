//! Divides a plan into parts that run without a central process. An intake stores the order. A
//! notification from the bucket starts the handlers, and each handler runs its branch independently
//! of the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use oms_core::diagnostic::{Code, Finding, Place, Route, codes};

use super::checked::{Plan, PlannedStep};
use super::{direct, webhooks};
use crate::pipeline::IntakeMode;
use crate::step::{Port, Verb};

/// Maximum size in bytes of an order that is received through API Gateway and AWS Lambda. A payload
/// has at most 6 MB ("Lambda quotas"), which includes the envelope that API Gateway adds.
pub const LAMBDA_BODY_MAX: usize = 5 << 20;

/// Maximum number of characters of the names of the pipeline and of the bucket together. The name of
/// a bucket in S3 has at most 63 characters ("General purpose bucket naming rules"). It also contains
/// the number of the account (12 characters), the region (at most 14, such as `ap-southeast-1`), and
/// three hyphens.
const BUCKET_NAME_MAX: usize = 63 - 12 - 14 - 3;

/// Maximum duration of all retries of a branch in milliseconds. SQS keeps a message for at most 14
/// days after it was sent ("Amazon SQS message quotas"). One of these days is for the attempts and
/// for deliveries without an attempt.
const RETRIES_MAX_MS: u64 = 13 * DAY_MS;
const DAY_MS: u64 = 86_400_000;

/// A plan divided into an intake, an announcement and branches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choreography {
    /// The step that stores the order as a whole.
    pub store: usize,
    /// The name of the bucket in the pipeline.
    pub bucket: Arc<str>,
    /// The key of the order's object, if it is the run's key with fixed text around it.
    pub object: Option<ObjectKey>,
    /// The step that announces the order.
    pub announce: usize,
    /// The name of the topic in the pipeline.
    pub topic: Arc<str>,
    /// The branches, which run independently after the announcement.
    pub branches: Vec<Branch>,
}

/// The key of an order's object: a run's key with fixed text around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectKey {
    /// The text before the run's key.
    pub before: String,
    /// The text after the run's key.
    pub after: String,
}

impl ObjectKey {
    /// Extracts the run's key from the key of an object. Returns `None` if the object's key has
    /// another form.
    pub fn run_key<'k>(&self, object: &'k str) -> Option<&'k str> {
        object.strip_prefix(&*self.before)?.strip_suffix(&*self.after)
    }
}

/// The steps of one handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// The handler's name.
    pub name: Arc<str>,
    /// The steps of the handler, and the steps of other branches that it refers to. Such steps have
    /// no effects and are computed in each branch.
    pub steps: BTreeSet<usize>,
    /// The step whose completion completes the branch, if it is known in advance: it writes a
    /// single row or sends a single e-mail, and all other steps come before it.
    pub last: Option<usize>,
}

/// Divides a plan into an intake, an announcement and branches.
///
/// # Errors
/// Returns all obstacles, with their places in the pipeline file.
pub fn choreography(plan: &Plan) -> Result<Choreography, Vec<Finding>> {
    let mut found = Vec::new();
    if plan.intake().is_none() {
        let place = Place::key(Route::root().key("steps"));
        let message = "the pipeline cannot receive orders on AWS: it has no `intake`";
        found.push(
            Finding::error(codes::LAMBDA_INTAKE, place, message)
                .help("add `intake: { path: \"/order/{key}\" }`".to_owned()),
        );
    }
    if plan.order().max_bytes() > LAMBDA_BODY_MAX {
        let place = Place::value(Route::root().key("order").key("max_bytes"));
        let message =
            format!("the maximum size of an order on AWS Lambda is {LAMBDA_BODY_MAX} bytes");
        let help = format!("write `max_bytes: {LAMBDA_BODY_MAX}` or less");
        found.push(Finding::error(codes::LAMBDA_LIMIT, place, message).help(help));
    }
    found.extend(plan.steps().iter().filter(|step| step.calls_service()).map(|step| {
        let place = Place::value(Route::root().key("steps").key(&step.id).key("uses"));
        let message = format!("the handlers cannot run `{}`, because they call no services", step.id);
        let help = "run the pipeline with `oms serve --target aws`, or make the call in a Lambda function of your own that subscribes to a topic";
        Finding::error(codes::LAMBDA_SERVICE, place, message).help(help.to_owned())
    }));
    webhooks::check_lambda(plan, &mut found);
    let direct = plan.intake().is_some_and(|intake| intake.mode == IntakeMode::Direct);
    let handled: BTreeSet<usize> =
        plan.handlers().iter().flat_map(|handler| handler.steps.iter().copied()).collect();
    let intake_steps = intake_steps(plan, &handled, &mut found);
    let object = intake_steps.and_then(|(store, _)| object_key(plan, store));
    if let Some((store, _)) = intake_steps {
        check_bucket_name(plan, store, &mut found);
    }
    if direct {
        direct::check(plan, intake_steps.map(|(store, _)| store), object.as_ref(), &mut found);
    }
    let branches: Vec<Branch> = plan
        .handlers()
        .iter()
        .map(|handler| branch(plan, &handler.name, &handler.steps, &handled, &mut found))
        .collect();
    for branch in &branches {
        check_retries(plan, branch, &mut found);
    }
    match intake_steps {
        Some((store, announce)) if found.is_empty() => {
            let bucket = resource(plan, store, Port::Objects);
            let topic = resource(plan, announce, Port::Topics);
            Ok(Choreography { store, bucket, object, announce, topic, branches })
        }
        _ => Err(found),
    }
}

/// Reports a bucket whose name in S3 could be too long.
fn check_bucket_name(plan: &Plan, store: usize, found: &mut Vec<Finding>) {
    let bucket = resource(plan, store, Port::Objects);
    let length = plan.name().len() + bucket.len();
    let Some(step) = plan.steps().get(store).filter(|_| length > BUCKET_NAME_MAX) else { return };
    let place = Place::value(Route::root().key("steps").key(&step.id).key("with").key("bucket"));
    let message = format!(
        "the names of the pipeline and of this bucket have {length} characters in total, but the name of an S3 bucket has room for only {BUCKET_NAME_MAX} of them"
    );
    let help = "shorten one of the names; AWS adds the account and the region".to_owned();
    found.push(Finding::error(codes::LAMBDA_LIMIT, place, message).help(help));
}

/// Reports a branch whose retries could take longer than SQS keeps the message of an order. The
/// waits of steps that do not need each other overlap.
fn check_retries(plan: &Plan, branch: &Branch, found: &mut Vec<Finding>) {
    let mut totals = BTreeMap::new();
    let waits = |step: &PlannedStep| -> u64 {
        if step.effects.is_empty() { 0 } else { step.retry.whole_waits_ms().sum() }
    };
    let total = branch.steps.iter().map(|step| longest_waits(plan, *step, &waits, &mut totals));
    if total.max().is_none_or(|total| total <= RETRIES_MAX_MS) {
        return;
    }
    let steps = branch.steps.iter().filter_map(|index| plan.steps().get(*index));
    let Some(step) = steps.max_by_key(|step| waits(step)) else { return };
    let place = Place::value(Route::root().key("steps").key(&step.id).key("retry"));
    let days = RETRIES_MAX_MS / DAY_MS;
    let message = format!(
        "the waits between the attempts of the handler `{}` can take more than {days} days, but SQS keeps the message of an order for only 14 days",
        branch.name
    );
    let help = format!(
        "use fewer `attempts` or a shorter `max_ms`, so that the waits take at most {days} days"
    );
    found.push(Finding::error(codes::LAMBDA_LIMIT, place, message).help(help));
}

/// Returns the longest total of the waits of a step and of steps that it needs, one after the other.
fn longest_waits(
    plan: &Plan,
    at: usize,
    waits: &dyn Fn(&PlannedStep) -> u64,
    totals: &mut BTreeMap<usize, u64>,
) -> u64 {
    if let Some(known) = totals.get(&at) {
        return *known;
    }
    let Some(step) = plan.steps().get(at) else { return 0 };
    let needs = step.needs.iter().map(|need| need.step).chain(step.catches.iter().copied());
    let before = needs.map(|need| longest_waits(plan, need, waits, totals));
    let total = before.max().unwrap_or(0) + waits(step);
    totals.insert(at, total);
    total
}

fn resource(plan: &Plan, step: usize, port: Port) -> Arc<str> {
    let mut effects = plan.steps().get(step).into_iter().flat_map(|step| &step.effects);
    let effect = effects.find(|effect| effect.port == port);
    effect.map_or_else(|| Arc::from(""), |effect| Arc::clone(&effect.resource))
}

fn object_key(plan: &Plan, store: usize) -> Option<ObjectKey> {
    let key = plan.steps().get(store)?.input.field("key")?;
    let (before, after) = key.text_around("run.key")?;
    Some(ObjectKey { before, after })
}

fn at(step: &PlannedStep) -> Place {
    Place::key(Route::root().key("steps").key(&step.id))
}

fn has_effect(step: &PlannedStep, port: Port, verb: Verb) -> bool {
    step.effects.iter().any(|effect| (effect.port, effect.verb) == (port, verb))
}

/// Returns whether a step stores the whole order under a key that is made only from the run's key.
fn stores_the_order(step: &PlannedStep) -> bool {
    let whole = step.input.field("body").is_some_and(|body| body.is_whole_order());
    let keyed = step.input.field("key").is_some_and(|key| key.reads().eq(["run.key"]));
    has_effect(step, Port::Objects, Verb::Put) && whole && keyed
}

fn is_unconditional(step: &PlannedStep) -> bool {
    step.when.is_none() && step.for_each.is_none() && step.caught_by.is_none()
}

/// Finds the two steps that the intake and the bucket's notification perform. All other steps must
/// belong to a handler.
fn intake_steps(
    plan: &Plan,
    handled: &BTreeSet<usize>,
    found: &mut Vec<Finding>,
) -> Option<(usize, usize)> {
    let free = || plan.steps().iter().enumerate().filter(|(index, _)| !handled.contains(index));
    let needs =
        |step: &PlannedStep| -> Vec<usize> { step.needs.iter().map(|need| need.step).collect() };
    let store = free().find(|(_, step)| {
        stores_the_order(step) && is_unconditional(step) && needs(step).is_empty()
    });
    let store = store.map(|(index, _)| index);
    let announce = free().find(|(_, step)| {
        let publishes = has_effect(step, Port::Topics, Verb::Publish);
        publishes && is_unconditional(step) && store.is_some_and(|store| needs(step) == [store])
    });
    let announce = announce.map(|(index, _)| index);
    for (_, step) in free().filter(|(index, _)| ![store, announce].contains(&Some(*index))) {
        let message = format!("neither a handler nor the intake runs `{}`", step.id);
        let help = "begin with an `object.put` (with `body: ${{ order }}`, a key made of `run.key`, and no `when`) and a `topic.publish` that needs it; \
                    list every other step in `handlers`";
        found.push(Finding::error(codes::LAMBDA_INTAKE, at(step), message).help(help.to_owned()));
    }
    if store.is_none() || announce.is_none() {
        let what = if store.is_none() { "stores the order" } else { "announces the order" };
        let message = format!("no step {what}, so no handler would receive it on AWS");
        let help =
            "begin with an `object.put` of `${{ order }}` and a `topic.publish` that needs it";
        found.push(
            Finding::error(codes::LAMBDA_INTAKE, Place::key(Route::root().key("steps")), message)
                .help(help.to_owned()),
        );
    }
    store.zip(announce)
}

/// Returns the positions of the steps whose outputs a step reads.
fn reads(step: &PlannedStep) -> BTreeSet<usize> {
    let when = step.when.iter().flat_map(|when| when.reads_steps().iter().copied());
    let each = step.for_each.iter().flat_map(|each| each.items.reads_steps().iter().copied());
    step.input.reads_steps().chain(when).chain(each).collect()
}

fn branch(
    plan: &Plan,
    name: &Arc<str>,
    own: &[usize],
    handled: &BTreeSet<usize>,
    found: &mut Vec<Finding>,
) -> Branch {
    let mut steps: BTreeSet<usize> = own.iter().copied().collect();
    let mut open: Vec<usize> = own.to_vec();
    while let Some(index) = open.pop() {
        let Some(step) = plan.steps().get(index) else { continue };
        let read = reads(step);
        let linked = step.needs.iter().map(|need| need.step);
        let linked = linked.chain(step.catches.iter().copied()).chain(step.caught_by);
        let linked: BTreeSet<usize> = linked.collect();
        for other_index in linked.union(&read).copied() {
            let Some(other) = plan.steps().get(other_index) else { continue };
            if steps.contains(&other_index) {
                continue;
            }
            let reads = read.contains(&other_index);
            let is_shared = other.effects.is_empty() && handled.contains(&other_index);
            match (handled.contains(&other_index), reads) {
                // The order is stored and announced before a handler runs.
                (false, false) => {}
                _ if is_shared && other.catches.is_empty() => {
                    steps.insert(other_index);
                    open.push(other_index);
                }
                (_, true) => {
                    let message =
                        format!("the output of `{}` is not available to `{}`", other.id, step.id);
                    let help = "compute the value from `order` and `run`, or put both steps into one handler; on AWS a handler receives only the order";
                    found.push(crossing_finding(
                        codes::LAMBDA_REFERENCE,
                        step,
                        other,
                        message,
                        help,
                    ));
                }
                (true, false) => {
                    let message = format!("`{}` waits for a step of another handler", step.id);
                    let help = "put both steps into one handler, or remove the dependency; on AWS handlers run independently";
                    found.push(crossing_finding(codes::LAMBDA_JOIN, step, other, message, help));
                }
            }
        }
    }
    let last = last_step(plan, &steps);
    Branch { name: Arc::clone(name), steps, last }
}

fn last_step(plan: &Plan, steps: &BTreeSet<usize>) -> Option<usize> {
    let needs =
        || steps.iter().filter_map(|index| plan.steps().get(*index)).flat_map(|step| &step.needs);
    // A step that also runs after another one failed does not show that the branch succeeded.
    if needs().any(|need| !need.allow.is_empty()) {
        return None;
    }
    let needed: BTreeSet<usize> = needs().map(|need| need.step).collect();
    let mut ends = steps.difference(&needed);
    let (Some(end), None) = (ends.next(), ends.next()) else { return None };
    let step = plan.steps().get(*end)?;
    let writes =
        [(Port::Tables, Verb::Insert), (Port::Tables, Verb::Upsert), (Port::Mail, Verb::Send)];
    let one = |effects: &[crate::step::Effect]| match effects {
        [effect] => writes.contains(&(effect.port, effect.verb)),
        _ => false,
    };
    let plain = step.for_each.is_none() && step.caught_by.is_none() && step.catches.is_empty();
    (plain && one(&step.effects)).then_some(*end)
}

fn crossing_finding(
    code: Code,
    step: &PlannedStep,
    other: &PlannedStep,
    message: String,
    help: &str,
) -> Finding {
    Finding::error(code, at(step), message)
        .related(at(other), "runs elsewhere")
        .help(help.to_owned())
}
