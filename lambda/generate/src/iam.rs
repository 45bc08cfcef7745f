//! What a handler may do: the least that the SDK calls need which its steps' effects come to.
//!
//! | call | actions | AWS's page |
//! | --- | --- | --- |
//! | `s3:PutObject` with `If-None-Match` | `s3:PutObject` | AmazonS3/latest/userguide/conditional-writes.html |
//! | `s3:HeadObject` | `s3:GetObject` | AmazonS3/latest/API/API_HeadObject.html |
//! | `s3:GetObject` of a version | `s3:GetObject`, `s3:GetObjectVersion` | AmazonS3/latest/API/API_GetObject.html |
//! | `rds-data:ExecuteStatement` | the same, and `secretsmanager:GetSecretValue` | AmazonRDS/latest/AuroraUserGuide/data-api.access.html |
//! | `ses:SendEmail` with raw content | `ses:SendEmail`, `ses:SendRawEmail` | ses/latest/dg/control-user-access.html |
//! | `s3:ListObjectsV2` | `s3:ListBucket` | AmazonS3/latest/API/API_ListObjectsV2.html |
//! | `sqs:SendMessage` | the same | service-authorization/latest/reference/list_amazonsqs.html |

use serde::Serialize;

/// The key of the object with the exchange rates.
pub(crate) const RATES_KEY: &str = "eurofxref-hist.csv";

/// A statement of a policy, and why it is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Statement {
    /// Its name.
    sid: String,
    /// What needs it: steps, with their lines in the pipeline.
    because: String,
    /// What may be done.
    actions: Vec<&'static str>,
    /// With what, as CloudFormation writes it.
    resources: Vec<String>,
}

impl Statement {
    fn new(
        sid: &str,
        because: &str,
        actions: &[&'static str],
        resources: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            sid: sid.to_owned(),
            because: because.to_owned(),
            actions: actions.to_vec(),
            resources: resources.into_iter().collect(),
        }
    }
}

fn objects(bucket: &str) -> [String; 1] {
    [format!("!Sub \"${{{bucket}.Arn}}/*\"")]
}

fn arn(id: &str) -> [String; 1] {
    [format!("!GetAtt {id}.Arn")]
}

/// Returns what the handler may do that takes orders in, which `store` needs.
pub(crate) fn of_intake(bucket: &str, store: &str, rates: bool) -> Vec<Statement> {
    let compare = format!("{store}: the digest of the order that has the key already");
    let mut statements = vec![
        Statement::new("Store", store, &["s3:PutObject"], objects(bucket)),
        Statement::new("CompareDigest", &compare, &["s3:GetObject"], objects(bucket)),
    ];
    if rates {
        let because = "the version that an order is accepted with";
        statements.push(Statement::new("FindRates", because, &["s3:GetObject"], rates_object()));
        statements.push(Statement::new(
            "MissRates",
            NONE_YET,
            &["s3:ListBucket"],
            arn("RatesBucket"),
        ));
    }
    statements.extend(of_every("Intake"));
    statements
}

/// Returns what API Gateway may do where it stores orders by itself, which `store` needs.
pub(crate) fn of_direct(bucket: &str, store: &str) -> Vec<Statement> {
    vec![Statement::new("Store", store, &["s3:PutObject"], objects(bucket))]
}

/// Returns what the handler may do that looks for lost orders; `branches` are the logical ids of the others.
pub(crate) fn of_reconcile<'b>(
    bucket: &str,
    branches: impl Iterator<Item = &'b str>,
) -> Vec<Statement> {
    let queues = branches.map(|id| format!("!GetAtt {id}Queue.Arn"));
    let mut statements = vec![
        Statement::new("ListOrders", "the stored orders", &["s3:ListBucket"], arn(bucket)),
        Statement::new("Tell", "whoever has no note on an order", &["sqs:SendMessage"], queues),
    ];
    statements.extend(in_database("Reconcile", "what the handlers noted"));
    statements.extend(of_every("Reconcile"));
    statements
}

