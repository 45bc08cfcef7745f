//! The contract of every connection to the tables, checked on a real PostgreSQL server.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oms_engine::effects::{
    AnswerSlot, Call, Class, InsertResult, OutcomeUnknown, RunInfo, Tables as _, cause,
};
use oms_engine::money::Decimal;
use oms_engine::table::{Column, ColumnShape, TableDef};
use oms_engine::value::{DateFormat, Digest, Record, Value, parse_date, parse_timestamp};
use oms_sql::{
    Claim, Claims, Database, MigrateError, SqlTables, Statement, import, migrate, schema_changes,
};

use crate::contract_notes as notes;
use crate::contract_operator as operator;
use crate::contract_update as update;

/// Returns a call of a run's step, for tests of ports.
pub fn world(key: &str, step: &str, order: &str) -> Call {
    let info = RunInfo {
        pipeline: "tests".into(),
        key: key.into(),
        id: format!("run-{key}").into(),
        accepted_at: Timestamp::UNIX_EPOCH,
        body: Arc::from(order.as_bytes()),
        digest: Digest::of(order.as_bytes()),
        reduced: None,
    };
    Call {
        run: Arc::new(info),
        step: step.into(),
        element: None,
        attempt: 1,
        key: format!("{key}/{step}").into(),
        may_resend: false,
        outcome_unknown: OutcomeUnknown::default(),
        request_key: format!("{key}/{step}").into(),
        answer: AnswerSlot::default(),
        reads: Arc::default(),
        done_note: None,
    }
}

fn column(name: &str, text: &str) -> Column {
    let (shape, nullable) = ColumnShape::parse(text).unwrap();
    Column { name: name.into(), shape, nullable, pii: false, customer: false }
}

/// Returns a table with a column of every type.
pub(crate) fn table() -> Arc<TableDef> {
    let columns = vec![
        column("id", "text"),
        column("order", "integer"),
        column("amount", "decimal(19,4)"),
        column("rate", "decimal(28,12)?"),
        column("currency", "currency"),
        column("name", "text(5)?"),
        column("paid", "boolean"),
        column("day", "date"),
        column("at", "timestamp"),
    ];
    Arc::new(TableDef::new("every_type".into(), columns, vec![1, 0]))
}

pub(crate) fn row(table: &TableDef, id: &str, name: Option<&str>) -> Value {
    let decimal = |text: &str| Value::Decimal(Decimal::parse(text).unwrap());
    let by_name = |column: &Column| match column.name.as_ref() {
        "id" => Value::text(id),
        "order" => Value::Int(-9_007_199_254_740_993),
        "amount" => decimal("-123456789012345.6789"),
        "rate" => Value::Null,
        "currency" => Value::text("JPY"),
        "name" => name.map_or(Value::Null, Value::text),
        "paid" => Value::Bool(true),
        "day" => Value::Date(parse_date("2024-02-29", DateFormat::Iso).unwrap()),
        _ => Value::Timestamp(parse_timestamp("2024-02-29T23:59:59.007Z").unwrap()),
    };
    // The fields of a record are sorted by name.
    let mut columns: Vec<&Column> = table.columns.iter().collect();
    columns.sort_by(|a, b| a.name.cmp(&b.name));
    let fields = columns.into_iter().map(by_name).collect();
    Value::Record(Arc::new(Record::new(Arc::clone(&table.row), fields)))
}

/// Checks the whole contract on a database without tables.
pub async fn all(database: Arc<dyn Database>) {
    an_empty_database_returns_errors(&*database).await;
    tables_are_created_and_extended(&*database).await;
    rows_are_read_as_they_were_written(&database).await;
    a_row_belongs_to_its_run(&database).await;
    one_of_two_concurrent_inserts_is_new(&database).await;
    an_upsert_is_not_repeated(&database).await;
    values_that_do_not_fit_are_rejected(&database).await;
    update::an_update_changes_only_its_columns_and_is_not_repeated(&database).await;
    update::an_update_without_a_change_is_not_repeated_either(&database).await;
    update::concurrent_updates_lose_no_increment(&database).await;
    update::an_update_after_an_outdated_read_is_refused(&database).await;
    one_attempt_holds_the_claim(&database).await;
    notes::the_last_effect_and_its_note_are_one_statement(&database).await;
    notes::a_completed_order_stays_completed(&database).await;
    notes::attempts_are_kept_while_a_handler_waits(&database).await;
    notes::effects_have_time_slots(&database).await;
    operator::a_cancelled_order_stays_cancelled(&database).await;
    operator::only_old_notes_on_ended_orders_are_pruned(&database).await;
    operator::imported_rows_are_exported(&database).await;
    notes::a_role_has_its_latest_grants(&database).await;
}

