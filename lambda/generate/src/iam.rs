//! The permissions of each handler and of the operator: the minimum for the SDK calls that the
//! effects of the steps and the commands of `oms` make.
//!
//! | call | actions | AWS documentation |
//! | --- | --- | --- |
//! | `s3:PutObject` with `If-None-Match` | `s3:PutObject` | AmazonS3/latest/userguide/conditional-writes.html |
//! | `s3:HeadObject` | `s3:GetObject` | AmazonS3/latest/API/API_HeadObject.html |
//! | `s3:GetObject` of a version | `s3:GetObject`, `s3:GetObjectVersion` | AmazonS3/latest/API/API_GetObject.html |
//! | `rds-data:ExecuteStatement` | the same, and `secretsmanager:GetSecretValue` | AmazonRDS/latest/AuroraUserGuide/data-api.access.html |
//! | `ses:SendEmail` with raw content | `ses:SendEmail`, `ses:SendRawEmail` | ses/latest/dg/control-user-access.html |
//! | `s3:ListObjectsV2` | `s3:ListBucket` | AmazonS3/latest/API/API_ListObjectsV2.html |
//! | `sqs:SendMessage`, `sqs:ReceiveMessage`, `sqs:DeleteMessage` | the same | service-authorization/latest/reference/list_amazonsqs.html |
//! | `sqs:ChangeMessageVisibilityBatch` | `sqs:ChangeMessageVisibility` | service-authorization/latest/reference/list_amazonsqs.html |
//! | `s3:ListObjectVersions` | `s3:ListBucketVersions` | AmazonS3/latest/API/API_ListObjectVersions.html |
//! | `s3:DeleteObject` of a version | `s3:DeleteObjectVersion` | AmazonS3/latest/API/API_DeleteObject.html |

use serde::Serialize;

/// The key of the object with the exchange rates.
pub(crate) const RATES_KEY: &str = "eurofxref-hist.csv";

/// A statement of a policy, and its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Statement {
    /// The statement id.
    sid: String,
    /// The reason: the steps that need it, with their lines in the pipeline.
    reason: String,
    /// The allowed actions.
    actions: Vec<&'static str>,
    /// The resources, in the syntax of CloudFormation.
    resources: Vec<String>,
    /// The condition of the template under which the statement exists. Such a statement has one
    /// resource, which may be a list of ARNs.
    condition: Option<&'static str>,
}

impl Statement {
    fn new(
        sid: &str,
        reason: &str,
        actions: &[&'static str],
        resources: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            sid: sid.to_owned(),
            reason: reason.to_owned(),
            actions: actions.to_vec(),
            resources: resources.into_iter().collect(),
            condition: None,
        }
    }
}

/// The parameter with the ARNs of recipients, and the condition that it is set.
const RECIPIENTS: &str = "!Ref SandboxRecipients";
const HAS_RECIPIENTS: &str = "HasSandboxRecipients";

fn objects(bucket: &str) -> [String; 1] {
    [format!("!Sub \"${{{bucket}.Arn}}/*\"")]
}

fn arn(id: &str) -> [String; 1] {
    [format!("!GetAtt {id}.Arn")]
}

/// Returns the permissions of the intake handler. `store` cites the step that stores the order.
pub(crate) fn of_intake(bucket: &str, store: &str, rates: bool) -> Vec<Statement> {
    let compare = format!("{store}: read the digest of a stored order with the same key");
    let mut statements = vec![
        Statement::new("Store", store, &["s3:PutObject"], objects(bucket)),
        Statement::new("CompareDigest", &compare, &["s3:GetObject"], objects(bucket)),
    ];
    if rates {
        let reason = "find the version of the exchange rates for a new order";
        statements.push(Statement::new("FindRates", reason, &["s3:GetObject"], rates_object()));
        statements.push(Statement::new(
            "MissRates",
            MISSING_RATES,
            &["s3:ListBucket"],
            arn("RatesBucket"),
        ));
    }
    statements.extend(of_every("Intake"));
    statements
}

