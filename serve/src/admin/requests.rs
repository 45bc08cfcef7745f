//! Requests of the command line: retry, cancel, import, prune and forget.

use jiff::Timestamp;
use oms_engine::plan::read_rows;
use oms_runtime::control::{Request, Response};

use super::audit;
use crate::state::error::{RequestError, with_sources};
use crate::state::flow::Flow;

/// Executes a request of the command line and records it in the audit log.
pub(super) async fn execute(flow: &Flow, request: Request) -> Response {
    let entry = match audit::audit_request(flow, &request).await {
        Ok(entry) => entry,
        Err(error) => return Response::Failed(with_sources(&error)),
    };
    let response = run(flow, request).await;
    let response = response.unwrap_or_else(|error| Response::Failed(with_sources(&error)));
    flow.audit_outcome(entry, &audit::outcome(&response)).await;
    response
}

async fn run(flow: &Flow, request: Request) -> Result<Response, RequestError> {
    let (runs, held) = match request {
        Request::Retry { runs, held } => {
            flow.reload().await?;
            (runs, Some(held))
        }
        Request::Cancel { runs } => (runs, None),
        Request::Import { table, rows } => {
            flow.reload().await?;
            import(flow, &table, &rows).await?;
            return Ok(Response::Done(Vec::new()));
        }
        Request::Forget { who, dry_run } => {
            flow.reload().await?;
            let result = match dry_run {
                true => flow.runner.would_forget(&who).await?,
                false => flow.runner.forget(&who).await?,
            };
            return Ok(Response::Forgotten(result));
        }
        Request::Prune { before } => {
            let before = Timestamp::from_millisecond(before)?;
            return Ok(Response::Pruned(flow.runner.prune(before, false).await?));
        }
    };
    let mut done = Vec::with_capacity(runs.len());
    for id in runs {
        // The run may have been deleted.
        let Some(row) = flow.runner.row(id)? else { continue };
        let result = match &held {
            Some(held) => flow.retry(&row, held.clone()).await,
            None => flow.cancel(&row).await,
        };
        match result {
            Ok(run) => done.push(run),
            Err(_) if flow.runner.row(id)?.is_none() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Response::Done(done))
}

async fn import(flow: &Flow, table: &str, rows: &str) -> Result<(), RequestError> {
    let plan = flow.runner.plan();
    let table = plan.tables().iter().find(|known| *known.name == *table);
    let table = table.ok_or(RequestError::NoTable)?;
    let rows = read_rows(table, rows).map_err(|error| RequestError::Row(error.message))?;
    Ok(flow.runner.import(table, rows).await?)
}