async fn an_empty_database_returns_errors(database: &dyn Database) {
    let asked = database.run(&Statement::default().sql("select 1 from nowhere")).await;
    let error = asked.unwrap_err();
    assert_eq!((error.class(), error.cause()), (Class::Transient, cause::ENVIRONMENT));
    let two = database.run(&Statement::default().sql("select 1; select 2")).await;
    assert_eq!(two.unwrap_err().cause(), cause::REFUSED);
}

async fn tables_are_created_and_extended(database: &dyn Database) {
    let wanted = table();
    let mut columns = wanted.columns.clone();
    columns.remove(3);
    let less = TableDef::new(Arc::clone(&wanted.name), columns, wanted.key.clone());
    migrate(database, [&less].into_iter(), false).await.unwrap();
    for _ in 0..2 {
        migrate(database, [&*wanted].into_iter(), false).await.unwrap();
    }
    let differs = async |change: &dyn Fn(&mut Vec<Column>), key: Vec<usize>| {
        let mut columns = wanted.columns.clone();
        change(&mut columns);
        let other = TableDef::new(Arc::clone(&wanted.name), columns, key);
        match migrate(database, [&other].into_iter(), false).await {
            Err(MigrateError::Differs { difference, .. }) => difference,
            Err(MigrateError::Destructive(differences)) => differences.join("; "),
            other => panic!("{other:?}"),
        }
    };
    let shape = |text: &str| ColumnShape::parse(text).unwrap().0;
    assert_eq!(
        differs(&|columns| columns[2].shape = shape("decimal(19,2)"), vec![1, 0]).await,
        "`every_type`: `amount` is numeric(19,4) in the database and numeric(19,2) in the pipeline"
    );
    assert_eq!(
        differs(&|columns| columns[5].nullable = false, vec![1, 0]).await,
        "`every_type`: `name` may be null in the database"
    );
    assert_eq!(differs(&|_| {}, vec![0, 1]).await, "its primary key differs");
    assert_eq!(
        differs(&|columns| columns.push(column("more", "text")), vec![1, 0]).await,
        "`every_type`: the required column `more` is missing"
    );
    the_destructive_changes_are_made_on_request(database).await;
}