/// Returns the permissions of API Gateway if it stores orders without a handler. `store` cites the
/// step that stores the order.
pub(crate) fn of_direct(bucket: &str, store: &str) -> Vec<Statement> {
    vec![Statement::new("Store", store, &["s3:PutObject"], objects(bucket))]
}

/// Returns the permissions of the handler that searches for lost orders. `branches` are the logical
/// ids of the branches.
pub(crate) fn of_reconcile<'b>(
    bucket: &str,
    branches: impl Iterator<Item = &'b str>,
) -> Vec<Statement> {
    let branches: Vec<&str> = branches.collect();
    let queues = branches.iter().map(|id| format!("!GetAtt {id}Queue.Arn"));
    let letters = branches.iter().map(|id| format!("!GetAtt {id}DeadLetters.Arn"));
    let note = &[
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:ChangeMessageVisibility",
        "sqs:SendMessage",
    ];
    let mut statements = vec![
        Statement::new("ListOrders", "list the stored orders", &["s3:ListBucket"], arn(bucket)),
        Statement::new(
            "SendOrders",
            "send lost orders to their handlers",
            &["sqs:SendMessage"],
            queues,
        ),
        Statement::new("DeadLetters", "note orders that SQS itself gave up on", note, letters),
    ];
    statements.extend(in_database("Reconcile", "read and write notes on orders"));
    statements.extend(of_every("Reconcile"));
    statements
}

/// Returns the permissions of the operator, who uses the command line. `noting` and `branches` are
/// the logical ids of the branches that write notes, and of all branches.
pub(crate) fn of_operator<'b>(
    bucket: &str,
    noting: impl Iterator<Item = &'b str>,
    branches: impl Iterator<Item = &'b str>,
) -> Vec<Statement> {
    let queues = noting.map(|id| format!("!GetAtt {id}Queue.Arn"));
    let letters = branches.map(|id| format!("!GetAtt {id}DeadLetters.Arn"));
    let examine = &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"];
    let send = "send retried orders to their handlers";
    let erase = &["s3:GetObject", "s3:PutObject", "s3:DeleteObjectVersion"];
    let list = &["s3:ListBucket", "s3:ListBucketVersions"];
    let mut statements = vec![
        Statement::new("SendOrders", send, &["sqs:SendMessage"], queues),
        Statement::new("DeadLetters", "delete the dead letters of orders", examine, letters),
        Statement::new("ListOrders", "find the orders of a customer", list, arn(bucket)),
        Statement::new("EraseOrders", "erase the orders of a customer", erase, objects(bucket)),
    ];
    statements.extend(in_database("Operator", "read and change notes, claims and rows"));
    statements
}

/// Returns the permissions of the handler of SES's events.
pub(crate) fn of_mail_events(id: &str) -> Vec<Statement> {
    let receive = &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
    let queue = arn(&format!("{id}Queue"));
    let mut statements = vec![Statement::new("Queue", "receive events of SES", receive, queue)];
    statements.extend(in_database(id, "settle claims, and note bounces and complaints"));
    statements.extend(of_every(id));
    statements
}

/// Reasons for `s3:ListBucket`. Without this permission, S3 answers a request for a missing object
/// with 403 instead of 404.
const DELETED_ORDER: &str = "get 404 instead of 403 for a deleted order";
const MISSING_RATES: &str = "get 404 instead of 403 before the first version exists";

/// Returns the resource of the object with the exchange rates.
fn rates_object() -> [String; 1] {
    [format!("!Sub \"${{RatesBucket.Arn}}/{RATES_KEY}\"")]
}

