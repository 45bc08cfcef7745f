//! The contract that every connection must meet for handlers' notes and roles.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use oms_engine::effects::{Branches as _, Call, DoneNote, MissingNote, RunState, Tables as _};
use oms_engine::table::TableDef;
use oms_sql::{
    Claim, Claims, Database, Grants, NoteFilter, SqlBranches, SqlTables, Statement, notes, set_role,
};

use crate::contract::{row, table, world};

fn call_with_note(key: &str, handler: &str) -> Call {
    let mark = DoneNote { handler: handler.into(), object: format!("{key}.json").into() };
    Call { done_note: Some(Arc::new(mark)), ..world(key, "last", "order") }
}

async fn has_note(database: &Arc<dyn Database>, key: &str, handler: &str) -> bool {
    let branches = SqlBranches::new(Arc::clone(database));
    let object = format!("{key}.json");
    branches.missing("tests", &[handler], &[&object]).await.unwrap().is_empty()
}

/// The note is written by the last statement of a handler, and by no other.
pub(crate) async fn the_last_effect_and_its_note_are_one_statement(database: &Arc<dyn Database>) {
    let tables = SqlTables::new(Arc::clone(database));
    let table: Arc<TableDef> = table();
    let call = call_with_note("noted", "bill");
    assert!(!has_note(database, "noted", "bill").await);
    tables.insert(&call, &table, row(&table, "noted", None)).await.unwrap();
    assert!(has_note(database, "noted", "bill").await);
    assert!(!has_note(database, "noted", "other").await);
    // A conflict with another run's row does not mean that the handler is done.
    let other = call_with_note("in-the-way", "bill");
    tables.insert(&other, &table, row(&table, "noted", None)).await.unwrap_err();
    assert!(!has_note(database, "in-the-way", "bill").await);
    // If the note was lost or the handler was changed, repeating the insert writes the note.
    tables
        .insert(&call_with_note("noted", "later"), &table, row(&table, "noted", None))
        .await
        .unwrap();
    assert!(has_note(database, "noted", "later").await);

    tables.upsert(&call_with_note("put", "bill"), &table, row(&table, "put", None)).await.unwrap();
    assert!(has_note(database, "put", "bill").await);

    let claims = Claims::new(Arc::clone(database));
    let call = call_with_note("sent", "mail");
    let claim = claims.claim(&call, "a", Duration::from_secs(60), false).await.unwrap();
    assert_eq!((claim, has_note(database, "sent", "mail").await), (Claim::Mine, false));
    claims.done(&call, "a", "id").await.unwrap();
    assert!(has_note(database, "sent", "mail").await);
    let again = claims.claim(&call, "b", Duration::from_secs(60), true).await.unwrap();
    assert_eq!(again, Claim::Done);
    // An attempt ended without a result, and a user confirmed that the e-mail was sent.
    let call = call_with_note("found", "mail");
    claims.claim(&call, "a", Duration::ZERO, false).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let unknown = claims.claim(&call, "b", Duration::ZERO, false).await.unwrap();
    assert_eq!((unknown, has_note(database, "found", "mail").await), (Claim::Unknown, false));
    assert!(claims.mark_done(&call.run.id, &["another"]).await.unwrap());
    let unknown = claims.claim(&call, "c", Duration::ZERO, false).await.unwrap();
    assert_eq!(unknown, Claim::Unknown, "another step was marked as done");
    assert!(claims.mark_done(&call.run.id, &["last"]).await.unwrap());
    let done = claims.claim(&call, "c", Duration::from_secs(60), false).await.unwrap();
    assert_eq!((done, has_note(database, "found", "mail").await), (Claim::Done, true));
    // A claim with a valid lease is not marked as done.
    let call = call_with_note("live", "mail");
    claims.claim(&call, "a", Duration::from_secs(60), false).await.unwrap();
    assert!(!claims.mark_done(&call.run.id, &["last"]).await.unwrap());
    let busy = claims.claim(&call, "b", Duration::from_secs(60), false).await.unwrap();
    assert!(matches!(busy, Claim::Busy(left) if left > Duration::from_secs(50)), "{busy:?}");
}

/// All processes together do not exceed the rate, and each effect keeps its time slot.
pub(crate) async fn effects_have_time_slots(database: &Arc<dyn Database>) {
    let claims = Claims::new(Arc::clone(database)).limited_to(NonZeroU32::new(1));
    let lease = Duration::from_secs(60);
    let mut slots = Vec::new();
    for number in 0..30 {
        let call = world(&format!("slot-{number}"), "last", "order");
        slots.push(claims.claim(&call, "a", lease, false).await.unwrap());
    }
    let at = |claim: &Claim| match claim {
        Claim::Mine => 0,
        Claim::Later(wait) => wait.as_millis(),
        other => panic!("{other:?}"),
    };
    assert_eq!(slots[0], Claim::Mine);
    assert!(matches!(slots[29], Claim::Later(_)), "{slots:?}");
    for (number, slot) in (0..).zip(&slots) {
        assert!(at(slot) <= 1_000 * number, "{slots:?}");
    }
    // Another attempt neither reserves a second slot nor loses the first one.
    let call = world("slot-29", "last", "order");
    let again = claims.claim(&call, "b", lease, false).await.unwrap();
    assert!(matches!(again, Claim::Later(_)) && at(&again) <= at(&slots[29]), "{again:?}");
    let next = claims.claim(&world("slot-30", "last", "order"), "a", lease, false).await.unwrap();
    assert!(at(&next) > 1_000 && at(&next) <= 30_000, "{next:?}");
    // At its time, the effect is claimed.
    let now = "update oms_claims set slot_at = now() where step = 'last' and slot_at > now()";
    database.run(&Statement::default().sql(now)).await.unwrap();
    let due = claims.claim(&call, "c", lease, false).await.unwrap();
    assert_eq!(due, Claim::Mine);
    // An attempt that had no effect takes a new slot.
    claims.free(&call, "c").await.unwrap();
    let later = claims.claim(&call, "d", lease, false).await.unwrap();
    assert!(matches!(later, Claim::Later(_)), "{later:?}");
    // After a change of the rate, an effect does not keep a distant slot.
    let distant = "update oms_claims set slot_at = now() + interval '1 hour' where state = 'free'";
    database.run(&Statement::default().sql(distant)).await.unwrap();
    let faster = Claims::new(Arc::clone(database)).limited_to(NonZeroU32::new(1_000));
    let sooner = faster.claim(&call, "e", lease, false).await.unwrap();
    assert!(at(&sooner) < 1_000, "{sooner:?}");
}

