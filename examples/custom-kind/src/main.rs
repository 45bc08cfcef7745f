//! `oms` with two step kinds more: a program of one's own is a list of kinds and a call of [`oms_cli::main`].
//!
//! To make another kind:
//!
//! 1. copy `stock_reserve.rs`, whose parts stand in the order that every kind has;
//! 2. say in `Config` what may stand under `with:`: its doc comments are what editors and `oms steps KIND` show;
//! 3. say in `plan` what the step will touch and what a repetition means ([`Safety`](oms_engine::step::Safety));
//! 4. do it in `run`, and say for each failure whether trying again can help;
//! 5. add a line to [`kinds`].
//!
//! `docs/adding-a-kind.md` says more. The pipeline `fulfilment.yaml` uses both kinds:
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

/// The shipped kinds and this program's own.
fn kinds() -> Vec<StepKind> {
    let own =
        [StepKind::of::<label_print::LabelPrint>(), StepKind::of::<stock_reserve::StockReserve>()];
    oms_steps::ALL.iter().copied().chain(own).collect()
}

fn main() -> ExitCode {
    oms_cli::main(&kinds())
}
