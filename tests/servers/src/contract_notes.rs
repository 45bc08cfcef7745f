//! The contract that every connection must meet for handlers' notes and roles.

use std::sync::Arc;
use std::time::Duration;

use oms_engine::effects::{Branches as _, Call, DoneNote, MissingNote, Tables as _};
use oms_engine::table::TableDef;
use oms_sql::{Claim, Claims, Database, Grants, SqlBranches, SqlTables, Statement, set_role};

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
    assert_eq!(busy, Claim::Busy);
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
        set_role(&**database, "a \"role\"", "pass'word", &more).await.unwrap();
        assert_eq!(held().await, ["every_type INSERT", "every_type SELECT"]);
    }
    let less = grants("oms_claims", &["SELECT"]);
    set_role(&**database, "a \"role\"", "another", &less).await.unwrap();
    assert_eq!(held().await, ["oms_claims SELECT"]);
}
