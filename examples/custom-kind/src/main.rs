//! `oms` with two additional step kinds. The program passes a list of kinds to [`oms_cli::main`].
//!
//! To add a kind:
//!
//! 1. Copy `stock_reserve.rs`. Every kind has the same parts in the same order.
//! 2. Declare the settings under `with:` in `Config`. Editors and `oms steps KIND` show its doc
//!    comments.
//! 3. Declare the effects of the step in `plan`, and whether each effect is safe to repeat
//!    ([`Safety`](oms_engine::step::Safety)).
//! 4. Execute the step in `run`. For each failure, specify whether a retry can help.
//! 5. Add the kind to [`kinds`].
//!
//! See `docs/adding-a-kind.md` for details. The pipeline `fulfilment.yaml` uses both kinds:
//!
//! ```text
//! cargo run -p custom-kind -- steps stock.reserve
//! cargo run -p custom-kind -- run examples/custom-kind/fulfilment.yaml
//! ```

mod label_print;
mod stock_reserve;
mod warehouse;

use std::process::ExitCode;

use oms_engine::step::StepKind;

/// Returns the shipped kinds and the kinds of this program.
fn kinds() -> Vec<StepKind> {
    let own =
        [StepKind::of::<label_print::LabelPrint>(), StepKind::of::<stock_reserve::StockReserve>()];
    oms_steps::ALL.iter().copied().chain(own).collect()
}

fn main() -> ExitCode {
    oms_cli::main(&kinds())
}
