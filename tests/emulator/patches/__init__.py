"""What MiniStack 1.5.33 lacks. Each module has `apply(options)` and says what it stands in for."""

from dataclasses import dataclass, field

from . import (
    budget,
    call_log,
    conditional_write_policy,
    dead_subscription,
    function_environment,
    function_identity,
    function_logs_metrics,
    ses_authorization,
    ses_messages,
    speed,
    transport,
)


@dataclass
class Options:
    log: str | None = None
    function_env: dict[str, str] = field(default_factory=dict)
    enforce_iam: bool = False


def apply(options: Options) -> None:
    for patch in (
        speed,
        transport,
        function_environment,
        function_identity,
        function_logs_metrics,
        conditional_write_policy,
        dead_subscription,
        budget,
        ses_authorization,
        ses_messages,
        call_log,  # last: it records what the others answer
    ):
        patch.apply(options)
