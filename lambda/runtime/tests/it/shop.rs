//! A storefront: bucket, dead letters and sender on the emulator, tables with customers on a
//! PostgreSQL server.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, ConfigLoader, Region};
use aws_sdk_s3::config::Credentials;
use jiff::Timestamp;
use oms_aws::{Cluster, DataApi, S3Objects, SesMailer, Session, SqsQueue};
use oms_engine::effects::{Clock as _, Mailer, Orders, Queue};
use oms_engine::plan::{Choreography, Plan, read_rows};
use oms_lambda::{BranchHandler, Bundle, IntakeHandler, SystemClock, World};
use oms_sql::{Claims, Database, SqlBranches, SqlTables, Statement, import, migrate};
use oms_test_servers::{Emulator, Server, Settings, find};

const CLUSTER: &str = "arn:aws:rds:us-east-1:000000000000:cluster:oms";
const SECRET: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:oms";

pub(crate) struct Shop {
    pub(crate) emulator: Emulator,
    pub(crate) api: oms_test_servers::DataApi,
    _server: Server,
    pub(crate) plan: (Arc<Plan>, Choreography),
    pub(crate) database: Arc<dyn Database>,
    session: Session,
    pub(crate) s3: aws_sdk_s3::Client,
    dead_letters: String,
}

pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().and_then(Path::parent).unwrap()
}

/// Returns a shipped pipeline with all its files, like the bundle of a generated handler.
pub(crate) fn bundle(name: &str) -> Bundle {
    let mut files: Vec<(&'static str, &'static [u8])> = Vec::new();
    let pipelines = root().join("pipelines");
    let mut folders = vec![pipelines.join(name), root().join("templates/email")];
    let mut paths = vec![pipelines.join(format!("{name}.yaml"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { paths.push(path) }
        }
    }
    for path in paths {
        let shown = match path.strip_prefix(&pipelines) {
            Ok(inside) => inside.to_owned(),
            Err(_) => PathBuf::from("..").join(path.strip_prefix(root()).unwrap()),
        };
        let shown: &'static str = shown.to_string_lossy().into_owned().leak();
        files.push((shown, std::fs::read(path).unwrap().leak()));
    }
    Bundle {
        pipeline: format!("{name}.yaml").leak(),
        files: files.leak(),
        rates: &[],
        contended: &[],
        kinds: oms_steps::ALL,
    }
}

fn loader(endpoint: String) -> ConfigLoader {
    let credentials = Credentials::new("test", "test", None, None, "tests");
    aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials)
}

impl Shop {
    /// Opens a shop, or returns `None` if a required program is not installed.
    pub(crate) async fn open() -> Option<Self> {
        let programs = find()?;
        let emulator = Emulator::start(&[])?;
        let server = Server::start(&programs);
        let secrets = BTreeMap::from([(SECRET.to_owned(), None)]);
        let settings = Settings { address: server.address(), cluster: CLUSTER.to_owned(), secrets };
        let api = oms_test_servers::DataApi::listen(settings, 0).await.unwrap();
        let cluster = Cluster {
            cluster: CLUSTER.to_owned(),
            secret: SECRET.to_owned(),
            database: "postgres".to_owned(),
            resume_max: Duration::from_secs(5),
        };
        let database = Session::of(loader(api.endpoint())).await;
        let database: Arc<dyn Database> = Arc::new(DataApi::new(&database, cluster));
        let plan = bundle("storefront").plan().unwrap();
        migrate(&*database, plan.0.tables().iter().map(AsRef::as_ref), false).await.unwrap();
        let customers = root().join("pipelines/storefront/customers.ndjson");
        let table = plan.0.tables().iter().find(|table| &*table.name == "customer_contact_info");
        let text = std::fs::read_to_string(customers).unwrap();
        let rows = read_rows(table.unwrap(), &text).unwrap();
        import(&*database, table.unwrap(), &rows, false).await.unwrap();
        let session = Session::of(loader(emulator.endpoint())).await;
        let config = loader(emulator.endpoint()).load().await;
        let path_style = aws_sdk_s3::config::Builder::from(&config).force_path_style(true);
        let s3 = aws_sdk_s3::Client::from_conf(path_style.build());
        s3.create_bucket().bucket("shop-orders").send().await.unwrap();
        let queue = aws_sdk_sqs::Client::new(&config);
        let queue = queue.create_queue().queue_name("dead").send().await.unwrap();
        let mail = aws_sdk_sesv2::Client::new(&config);
        mail.create_email_identity().email_identity("example.com").send().await.unwrap();
        let dead_letters = queue.queue_url.unwrap();
        Some(Self { emulator, api, _server: server, plan, database, session, s3, dead_letters })
    }

