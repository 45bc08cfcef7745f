"""Metrics in the logs of functions (embedded metric format).

Stock: such a line is only a log line. AWS: a JSON line with `_aws.CloudWatchMetrics` becomes metric data, which alarms use.
"""

import json
import re

STAMP = re.compile(r"^[^{]*(?=\{)")


def metric_data(line: str) -> list[tuple[str, dict]]:
    """Returns namespace and datum for each metric of a log line."""
    try:
        document = json.loads(STAMP.sub("", line, count=1))
        directives = document["_aws"]["CloudWatchMetrics"]
    except (ValueError, KeyError, TypeError):
        return []
    data = []
    for directive in directives:
        for dimensions in directive.get("Dimensions") or [[]]:
            for metric in directive.get("Metrics", []):
                if isinstance(document.get(metric["Name"]), (int, float)):
                    data.append((directive["Namespace"], {
                        "MetricName": metric["Name"],
                        "Value": document[metric["Name"]],
                        "Unit": metric.get("Unit", "None"),
                        "Dimensions": [{"Name": name, "Value": str(document[name])} for name in dimensions],
                    }))
    return data


def apply(_options) -> None:
    from ministack.services import cloudwatch, lambda_svc

    stock = lambda_svc._emit_lambda_logs

    def emit(func, request_id, log_text, *args, **kwargs):
        for line in (log_text or "").splitlines():
            for namespace, datum in metric_data(line):
                dimensions = {d["Name"]: d["Value"] for d in datum["Dimensions"]}
                cloudwatch.record_metric(namespace, datum["MetricName"], datum["Value"], datum["Unit"], dimensions)
        return stock(func, request_id, log_text, *args, **kwargs)

    lambda_svc._emit_lambda_logs = emit
