//! The contract that every connection must meet for updates of rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use oms_engine::effects::{
    Call, Class, InsertResult, Reads, RowChange, StepError, Tables as _, Update, cause,
};
use oms_engine::table::TableDef;
use oms_engine::value::{Record, Value};
use oms_sql::{Database, SqlTables};

use crate::contract::{row, table, world};

/// The key column of every row in these tests.
const ORDER: i64 = -9_007_199_254_740_993;
/// The position of the column `name`.
const NAME: usize = 5;

/// Returns a call of a plan with a step that updates the table.
fn call(key: &str, step: &str) -> Call {
    let contended: BTreeSet<Arc<str>> = BTreeSet::from([Arc::from("every_type")]);
    Call { reads: Arc::new(Reads::new(Arc::new(contended))), ..world(key, step, "order") }
}

fn name_of(row: &Value) -> Option<String> {
    row.as_record()?.get("name")?.as_text().map(|name| name.to_string())
}

/// Returns the row with another name and another value of `paid`, of which only the name is named in
/// the update.
fn renamed(row: &Value, name: &str) -> Value {
    let record = row.as_record().unwrap();
    let fields = record.ty().fields().iter().map(|field| match &*field.name {
        "name" => Value::text(name),
        "paid" => Value::Bool(false),
        other => record.get(other).cloned().unwrap(),
    });
    Value::Record(Arc::new(Record::new(Arc::clone(record.ty()), fields.collect())))
}

/// Returns the update that replaces the name, if the row exists.
fn update(id: &str, change: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Update {
    let change: RowChange = Arc::new(move |row| {
        let Some(row) = row else { return Ok(None) };
        Ok(change(&name_of(row).unwrap_or_default()).map(|name| renamed(row, &name)))
    });
    let key = vec![Value::Int(ORDER), Value::text(id)];
    Update { key, columns: Arc::from([NAME]), change }
}

async fn read(tables: &SqlTables, table: &Arc<TableDef>, id: &str) -> Option<Value> {
    let key = vec![Value::Int(ORDER), Value::text(id)];
    tables.get(&world("reader", "read", "order"), table, key).await.unwrap()
}

pub(crate) async fn an_update_changes_only_its_columns_and_is_not_repeated(
    database: &Arc<dyn Database>,
) {
    let (tables, table) = (SqlTables::new(Arc::clone(database)), table());
    let owner = call("updated", "bill");
    tables.insert(&owner, &table, row(&table, "updated", Some("a"))).await.unwrap();
    let first = call("first", "add");
    let add = |more: &'static str| update("updated", move |name| Some(format!("{name}{more}")));
    assert!(tables.update(&first, &table, add("b")).await.unwrap());
    assert!(tables.update(&call("second", "add"), &table, add("c")).await.unwrap());
    // The step is repeated, for example because the answer was lost.
    assert!(tables.update(&call("first", "add"), &table, add("b")).await.unwrap());
    let changed = read(&tables, &table, "updated").await.unwrap();
    assert_eq!(name_of(&changed).as_deref(), Some("abc"));
    // A column that the update does not name keeps its value.
    assert_eq!(changed.as_record().unwrap().get("paid"), Some(&Value::Bool(true)));
    // The row still belongs to the run that inserted it.
    let again = tables.insert(&owner, &table, row(&table, "updated", Some("a"))).await;
    assert_eq!(again.unwrap(), InsertResult::Repeated);
}

pub(crate) async fn an_update_without_a_change_is_not_repeated_either(
    database: &Arc<dyn Database>,
) {
    let (tables, table) = (SqlTables::new(Arc::clone(database)), table());
    let skips = || update("absent", |name| (name == "x").then(|| "y".to_owned()));
    assert!(!tables.update(&call("early", "set"), &table, skips()).await.unwrap());
    let refused: RowChange = Arc::new(|row| {
        assert!(row.is_none());
        Err(StepError::permanent(cause::NO_ROW, "no row"))
    });
    let refused = Update { change: refused, ..skips() };
    let error = tables.update(&call("strict", "set"), &table, refused).await.unwrap_err();
    assert_eq!((error.class(), error.cause()), (Class::Permanent, cause::NO_ROW));
    let owner = call("absent", "bill");
    tables.insert(&owner, &table, row(&table, "absent", Some("x"))).await.unwrap();
    assert!(!tables.update(&call("early", "set"), &table, skips()).await.unwrap());
    assert!(tables.update(&call("late", "set"), &table, skips()).await.unwrap());
    // A failed attempt is not noted, so that a retry can succeed.
    let again = update("absent", |name| Some(format!("{name}!")));
    assert!(tables.update(&call("strict", "set"), &table, again).await.unwrap());
    let changed = read(&tables, &table, "absent").await.unwrap();
    assert_eq!(name_of(&changed).as_deref(), Some("y!"));
    // A value that does not fit its column.
    let long = update("absent", |_| Some("longer than five".to_owned()));
    let error = tables.update(&call("long", "set"), &table, long).await.unwrap_err();
    assert_eq!((error.class(), error.cause()), (Class::Permanent, cause::OUT_OF_RANGE));
}

/// Each increment is made twice at the same time, as by two invocations of a handler.
pub(crate) async fn concurrent_updates_lose_no_increment(database: &Arc<dyn Database>) {
    let (tables, table) = (SqlTables::new(Arc::clone(database)), table());
    tables
        .insert(&call("counter", "bill"), &table, row(&table, "counter", Some("0")))
        .await
        .unwrap();
    let calls: Vec<Call> =
        (0..60).map(|at| call(&format!("increment-{}", at / 2), "count")).collect();
    let increments = calls.iter().map(|call| {
        let next =
            update("counter", |name| name.parse::<u32>().ok().map(|count| (count + 1).to_string()));
        tables.update(call, &table, next)
    });
    for changed in futures_util::future::join_all(increments).await {
        assert!(changed.unwrap());
    }
    let counted = read(&tables, &table, "counter").await.unwrap();
    assert_eq!(name_of(&counted).as_deref(), Some("30"));
}

/// The update is part of a stretch that has read another row, which has changed since then.
pub(crate) async fn an_update_after_an_outdated_read_is_refused(database: &Arc<dyn Database>) {
    let (tables, table) = (SqlTables::new(Arc::clone(database)), table());
    for id in ["read-first", "changed-later"] {
        tables.insert(&call(id, "bill"), &table, row(&table, id, Some("a"))).await.unwrap();
    }
    let stretch = call("stretch", "set");
    let key = vec![Value::Int(ORDER), Value::text("read-first")];
    tables.get(&stretch, &table, key).await.unwrap();
    let b = |id: &str| update(id, |_| Some("b".to_owned()));
    tables.update(&call("other", "set"), &table, b("read-first")).await.unwrap();
    let error = tables.update(&stretch, &table, b("changed-later")).await.unwrap_err();
    assert_eq!((error.class(), error.cause()), (Class::Transient, cause::CONTENTION));
    assert!(stretch.reads.is_rejected());
    let kept = read(&tables, &table, "changed-later").await.unwrap();
    assert_eq!(name_of(&kept).as_deref(), Some("a"));
    // The stretch is executed again.
    let again = call("stretch", "set");
    assert!(tables.update(&again, &table, b("changed-later")).await.unwrap());
}
