"""The start of a Lambda handler in Python, for comparison: it imports boto3, creates clients, and requests events.

The handlers of the original system are of this kind. The program ignores the events. `cold_start.py --python` runs it.
"""

import os
import urllib.request

import boto3

s3 = boto3.client("s3")
rds = boto3.client("rds-data")

INVOCATION = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"

while True:
    with urllib.request.urlopen(f"{INVOCATION}/next") as answer:
        event, request = answer.read(), answer.headers["Lambda-Runtime-Aws-Request-Id"]
    urllib.request.urlopen(f"{INVOCATION}/{request}/response", data=b"null").close()
