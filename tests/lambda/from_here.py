"""`oms run --target aws`: the runs are stored locally, and their effects are in S3, SNS, Aurora and SES: first without handlers, then in a
stack whose handlers process the same orders."""

import base64
import json
import sqlite3
import subprocess
from pathlib import Path

from cloud import PIPELINE as STOREFRONT
from cloud import ROOT, Cloud, check
from machine import by_id, normal

PIPELINE = ROOT / "pipelines/order-management.yaml"
CLUSTER = "arn:aws:rds:us-east-1:000000000000:cluster:from-here"
SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:from-here"
BILLS = (
    "select order_key || '|' || customer_id || '|' || country || '|' || bill_date || '|' || currency || '|' || bill_amount || '|' || bill_amount_usd "
    "from billing_data order by order_key"
)


def files(folder: Path) -> list:
    return [path for path in folder.rglob("*") if path.is_file()]


def from_here(cloud: Cloud, args, folder: Path) -> None:
    oms = lambda *words, **more: subprocess.run([args.oms, *words], check=True, capture_output=True, text=True, **more).stdout  # noqa: E731
    here, export = folder / "here", folder / "here-export"
    oms("run", PIPELINE, "--samples", "--state-dir", here, "--export", export)
    bills = [row[0] for row in sqlite3.connect(here / "oms.db").execute(BILLS)]

    s3, sns, sqs = (cloud.client(name) for name in ("s3", "sns", "sqs"))
    bucket = "from-here"
    s3.create_bucket(Bucket=bucket)
    topic = sns.create_topic(Name="from-here")["TopicArn"]
    queue = sqs.create_queue(QueueName="from-here")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allowed = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": queue_arn}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [allowed]})})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn, Attributes={"RawMessageDelivery": "true"})
    address, endpoint = cloud.database(CLUSTER, [SECRET])
    resources = folder / "from-here.json"
    resources.write_text(json.dumps({
        "buckets": {"order-management": bucket}, "topics": {"OrderCapturedNotification": topic},
        "cluster": CLUSTER, "secret": SECRET, "database": "oms",
    }))
    there = ["--target", "aws", "--resources", resources]
    with_aws = {"env": cloud.environment | {"AWS_ENDPOINT_URL_RDS_DATA": endpoint}}
    before = len(cloud.mails())
    oms("db", "migrate", PIPELINE, *there, **with_aws)
    oms("db", "import", PIPELINE, "customer_contact_info", ROOT / "pipelines/order-management/customers.ndjson", *there, **with_aws)
    words = ["run", PIPELINE, "--samples", "--format", "json", "--state-dir", folder / "there", *there]
    summary = json.loads(oms(*words, **with_aws))
    check("runs with --target aws", (len(bills), 0), (summary["completed"], summary["parked"]))
    oms(*words, **with_aws)  # a repeated run has no effects
    check("their bills equal local ones", True, cloud.ask(BILLS, address) == bills)
    objects = {found["Key"]: s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read() for found in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    check("their objects equal local ones", True, objects == {path.name: path.read_bytes() for path in files(export / "objects")})
    mails = [normal(base64.b64decode(mail["Raw"])) for mail in cloud.mails()[before:]]
    check("the number of their mails", len(bills), len(mails))
    check("their mails equal local ones", True, by_id(mails) == by_id([normal(path.read_bytes()) for path in files(export / "mail")]))
    told = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
        told += [json.loads(message["Body"])["key"] for message in messages]
    check("their announcements", True, sorted(set(told)) == [bill.split("|")[0] for bill in bills])


def beside_handlers(cloud: Cloud, args, folder: Path, order: bytes) -> None:
    """Runs orders with the resources of the stack. Its handlers also process the stored orders, and each effect takes place once."""
    keys = [f"HERE-{number}" for number in range(3)]
    orders = folder / "beside-handlers.ndjson"
    orders.write_text("".join(json.dumps(json.loads(order) | {"order_id": key}) + "\n" for key in keys), encoding="utf-8")
    mails, letters, begun = len(cloud.mails()), cloud.dead_letters(), len(cloud.calls())
    # Otherwise, `oms run` and a handler would claim an e-mail at the same time, and one of them would wait until the claim's lease expires.
    delayed = lambda seconds: [cloud.client("sqs").set_queue_attributes(  # noqa: E731
        QueueUrl=queue, Attributes={"DelaySeconds": str(seconds)}) for queue in cloud.resources["queues"].values()]
    delayed(20)
    state = folder / "beside-handlers"
    summary = json.loads(cloud.oms("run", STOREFRONT, "--input", orders, "--state-dir", state, "--target", "aws", "--format", "json"))
    check("runs beside handlers", (len(keys), 0), (summary["completed"], summary["parked"]))
    delayed(0)
    of_keys = f"key in ({', '.join(repr(key) for key in keys)})"
    noted = f"select count(*) from oms_branches where {of_keys} and state = 'completed'"
    cloud.until("every handler to process their orders", lambda: int(cloud.ask(noted)[0]) == len(keys) * len(cloud.resources["queues"]))
    cloud.until("the queues to empty", lambda: cloud.waiting() == 0)
    bills = cloud.ask(f"select order_id from billing_data where {of_keys.replace('key', 'order_id')} order by 1")
    check("the bills of these orders", keys, bills)
    check("the number of mails for these orders", len(keys), len(cloud.mails()) - mails)
    check("the new dead letters", [], [letter for letter in cloud.dead_letters() if letter not in letters])
    published = [call for call in cloud.calls()[begun:] if call["action"] == "sns:Publish" and not call["function"]]
    check("messages of `oms run` on the topic of the handlers", [], published)
