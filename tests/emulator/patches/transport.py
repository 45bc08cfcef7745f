"""Requests count as sent by TLS.

The emulator speaks plain HTTP on 127.0.0.1; with `--enforce-iam`, a policy that demands `aws:SecureTransport`, as
all of ours do, would refuse everything.
"""


def apply(_options) -> None:
    from ministack import app
    from ministack.core import iam_evaluator

    def pin(source_ip: str, _secure: bool) -> None:
        iam_evaluator._request_origin.set((source_ip, True))

    app.pin_request_origin = pin
    iam_evaluator.pin_request_origin = pin
