//! The contract that every connection must meet for what an operator does: cancel, prune, erase,
//! import and export.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use oms_clock::SystemClock;
use oms_engine::effects::{Branches as _, Clock as _, DoneNote, RunState};
use oms_engine::value::Value;
use oms_sql::{
    CancelResult, CancelledOrder, Database, NoteFilter, SqlBranches, Statement, cancel, export,
    import, notes, prune,
};

use crate::contract::{row, table, world};

fn note(key: &str, handler: &str) -> DoneNote {
    DoneNote { handler: handler.into(), object: format!("{key}.json").into() }
}

async fn state_of(database: &Arc<dyn Database>, key: &str) -> Vec<(String, RunState)> {
    let filter = NoteFilter { key: Some(key), limit: 9, ..NoteFilter::default() };
    let found = notes(&**database, "tests", 2, filter).await.unwrap();
    found.into_iter().map(|note| (note.handler, note.state)).collect()
}

/// A parked order is cancelled in all handlers that are not done with it, and stays so.
pub(crate) async fn a_cancelled_order_stays_cancelled(database: &Arc<dyn Database>) {
    let branches = SqlBranches::new(Arc::clone(database));
    let now = SystemClock.now();
    let minute = Duration::from_secs(60);
    let old = now - SignedDuration::from_secs(120);
    let cancel = async |key: &str, accepted_at: Timestamp| {
        let object = format!("{key}.json");
        let order = CancelledOrder { key, object: &object, accepted_at };
        cancel(&**database, "tests", &["bill", "mail", "ship"], order, minute).await.unwrap()
    };
    assert_eq!(cancel("unknown", old).await, CancelResult::NotOpen);
    let call = world("ended", "bill", "order");
    branches.done(&call.run, &note("ended", "bill")).await.unwrap();
    assert_eq!(cancel("ended", old).await, CancelResult::NotOpen);

    let call = world("ends", "bill", "order");
    branches.done(&call.run, &note("ends", "bill")).await.unwrap();
    let (mail, earlier) = (note("ends", "mail"), note("ends", "a-handler-of-an-earlier-build"));
    let park = |note| branches.parked("tests", "ends", note, "no_row", "no row");
    assert!(park(&mail).await.unwrap() && park(&earlier).await.unwrap());
    assert_eq!(cancel("ends", now).await, CancelResult::TooYoung);
    assert_eq!(cancel("ends", old).await, CancelResult::Cancelled);
    let expected = [
        ("a-handler-of-an-earlier-build".to_owned(), RunState::Cancelled),
        ("bill".to_owned(), RunState::Completed),
        ("mail".to_owned(), RunState::Cancelled),
        ("ship".to_owned(), RunState::Cancelled),
    ];
    assert_eq!(state_of(database, "ends").await, expected);
    assert_eq!(cancel("ends", old).await, CancelResult::NotOpen);
    // An attempt that was in progress cannot change this, unless it was the last one.
    assert!(!park(&mail).await.unwrap());
    assert!(!branches.waiting("tests", "ends", &mail, ("busy", "busy"), "[]").await.unwrap());
    assert_eq!(state_of(database, "ends").await, expected);
    let noted = branches.noted("tests", &mail).await.unwrap().unwrap();
    assert_eq!((noted.state, noted.attempts), (RunState::Cancelled, None));
    let count = async |state| {
        let filter =
            NoteFilter { key: Some("ends"), state: Some(state), limit: 9, ..NoteFilter::default() };
        notes(&**database, "tests", 3, filter).await.unwrap().len()
    };
    let (cancelled, open) = (RunState::Cancelled, RunState::InProgress);
    assert_eq!((count(cancelled).await, count(open).await), (4, 0));
    branches.done(&call.run, &mail).await.unwrap();
    assert_eq!(branches.noted("tests", &mail).await.unwrap().unwrap().state, RunState::Completed);
}

/// Only the notes on orders that ended before the instant are deleted.
pub(crate) async fn only_old_notes_on_ended_orders_are_pruned(database: &Arc<dyn Database>) {
    let branches = SqlBranches::new(Arc::clone(database));
    database.run(&Statement::default().sql("delete from oms_branches")).await.unwrap();
    let many = "insert into oms_branches (pipeline, handler, object, key, run, state) \
                select 'tests', h, n || '.json', 'old-' || n, 'run-' || n, 'completed' \
                from generate_series(1, 1200) n, unnest(array['bill', 'mail']) h";
    database.run(&Statement::default().sql(many)).await.unwrap();
    let kept = ["new", "parked", "waiting"];
    for key in kept {
        branches.done(&world(key, "bill", "order").run, &note(key, "bill")).await.unwrap();
    }
    let why = ("no_row", "no row");
    branches.parked("tests", "parked", &note("parked", "mail"), why.0, why.1).await.unwrap();
    branches.waiting("tests", "waiting", &note("waiting", "mail"), why, "[]").await.unwrap();
    let age = "update oms_branches set at = now() - interval '20 days' where key <> 'new'";
    database.run(&Statement::default().sql(age)).await.unwrap();
    let before = SystemClock.now() - SignedDuration::from_hours(24 * 19);
    assert_eq!(prune(&**database, "tests", before).await.unwrap(), 1_200);
    let left = Statement::default().sql("select distinct key from oms_branches order by 1");
    let left: Vec<_> = database.run(&left).await.unwrap().into_iter().flatten().flatten().collect();
    assert_eq!(left, kept);
    assert_eq!(prune(&**database, "tests", before).await.unwrap(), 0);
}

/// An export returns all rows in the order of their keys, whatever their number and size.
pub(crate) async fn imported_rows_are_exported(database: &Arc<dyn Database>) {
    let table = table();
    database.run(&Statement::default().sql("delete from every_type")).await.unwrap();
    // A page of these rows exceeds the maximum size of a response of the RDS Data API.
    let key = |number: usize| format!("k{number:04}{}", "x".repeat(2_400));
    let mut rows: Vec<Value> = (0..1_700).map(|at| row(&table, &key(at), None)).collect();
    rows.push(row(&table, &key(7), Some("last")));
    for contended in [false, true] {
        import(&**database, &table, &rows, contended).await.unwrap();
    }
    let mut exported = Vec::new();
    let each = |found: &Value| {
        exported.push(found.display());
        Ok::<_, oms_engine::effects::StepError>(())
    };
    export(&**database, &table, each).await.unwrap();
    rows[7] = rows.pop().unwrap();
    let expected: Vec<String> = rows.iter().map(Value::display).collect();
    assert_eq!(exported.len(), expected.len());
    assert!(exported == expected);
    let version = "select cast(max(version) as text) from oms_versions where item like '%k0009%'";
    let version = database.run(&Statement::default().sql(version)).await.unwrap();
    assert_eq!(version, [[Some("1".to_owned())]]);
    // The rows before the one that is rejected are imported.
    database.run(&Statement::default().sql("delete from every_type")).await.unwrap();
    rows[900] = row(&table, &key(900), Some("NUL\0"));
    let failed = import(&**database, &table, &rows, false).await.unwrap_err();
    assert_eq!(failed.imported, 900);
    let count = Statement::default().sql("select cast(count(*) as text) from every_type");
    assert_eq!(database.run(&count).await.unwrap(), [[Some("900".to_owned())]]);
}