/// The same for an order that was deleted.
const GONE: &str = "to be told that an order is gone";
/// Without it S3 answers that reading is not allowed, where there is nothing to read.
const NONE_YET: &str = "to be told that there are none yet";

/// Names the object with the exchange rates.
fn rates_object() -> [String; 1] {
    [format!("!Sub \"${{RatesBucket.Arn}}/{RATES_KEY}\"")]
}

/// Returns what the handler may do that brings exchange rates up to date.
pub(crate) fn of_refresh() -> Vec<Statement> {
    let read = &["s3:GetObject", "s3:GetObjectVersion"];
    let mut statements = vec![
        Statement::new("ReadRates", "the newest day that is known", read, rates_object()),
        Statement::new("MissRates", NONE_YET, &["s3:ListBucket"], arn("RatesBucket")),
        Statement::new("StoreRates", "the next version", &["s3:PutObject"], rates_object()),
    ];
    statements.extend(of_every("Refresh"));
    statements
}

/// What a branch's handler uses, and which steps do.
pub(crate) struct Uses<'a> {
    pub(crate) id: &'a str,
    pub(crate) bucket: &'a str,
    pub(crate) store: &'a str,
    pub(crate) tables: Option<String>,
    pub(crate) mail: Option<String>,
    /// Whether it works with rates that are brought up to date.
    pub(crate) rates: bool,
}

/// Returns what the handler of a branch may do.
pub(crate) fn of_branch(uses: &Uses<'_>) -> Vec<Statement> {
    let id = uses.id;
    let receive = &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
    let dead = "what can never succeed goes there with its reason";
    let read = &["s3:GetObject", "s3:GetObjectVersion"];
    let mut statements = vec![
        Statement::new("Queue", "its orders", receive, arn(&format!("{id}Queue"))),
        Statement::new("DeadLetters", dead, &["sqs:SendMessage"], arn(&format!("{id}DeadLetters"))),
        Statement::new("ReadOrder", uses.store, read, objects(uses.bucket)),
        Statement::new("MissOrder", GONE, &["s3:ListBucket"], arn(uses.bucket)),
    ];
    if uses.rates {
        let because = "the version that an order was accepted with";
        statements.push(Statement::new(
            "ReadRates",
            because,
            &["s3:GetObjectVersion"],
            rates_object(),
        ));
    }
    if let Some(because) = &uses.tables {
        statements.extend(in_database(id, because));
    }
    if let Some(because) = &uses.mail {
        let resources = ["identity/${SenderDomain}", "configuration-set/${MailConfigurationSet}"];
        let resources = resources.map(|resource| {
            format!("!Sub \"arn:${{AWS::Partition}}:ses:${{AWS::Region}}:${{AWS::AccountId}}:{resource}\"")
        });
        let send = &["ses:SendEmail", "ses:SendRawEmail"];
        statements.push(Statement::new("Mail", because, send, resources));
    }
    statements.extend(of_every(id));
    statements
}

/// Returns what whoever asks the database may do.
fn in_database(id: &str, because: &str) -> [Statement; 2] {
    let cluster = ["!GetAtt DatabaseCluster.DBClusterArn".to_owned()];
    let secret = [format!("!Ref {id}Secret")];
    let read = &["secretsmanager:GetSecretValue"];
    [
        Statement::new("Tables", because, &["rds-data:ExecuteStatement"], cluster),
        Statement::new("DatabaseSecret", because, read, secret),
    ]
}

/// Returns what every function may do.
fn of_every(id: &str) -> [Statement; 2] {
    let log = &["logs:CreateLogStream", "logs:PutLogEvents"];
    let trace = &["xray:PutTraceSegments", "xray:PutTelemetryRecords"];
    [
        Statement::new("Log", "its log", log, arn(&format!("{id}Log"))),
        Statement::new("Trace", "X-Ray knows no resources", trace, ["\"*\"".to_owned()]),
    ]
}