    pub(crate) fn objects(&self) -> Arc<S3Objects> {
        let buckets = BTreeMap::from([("orders".to_owned(), "shop-orders".to_owned())]);
        Arc::new(S3Objects::new(&self.session, buckets))
    }

    pub(crate) fn intake(&self) -> IntakeHandler {
        IntakeHandler::new(&self.plan, self.objects())
    }

    pub(crate) fn mailer(&self) -> Arc<dyn Mailer> {
        let claims = Claims::new(Arc::clone(&self.database)).limited_to(NonZeroU32::new(100));
        Arc::new(SesMailer::new(&self.session, claims, None, SystemClock))
    }

    pub(crate) fn branch(&self, name: &str) -> BranchHandler {
        self.branch_of(name, self.objects())
    }

    /// Returns the handler of a branch that reads its orders from `orders`.
    pub(crate) fn branch_of(&self, name: &str, orders: Arc<dyn Orders>) -> BranchHandler {
        self.handler(name, &self.plan, orders, self.world())
    }

    /// Returns the services of a handler.
    pub(crate) fn world(&self) -> World {
        World {
            tables: Some(Arc::new(SqlTables::new(Arc::clone(&self.database)))),
            mail: Some(self.mailer()),
            branches: Some(Arc::new(SqlBranches::new(Arc::clone(&self.database)))),
            ..World::default()
        }
    }

    /// Returns the handler of a branch of a plan.
    pub(crate) fn handler(
        &self,
        name: &str,
        plan: &(Arc<Plan>, Choreography),
        orders: Arc<dyn Orders>,
        world: World,
    ) -> BranchHandler {
        let dead = SqsQueue::new(&self.session, self.dead_letters.clone());
        BranchHandler::new(name, plan, orders, world, Arc::new(dead)).unwrap()
    }

    /// Receives a dead letter. Returns its body and its cause.
    pub(crate) async fn dead_letter(&self) -> Option<(String, String)> {
        let config = loader(self.emulator.endpoint()).load().await;
        let queue = aws_sdk_sqs::Client::new(&config);
        let received = queue
            .receive_message()
            .queue_url(&self.dead_letters)
            .message_attribute_names("All")
            .send()
            .await
            .unwrap();
        let message = received.messages?.into_iter().next()?;
        let cause = message.message_attributes?.remove("cause")?.string_value?;
        Some((message.body?, cause))
    }

    /// Creates or finds a queue. Returns the queue and its URL.
    pub(crate) async fn queue(&self, name: &str) -> (Arc<dyn Queue>, String) {
        let config = loader(self.emulator.endpoint()).load().await;
        let client = aws_sdk_sqs::Client::new(&config);
        let url = client.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap();
        (Arc::new(SqsQueue::new(&self.session, url.clone())), url)
    }

    /// Receives a message from a queue.
    pub(crate) async fn take(&self, url: &str) -> Option<String> {
        let config = loader(self.emulator.endpoint()).load().await;
        let client = aws_sdk_sqs::Client::new(&config);
        let received = client.receive_message().queue_url(url).send().await.unwrap();
        received.messages?.into_iter().next()?.body
    }

    /// Runs a query and returns its rows as texts.
    pub(crate) async fn ask(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.database.run(&Statement::default().sql(sql)).await.unwrap()
    }

    /// Returns the number of sent e-mails.
    pub(crate) fn mails(&self) -> usize {
        let sent =
            |call: &serde_json::Value| call["action"] == "ses:SendEmail" && call["status"] == 200;
        self.emulator.calls().iter().filter(|call| sent(call)).count()
    }
}

/// Returns a deadline that no test reaches.
pub(crate) fn distant_deadline() -> Timestamp {
    SystemClock.now() + Duration::from_secs(60)
}

/// Returns a sample order of the storefront: its key and its bytes.
pub(crate) fn order() -> (String, Vec<u8>) {
    let folder = root().join("pipelines/storefront/samples");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let body = std::fs::read(&paths[0]).unwrap();
    let order: serde_json::Value = serde_json::from_slice(&body).unwrap();
    (order["order_id"].as_str().unwrap().to_owned(), body)
}