/// Returns the permissions of the handler that updates exchange rates.
pub(crate) fn of_refresh() -> Vec<Statement> {
    let read = &["s3:GetObject", "s3:GetObjectVersion"];
    let mut statements = vec![
        Statement::new("ReadRates", "read the newest stored day", read, rates_object()),
        Statement::new("MissRates", MISSING_RATES, &["s3:ListBucket"], arn("RatesBucket")),
        Statement::new("StoreRates", "store the next version", &["s3:PutObject"], rates_object()),
    ];
    statements.extend(of_every("Refresh"));
    statements
}

/// The services that a branch's handler uses, with the steps that use them.
pub(crate) struct ServiceUses<'a> {
    pub(crate) id: &'a str,
    pub(crate) bucket: &'a str,
    pub(crate) store: &'a str,
    pub(crate) tables: Option<String>,
    /// The reason for sending e-mails, and the domain of the sender.
    pub(crate) mail: Option<(String, String)>,
    /// Whether it uses exchange rates that are updated.
    pub(crate) rates: bool,
}

/// Returns the permissions of the handler of a branch.
pub(crate) fn of_branch(uses: &ServiceUses<'_>) -> Vec<Statement> {
    let id = uses.id;
    let receive = &[
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ChangeMessageVisibility",
    ];
    let dead = "store orders that cannot succeed, with the reason";
    let read = &["s3:GetObject", "s3:GetObjectVersion"];
    let mut statements = vec![
        Statement::new("Queue", "receive orders", receive, arn(&format!("{id}Queue"))),
        Statement::new("DeadLetters", dead, &["sqs:SendMessage"], arn(&format!("{id}DeadLetters"))),
        Statement::new("ReadOrder", uses.store, read, objects(uses.bucket)),
        Statement::new("MissOrder", DELETED_ORDER, &["s3:ListBucket"], arn(uses.bucket)),
    ];
    if uses.rates {
        let reason = "read the exchange rates that applied when an order was accepted";
        statements.push(Statement::new(
            "ReadRates",
            reason,
            &["s3:GetObjectVersion"],
            rates_object(),
        ));
    }
    if let Some(reason) = &uses.tables {
        statements.extend(in_database(id, reason));
    }
    if let Some((reason, domain)) = &uses.mail {
        let identity = format!("identity/{domain}");
        let resources = [identity.as_str(), "configuration-set/${MailConfigurationSet}"];
        let resources = resources.map(|resource| {
            format!("!Sub \"arn:${{AWS::Partition}}:ses:${{AWS::Region}}:${{AWS::AccountId}}:{resource}\"")
        });
        let send = &["ses:SendEmail", "ses:SendRawEmail"];
        statements.push(Statement::new("Mail", reason, send, resources));
        let reason = "in the sandbox, SES also checks the identities of recipients";
        let recipients = Statement::new("Recipients", reason, send, [RECIPIENTS.to_owned()]);
        statements.push(Statement { condition: Some(HAS_RECIPIENTS), ..recipients });
    }
    statements.extend(of_every(id));
    statements
}

/// Returns the permissions for access to the database.
fn in_database(id: &str, reason: &str) -> [Statement; 2] {
    let cluster = ["!GetAtt DatabaseCluster.DBClusterArn".to_owned()];
    let secret = [format!("!Ref {id}Secret")];
    let read = &["secretsmanager:GetSecretValue"];
    [
        Statement::new("Tables", reason, &["rds-data:ExecuteStatement"], cluster),
        Statement::new("DatabaseSecret", reason, read, secret),
    ]
}

/// Returns the permissions that every function has.
fn of_every(id: &str) -> [Statement; 2] {
    let log = &["logs:CreateLogStream", "logs:PutLogEvents"];
    let trace = &["xray:PutTraceSegments", "xray:PutTelemetryRecords"];
    [
        Statement::new("Log", "write the log", log, arn(&format!("{id}Log"))),
        Statement::new(
            "Trace",
            "X-Ray does not support resource-level permissions",
            trace,
            ["\"*\"".to_owned()],
        ),
    ]
}
