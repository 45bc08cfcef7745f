//! Checks the `retry` of a step.

use oms_core::diagnostic::{Finding, Place, Route, codes, did_you_mean};
use oms_core::effects::cause;

use super::checked::Retry;
use super::sink::Sink;
use crate::pipeline::{RetrySection, Section, StepSection};
use crate::step::{OnUnknown, PlannedKind, Port, Safety};

/// Returns the retries of a step. Reports retries of a step that is not safe to repeat, and causes
/// that the step cannot report.
pub(super) fn check(
    named: &Section<StepSection>,
    section: &StepSection,
    planned: &PlannedKind,
    sink: &mut Sink<'_>,
) -> Option<Retry> {
    let waits = section.retry.clone().unwrap_or_default();
    let route = named.route.key("retry");
    check_first_wait(&waits, &route, sink);
    let causes_fit = check_causes(named, section, planned, sink);
    let unsafe_effect = planned.effects.iter().find(|effect| effect.safety == Safety::Unsafe);
    match unsafe_effect {
        Some(effect) if section.retry.is_some() && waits.attempts > 1 => {
            let message = format!(
                "`{}` has retries, but `{}` is not safe to repeat",
                named.name, section.uses
            );
            sink.add(
                Finding::error(codes::UNSAFE_RETRY, Place::key(route), message)
                    .related(
                        Place::value(named.route.key("uses")),
                        format!("each attempt repeats the effect ({})", effect.resource),
                    )
                    .help("remove `retry`, or make the call safe to repeat".to_owned()),
            );
            None
        }
        _ if !causes_fit => None,
        Some(_) => Some(Retry { attempts: 1, waits: RetrySection { attempts: 1, ..waits } }),
        None => Some(Retry { attempts: waits.attempts, waits }),
    }
}

/// Warns about a first wait that `max_ms` shortens.
fn check_first_wait(waits: &RetrySection, route: &Route, sink: &mut Sink<'_>) {
    if waits.attempts <= 1 || waits.longest_ms() >= waits.initial_ms {
        return;
    }
    let RetrySection { initial_ms, .. } = waits;
    let message = format!(
        "the first wait is shortened from {initial_ms} to {} milliseconds, because `max_ms` is less than `initial_ms`",
        waits.longest_ms()
    );
    let mut finding =
        Finding::warning(codes::RETRY_WAIT, Place::value(route.key("max_ms")), message)
            .help(format!("write `max_ms: {initial_ms}` or more, or a lower `initial_ms`"));
    let initial = route.key("initial_ms");
    if sink.document.root().find(&initial).is_some() {
        finding = finding.related(Place::value(initial), "the first wait");
    }
    sink.add(finding);
}

/// Reports causes in `on` that no transient failure of the step can have. Returns whether there are
/// none.
fn check_causes(
    named: &Section<StepSection>,
    section: &StepSection,
    planned: &PlannedKind,
    sink: &mut Sink<'_>,
) -> bool {
    let known = transient_causes(section, planned);
    let asked = section.retry.iter().filter_map(|retry| retry.on.as_ref()).flatten();
    let mut all_fit = true;
    for (position, asked) in asked.enumerate().filter(|(_, asked)| !known.contains(&asked.as_str()))
    {
        all_fit = false;
        let place = Place::value(named.route.key("retry").key("on").index(position));
        let is_unknown =
            asked == cause::UNKNOWN_OUTCOME || asked == cause::TIMEOUT && holds_requests(planned);
        if is_unknown {
            let message = format!(
                "`{}` is not safe to repeat after an unknown outcome: its effect may have happened",
                named.name
            );
            let may_resend = planned.effects.iter().any(|effect| effect.on_unknown().is_some());
            let help = if may_resend && planned.effects.iter().any(|at| at.port == Port::Mail) {
                "remove the cause, or add `on_unknown: resend` to `with` to accept two e-mails"
            } else {
                "remove the cause; a run with an unknown outcome is held until a person decides"
            };
            sink.add(Finding::error(codes::UNSAFE_RETRY, place, message).help(help.to_owned()));
            continue;
        }
        let message = format!("no transient failure of `{}` has the cause `{asked}`", named.name);
        let help = match asked.as_str() {
            cause::TIMEOUT => Some("add `timeout_seconds` to the step".to_owned()),
            _ if known.is_empty() => {
                Some(format!("remove `on`; `{}` reports no transient failures", section.uses))
            }
            _ => did_you_mean(asked, known.iter().copied()),
        };
        sink.add(Finding::error(codes::RETRY_CAUSE, place, message).help(help));
    }
    all_fit
}

/// Returns whether the step sends requests that are not safe to repeat, so that the outcome of a
/// request without an answer in time is unknown.
fn holds_requests(planned: &PlannedKind) -> bool {
    planned
        .effects
        .iter()
        .any(|effect| effect.port == Port::Services && effect.on_unknown() == Some(OnUnknown::Hold))
}

/// Returns the causes that a failure of a step can have after which an attempt may succeed.
fn transient_causes(section: &StepSection, planned: &PlannedKind) -> Vec<&'static str> {
    let mut causes: Vec<&'static str> = planned.transient_causes.to_vec();
    for effect in &planned.effects {
        causes.extend([cause::UNAVAILABLE, cause::ENVIRONMENT]);
        if effect.port == Port::Tables {
            causes.push(cause::CONTENTION);
        }
        if effect.on_unknown() == Some(OnUnknown::Resend) {
            causes.push(cause::UNKNOWN_OUTCOME);
        }
    }
    if section.timeout_seconds.is_some() {
        causes.push(cause::TIMEOUT);
    }
    if holds_requests(planned) {
        causes.retain(|cause| *cause != cause::TIMEOUT);
    }
    causes.sort_unstable();
    causes.dedup();
    causes
}
