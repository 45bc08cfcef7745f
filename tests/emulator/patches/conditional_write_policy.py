"""The condition keys `s3:if-none-match`, `s3:if-match` and `s3:ObjectCreationOperation` of PutObject.

Stock: policies do not know these keys, so a policy that denies unconditional writes denies every write. AWS: both headers are
keys, and ObjectCreationOperation is false for the start and the parts of a multipart upload.
"""


def apply(_options) -> None:
    from ministack.core import iam_actions

    stock = iam_actions.s3_service_context

    def context(action: str, query: dict | None, path: str = "", headers: dict | None = None) -> dict:
        keys = stock(action, query, path, headers)
        if action == "s3:PutObject":
            query, headers = query or {}, headers or {}
            started = "uploads" in query or "partNumber" in query
            keys = {**keys, "s3:ObjectCreationOperation": "false" if started else "true"}
            for header in ("if-none-match", "if-match"):
                if headers.get(header):
                    keys[f"s3:{header}"] = headers[header]
        return keys

    iam_actions.s3_service_context = context
