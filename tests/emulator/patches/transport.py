"""Requests count as sent over TLS.

The emulator uses plain HTTP on 127.0.0.1. With `--enforce-iam`, a policy that requires `aws:SecureTransport`, as the
generated policies of buckets, topics and queues do, would otherwise deny everything.
"""


def apply(_options) -> None:
    from ministack import app
    from ministack.core import iam_evaluator

    def pin(source_ip: str, _secure: bool) -> None:
        iam_evaluator._request_origin.set((source_ip, True))

    app.pin_request_origin = pin
    iam_evaluator.pin_request_origin = pin
