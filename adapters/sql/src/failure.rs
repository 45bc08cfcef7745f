//! Classifies SQLSTATEs.

use oms_core::effects::{StepError, cause};

/// Classifies a server's error by its SQLSTATE (PostgreSQL, Appendix A, "PostgreSQL Error Codes").
/// The SQLSTATE is empty if it is unknown.
/// The server's message is omitted, because it may contain values of an order.
pub fn from_state(state: &str) -> StepError {
    let class = state.get(..2).unwrap_or_default();
    match (class, state) {
        (_, "40001" | "40P01" | "40003") => StepError::transient(
            cause::CONTENTION,
            format!("another transaction changed the same rows (SQLSTATE {state})"),
        ),
        ("53", _) => transient(state, "the database has insufficient resources"),
        (_, "57014" | "55P03") => transient(state, "the database timed out"),
        ("08" | "57" | "58", _) => transient(state, "the database is not ready"),
        // After a failover, the former primary server accepts no writes.
        (_, "25006") => transient(state, "the database is read-only"),
        (_, "42P01" | "42703" | "3F000" | "3D000") => environment(
            state,
            "a table or column of the pipeline is missing in the database; create it with `oms db migrate`",
        ),
        (_, "42501") | ("28", _) => environment(state, "the database denies access to this user"),
        (_, "23505") => {
            let message = format!("a row with this value already exists (SQLSTATE {state})");
            StepError::permanent(cause::CONFLICT, message)
        }
        ("22" | "23", _) => {
            let message = format!("the database rejected a value (SQLSTATE {state})");
            StepError::permanent(cause::OUT_OF_RANGE, message)
        }
        (_, "") => StepError::permanent(cause::REFUSED, "the database rejected the statement"),
        _ => StepError::permanent(
            cause::REFUSED,
            format!("the database rejected the statement (SQLSTATE {state})"),
        ),
    }
}

fn transient(state: &str, what: &str) -> StepError {
    StepError::transient(cause::UNAVAILABLE, format!("{what} (SQLSTATE {state})"))
}

/// Returns an error that is not caused by the order. An operator has to fix the environment.
fn environment(state: &str, what: &str) -> StepError {
    StepError::transient(cause::ENVIRONMENT, format!("{what} (SQLSTATE {state})"))
}

#[cfg(test)]
mod tests {
    use oms_core::effects::Class;

    use super::*;

    #[test]
    fn sqlstates_are_classified() {
        for (state, class, cause) in [
            ("40001", Class::Transient, cause::CONTENTION),
            ("40P01", Class::Transient, cause::CONTENTION),
            ("53300", Class::Transient, cause::UNAVAILABLE),
            ("57P01", Class::Transient, cause::UNAVAILABLE),
            ("08006", Class::Transient, cause::UNAVAILABLE),
            ("25006", Class::Transient, cause::UNAVAILABLE),
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
            let is_in_message = error.message().contains(&format!("(SQLSTATE {state})"));
            assert_eq!(is_in_message, !state.is_empty(), "{}", error.message());
        }
    }
}
