"""The functions of self_test.py: a bootstrap for Lambda's runtime API. The environment variable MODE selects the function."""

import hashlib
import json
import os
import urllib.parse
import urllib.request
from email.message import EmailMessage

import boto3
from botocore.exceptions import ClientError

RUNTIME = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"


def client(service: str):
    return boto3.client(service)  # endpoint, region and credentials come from the environment, as on AWS


def answer(status: int) -> dict:
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps({"status": status})}


def intake(event: dict) -> dict:
    key = event["pathParameters"]["key"]
    if "/" in key:
        return answer(400)
    body = event["body"].encode()
    digest = hashlib.sha256(body).hexdigest()
    s3, place = client("s3"), {"Bucket": os.environ["BUCKET"], "Key": f"{key}.json"}
    try:
        s3.put_object(**place, Body=body, IfNoneMatch="*", Metadata={"digest": digest})
        return answer(201)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 412:
            raise
    return answer(200 if s3.head_object(**place)["Metadata"]["digest"] == digest else 409)


def branch(event: dict) -> dict:
    failed = []
    for message in event["Records"]:
        for record in json.loads(message["body"]).get("Records", []):  # S3 sends a test event without records
            key = urllib.parse.unquote_plus(record["s3"]["object"]["key"])
            if key.startswith("fails"):
                failed.append({"itemIdentifier": message["messageId"]})
            elif key.startswith("hopeless"):
                client("sqs").send_message(
                    QueueUrl=os.environ["DEAD_LETTERS"], MessageBody=message["body"],
                    MessageAttributes={"reason": {"DataType": "String", "StringValue": "no_rate"}})
            elif key.startswith("forbidden"):
                try:
                    client("s3").delete_object(Bucket=os.environ["BUCKET"], Key=key)
                    print("deleted", flush=True)
                except ClientError as error:
                    print("refused", error.response["Error"]["Code"], flush=True)
            else:
                confirm(key, record["s3"]["object"]["versionId"])
    return {"batchItemFailures": failed}


def confirm(key: str, version: str) -> None:
    order = client("s3").get_object(Bucket=os.environ["BUCKET"], Key=key, VersionId=version)["Body"].read().decode()
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Orders <orders@example.com>", "buyer@example.net", "Grüße 注文"
    mail["X-Order"] = key
    mail.set_content(order)
    client("sesv2").send_email(
        FromEmailAddress="Orders <orders@example.com>", Destination={"ToAddresses": ["buyer@example.net"]},
        Content={"Raw": {"Data": bytes(mail)}}, ConfigurationSetName=os.environ["CONFIGURATION_SET"],
        EmailTags=[{"Name": "oms-key", "Value": key.removesuffix(".json")}])


def reconcile(_event: dict) -> dict:
    listing = client("s3").list_objects_v2(Bucket=os.environ["BUCKET"])
    print(json.dumps({
        "_aws": {"Timestamp": 0, "CloudWatchMetrics": [
            {"Namespace": "oms", "Dimensions": [["pipeline"]], "Metrics": [{"Name": "ReconcileGap", "Unit": "Count"}]}]},
        "pipeline": "self-test", "ReconcileGap": listing["KeyCount"],
    }), flush=True)
    return {"environment": dict(os.environ)}


def main() -> None:
    handler = {"intake": intake, "branch": branch, "reconcile": reconcile}[os.environ["MODE"]]
    while True:
        with urllib.request.urlopen(f"{RUNTIME}/next") as invocation:
            identifier = invocation.headers["Lambda-Runtime-Aws-Request-Id"]
            event = json.load(invocation)
        try:
            path, result = "response", handler(event)
        except Exception as error:
            path, result = "error", {"errorMessage": str(error), "errorType": type(error).__name__}
        request = urllib.request.Request(f"{RUNTIME}/{identifier}/{path}", data=json.dumps(result).encode(), method="POST")
        urllib.request.urlopen(request).close()


if __name__ == "__main__":
    main()