async fn the_destructive_changes_are_made_on_request(database: &dyn Database) {
    let def = |columns: &[(&str, &str)]| {
        let columns = columns.iter().map(|(name, shape)| column(name, shape)).collect();
        TableDef::new(Arc::from("changed"), columns, vec![0])
    };
    let old =
        def(&[("id", "text"), ("amount", "decimal(19,4)"), ("note", "text"), ("gone", "text")]);
    let new =
        def(&[("id", "text"), ("amount", "decimal(19,2)"), ("note", "text?"), ("more", "text")]);
    migrate(database, [&old].into_iter(), false).await.unwrap();
    let changes = schema_changes(database, [&new].into_iter()).await.unwrap();
    let statements: Vec<(String, bool)> = changes
        .iter()
        .map(|change| (change.statement.numbered(), change.destructive.is_some()))
        .collect();
    let expected = [
        (
            r#"alter table "changed" alter column "amount" type numeric(19,2) using cast("amount" as numeric(19,2))"#,
            true,
        ),
        (r#"alter table "changed" alter column "note" drop not null"#, false),
        (r#"alter table "changed" add column if not exists "more" text not null"#, true),
        (r#"alter table "changed" alter column "gone" drop not null"#, false),
    ];
    assert_eq!(statements, expected.map(|(sql, destructive)| (sql.to_owned(), destructive)));
    let refused = migrate(database, [&new].into_iter(), false).await;
    assert!(matches!(refused, Err(MigrateError::Destructive(why)) if why.len() == 2));
    migrate(database, [&new].into_iter(), true).await.unwrap();
    assert_eq!(schema_changes(database, [&new].into_iter()).await.unwrap(), []);
}

async fn rows_are_read_as_they_were_written(database: &Arc<dyn Database>) {
    let tables = SqlTables::new(Arc::clone(database));
    let table = table();
    let hostile = "'; $1 :p0 \"\\ ";
    for (id, name) in [("a", Some("häß\u{1f600}")), (hostile, None)] {
        let call = world(id, "bill", "order");
        let written = row(&table, id, name);
        tables.insert(&call, &table, written.clone()).await.unwrap();
        let key = vec![Value::Int(-9_007_199_254_740_993), Value::text(id)];
        let read = tables.get(&call, &table, key).await.unwrap();
        assert_eq!(read.map(|row| row.display()), Some(written.display()));
    }
    let none = vec![Value::Int(0), Value::text("a")];
    assert!(tables.get(&world("a", "x", "order"), &table, none).await.unwrap().is_none());
}

async fn a_row_belongs_to_its_run(database: &Arc<dyn Database>) {
    let tables = SqlTables::new(Arc::clone(database));
    let table = table();
    let call = world("mine", "bill", "order");
    let first = tables.insert(&call, &table, row(&table, "mine", Some("first"))).await;
    assert_eq!(first.unwrap(), InsertResult::New);
    // The order is the same, so the first row stays, even if the new values differ.
    let again = tables.insert(&call, &table, row(&table, "mine", Some("again"))).await;
    assert_eq!(again.unwrap(), InsertResult::Repeated);
    for call in [world("other", "bill", "order"), world("mine", "bill", "another order")] {
        let other = tables.insert(&call, &table, row(&table, "mine", None)).await.unwrap_err();
        assert_eq!((other.class(), other.cause()), (Class::Permanent, cause::CONFLICT));
    }
    import(&**database, &table, &[row(&table, "imported", None)], false).await.unwrap();
    import(&**database, &table, &[row(&table, "imported", Some("x"))], true).await.unwrap();
    let call = world("imported", "bill", "order");
    let over = tables.insert(&call, &table, row(&table, "imported", None)).await.unwrap_err();
    assert_eq!(over.cause(), cause::CONFLICT);
}

async fn one_of_two_concurrent_inserts_is_new(database: &Arc<dyn Database>) {
    let tables = SqlTables::new(Arc::clone(database));
    let table = table();
    for round in 0..20 {
        let id = format!("race-{round}");
        let same = world(&id, "bill", "order");
        let insert = || tables.insert(&same, &table, row(&table, &id, None));
        let (a, b) = tokio::join!(insert(), insert());
        let mut both = [a.unwrap(), b.unwrap()];
        both.sort_by_key(|inserted| *inserted == InsertResult::Repeated);
        assert_eq!(both, [InsertResult::New, InsertResult::Repeated], "{id}");

        let id = format!("clash-{round}");
        let (one, two) = (
            world(&format!("{id}-1"), "bill", "order"),
            world(&format!("{id}-2"), "bill", "order"),
        );
        let (a, b) = tokio::join!(
            tables.insert(&one, &table, row(&table, &id, None)),
            tables.insert(&two, &table, row(&table, &id, None))
        );
        assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1, "{id}");
    }
}

async fn an_upsert_is_not_repeated(database: &Arc<dyn Database>) {
    let tables = SqlTables::new(Arc::clone(database));
    let table = table();
    let (early, late) = (world("early", "note", "order"), world("late", "note", "order"));
    tables.upsert(&early, &table, row(&table, "note", Some("early"))).await.unwrap();
    tables.upsert(&late, &table, row(&table, "note", Some("late"))).await.unwrap();
    tables.upsert(&early, &table, row(&table, "note", Some("early"))).await.unwrap();
    let key = vec![Value::Int(-9_007_199_254_740_993), Value::text("note")];
    let read = tables.get(&early, &table, key).await.unwrap().unwrap();
    let name = read.as_record().and_then(|record| record.get("name").cloned());
    assert_eq!(name, Some(Value::text("late")));
}

async fn values_that_do_not_fit_are_rejected(database: &Arc<dyn Database>) {
    let tables = SqlTables::new(Arc::clone(database));
    let table = table();
    let call = world("large", "bill", "order");
    for name in ["longer than five", "nul\0"] {
        let refused = tables.insert(&call, &table, row(&table, "large", Some(name))).await;
        let error = refused.unwrap_err();
        assert_eq!((error.class(), error.cause()), (Class::Permanent, cause::OUT_OF_RANGE));
        assert!(!error.to_string().contains(name), "{error}");
    }
}

async fn one_attempt_holds_the_claim(database: &Arc<dyn Database>) {
    let claims = Claims::new(Arc::clone(database));
    let call = world("mail", "confirm", "order");
    let lease = Duration::from_secs(60);
    let claim = async |attempt: &str, lease: Duration, again: bool| {
        claims.claim(&call, attempt, lease, again).await.unwrap()
    };
    let (a, b) = tokio::join!(claim("a", lease, false), claim("b", lease, false));
    let (owner, other, busy) = if a == Claim::Mine { ("a", "b", b) } else { ("b", "a", a) };
    assert!([a, b].contains(&Claim::Mine) && matches!(busy, Claim::Busy(_)), "{a:?} {b:?}");
    // The result was lost, and the client repeats the claim.
    assert_eq!(claim(owner, lease, false).await, Claim::Mine);
    // An attempt without the claim changes nothing.
    claims.free(&call, other).await.unwrap();
    claims.done(&call, other, "x").await.unwrap();
    assert!(matches!(claim(other, lease, true).await, Claim::Busy(_)));
    // The attempt certainly had no effect, and releases the claim.
    claims.free(&call, owner).await.unwrap();
    assert_eq!(claim("c", Duration::ZERO, false).await, Claim::Mine);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(claim("d", lease, false).await, Claim::Unknown);
    assert_eq!(claim("d", lease, true).await, Claim::Mine);
    claims.done(&call, "d", "provider's id").await.unwrap();
    claims.free(&call, "d").await.unwrap();
    assert_eq!(claim("e", lease, true).await, Claim::Done);
}
