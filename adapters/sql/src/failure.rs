//! What a SQLSTATE means for a run.

use oms_core::effects::{StepError, cause};

/// Sorts a server's error by its SQLSTATE (PostgreSQL, Appendix A, "PostgreSQL Error Codes"). The server's words are left out, since they may
/// quote values.
pub fn from_state(state: &str) -> StepError {
    let class = state.get(..2).unwrap_or_default();
    match (class, state) {
        (_, "40001" | "40P01" | "40003") => StepError::transient(
            cause::CONTENTION,
            format!("another transaction changed the same rows (SQLSTATE {state})"),
        ),
        ("53", _) => transient(state, "the database is short of something"),
        (_, "57014" | "55P03") => transient(state, "the database took too long"),
        ("08" | "57" | "58", _) => transient(state, "the database is not ready"),
        (_, "42P01" | "42703" | "3F000" | "3D000") => environment(
            state,
            "the database lacks a table or column of the pipeline; `oms db migrate` makes them",
        ),
        (_, "42501") | ("28", _) => {
            environment(state, "the database does not let this user in or do that")
        }
        (_, "23505") => {
            let message = format!("a row with such a value is there already (SQLSTATE {state})");
            StepError::permanent(cause::CONFLICT, message)
        }
        ("22" | "23", _) => {
            let message = format!("the database does not take a value (SQLSTATE {state})");
            StepError::permanent(cause::OUT_OF_RANGE, message)
        }
        _ => StepError::permanent(
            cause::REFUSED,
            format!("the database refused the statement (SQLSTATE {state})"),
        ),
    }
}

fn transient(state: &str, what: &str) -> StepError {
    StepError::transient(cause::UNAVAILABLE, format!("{what} (SQLSTATE {state})"))
}

/// It is no fault of the order, and passes when somebody sets it right.
fn environment(state: &str, what: &str) -> StepError {
    StepError::transient(cause::ENVIRONMENT, format!("{what} (SQLSTATE {state})"))
}

#[cfg(test)]
mod tests {
    use oms_core::effects::Class;

    use super::*;

    #[test]
    fn what_passes_by_itself_is_told_from_what_does_not() {
        for (state, class, cause) in [
            ("40001", Class::Transient, cause::CONTENTION),
            ("40P01", Class::Transient, cause::CONTENTION),
            ("53300", Class::Transient, cause::UNAVAILABLE),
            ("57P01", Class::Transient, cause::UNAVAILABLE),
            ("08006", Class::Transient, cause::UNAVAILABLE),
            ("42P01", Class::Transient, cause::ENVIRONMENT),
            ("42703", Class::Transient, cause::ENVIRONMENT),
            ("28P01", Class::Transient, cause::ENVIRONMENT),
            ("22003", Class::Permanent, cause::OUT_OF_RANGE),
            ("23502", Class::Permanent, cause::OUT_OF_RANGE),
            ("23505", Class::Permanent, cause::CONFLICT),
            ("42804", Class::Permanent, cause::REFUSED),
            ("", Class::Permanent, cause::REFUSED),
        ] {
            let error = from_state(state);
            assert_eq!((error.class(), error.cause()), (class, cause), "{state}");
        }
    }
}