/// A waiting handler keeps its attempts until it is done with the order or parks it.
pub(crate) async fn attempts_are_kept_while_a_handler_waits(database: &Arc<dyn Database>) {
    let branches = SqlBranches::new(Arc::clone(database));
    let call = call_with_note("waits", "mail");
    let note = call.done_note.clone().unwrap();
    let attempts =
        async || branches.noted("tests", &note).await.unwrap().and_then(|noted| noted.attempts);
    assert_eq!(attempts().await, None);
    let wait = async |text: &'static str| {
        branches.waiting("tests", "waits", &note, ("unavailable", "busy"), text).await.unwrap();
    };
    wait("[1]").await;
    wait("[2]").await;
    assert_eq!(attempts().await.as_deref(), Some("[2]"));
    assert!(has_note(database, "waits", "mail").await, "the order is not lost");
    let filter = |state| NoteFilter {
        key: Some("waits"),
        state: Some(state),
        limit: 9,
        ..NoteFilter::default()
    };
    let count = async |state| notes(&**database, "tests", 2, filter(state)).await.unwrap().len();
    assert_eq!((count(RunState::Waiting).await, count(RunState::InProgress).await), (1, 0));
    assert!(branches.parked("tests", "waits", &note, "unavailable", "busy").await.unwrap());
    assert_eq!((attempts().await, count(RunState::Waiting).await), (None, 0));
    wait("[3]").await;
    branches.done(&call.run, &note).await.unwrap();
    wait("[4]").await;
    assert_eq!(attempts().await, None);
    assert!(!branches.parked("tests", "waits", &note, "unavailable", "busy").await.unwrap());
    assert_eq!((count(RunState::Parked).await, count(RunState::InProgress).await), (0, 1));
}

/// A parked order can still be completed, and a completed order stays completed.
pub(crate) async fn a_completed_order_stays_completed(database: &Arc<dyn Database>) {
    let branches = SqlBranches::new(Arc::clone(database));
    let call = call_with_note("parked", "mail");
    let mark = call.done_note.clone().unwrap();
    let state = async || {
        let select = "select state, cause, reason from oms_branches where key = 'parked'";
        database.run(&Statement::default().sql(select)).await.unwrap()
    };
    let park = || branches.parked("tests", "parked", &mark, "no_row", "lookup: there is no row");
    park().await.unwrap();
    let text = |text: &str| Some(text.to_owned());
    let parked = [text("parked"), text("no_row"), text("lookup: there is no row")];
    assert_eq!(state().await, [parked]);
    branches.done(&call.run, &mark).await.unwrap();
    park().await.unwrap();
    assert_eq!(state().await, [[text("completed"), None, None]]);

    let objects: Vec<String> = (0..1000).map(|number| format!("o'{number}\":,.json")).collect();
    let objects: Vec<&str> = objects.iter().map(String::as_str).collect();
    let missing = branches.missing("tests", &["mail", "bill"], &objects).await.unwrap();
    assert_eq!(missing.len(), 2000);
    let one = MissingNote { object: objects[17].to_owned(), handler: "mail".to_owned() };
    assert!(missing.contains(&one));

    assert_eq!(branches.cursor("tests").await.unwrap(), None);
    for cursor in [Some("x"), Some("y"), None] {
        branches.set_cursor("tests", cursor).await.unwrap();
        assert_eq!(branches.cursor("tests").await.unwrap().as_deref(), cursor);
    }
}

/// A role has exactly the privileges that were granted last.
pub(crate) async fn a_role_has_its_latest_grants(database: &Arc<dyn Database>) {
    let held = async || {
        let select = "select cast(table_name as text), cast(privilege_type as text) from information_schema.table_privileges \
                      where grantee = 'a \"role\"' order by 1, 2";
        let rows = database.run(&Statement::default().sql(select)).await.unwrap();
        rows.into_iter()
            .map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
    };
    let grants = |table: &str, privileges: &[&'static str]| {
        Grants::from([(table.to_owned(), privileges.to_vec())])
    };
    let more = grants("every_type", &["INSERT", "SELECT"]);
    for _ in 0..2 {
        set_role(&**database, "a \"role\"", "pass'word", &more, false).await.unwrap();
        assert_eq!(held().await, ["every_type INSERT", "every_type SELECT"]);
    }
    let less = grants("oms_claims", &["SELECT"]);
    set_role(&**database, "a \"role\"", "another", &less, true).await.unwrap();
    assert_eq!(held().await.len(), 3, "the earlier privileges are kept");
    set_role(&**database, "a \"role\"", "another", &less, false).await.unwrap();
    assert_eq!(held().await, ["oms_claims SELECT"]);
}
