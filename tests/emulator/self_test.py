"""Checks the behavior of the emulator that the AWS tests rely on, and prints how many checks passed.

    python self_test.py            about 80 seconds, because a schedule fires once a minute
    python self_test.py --quick    about 15 seconds, without the schedule
"""

import argparse
import base64
import email
import email.policy
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from deploy import deploy
from package import package

HERE = Path(__file__).parent
PASSED: list[str] = []
FAILED: list[str] = []


def check(name: str, holds: bool, detail: object = "") -> None:
    (PASSED if holds else FAILED).append(name)
    if not holds:
        print(f"FAILED {name}: {detail}", flush=True)


def eventually(probe, seconds: float = 10):
    """Returns the first true value of `probe`, or the last value after the timeout."""
    end = time.monotonic() + seconds
    while not (value := probe()) and time.monotonic() < end:
        time.sleep(0.1)
    return value


class Emulator:
    """An emulator with the stack of self_test/template.yaml."""

    def __init__(self, folder: Path, *options: str):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url, self.log = f"http://127.0.0.1:{self.port}", folder / f"calls-{self.port}.jsonl"
        self.process = subprocess.Popen(
            [sys.executable, HERE / "emulator.py", "--port", str(self.port), "--log", self.log, "--with-parent",
             "--function-env", "AWS_ENDPOINT_URL_RDS_DATA=http://127.0.0.1:1", *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "LEAK": "secret"})
        assert self.process.stdout.readline().startswith("ready"), "the emulator did not start"
        code = folder / "function"
        code.mkdir(exist_ok=True)
        (code / "bootstrap").write_text(f"#!{sys.executable}\n" + (HERE / "self_test" / "function.py").read_text(encoding="utf-8"),
                                        encoding="utf-8")
        (code / "bootstrap").chmod(0o755)
        template = folder / "template.yaml"
        template.write_bytes((HERE / "self_test" / "template.yaml").read_bytes())
        packaged = package(template, self.client("s3"), "code")
        self.outputs = deploy(packaged, self.client("cloudformation"), "self-test")

    def client(self, service: str):
        return boto3.client(service, endpoint_url=self.url, region_name="us-east-1", aws_access_key_id="test",
                            aws_secret_access_key="test", config=Config(retries={"max_attempts": 1}))

    def key(self) -> str:
        return self.client("apigateway").get_api_key(apiKey=self.outputs["Key"], includeValue=True)["value"]

    def put(self, key: str, body: str, api_key: str | None) -> int:
        request = urllib.request.Request(
            f"{self.url}/restapis/{self.outputs['Api']}/live/_user_request_/storefront/order/{key}", method="PUT",
            data=body.encode(), headers={"content-type": "application/json", **({"x-api-key": api_key} if api_key else {})})
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code

    def mails(self) -> list[dict]:
        with urllib.request.urlopen(f"{self.url}/_ministack/ses/messages") as response:
            return [mail for mails in json.load(response)["messages"].values() for mail in mails]

    def receive(self, queue: str) -> list[dict]:
        answer = self.client("sqs").receive_message(
            QueueUrl=self.outputs[queue], MessageAttributeNames=["All"], MaxNumberOfMessages=10, VisibilityTimeout=0)
        return answer.get("Messages", [])

    def calls(self, **wanted) -> list[dict]:
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [c for c in map(json.loads, lines) if all(c[name] == value for name, value in wanted.items())]

    def listening(self) -> set[str]:
        """Returns the addresses on which the process listens, in the format of the kernel."""
        fds = Path(f"/proc/{self.process.pid}/fd")
        inodes = {link[8:-1] for fd in fds.iterdir() if (link := os.readlink(fd)).startswith("socket:")}
        found = set()
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/{self.process.pid}/net/{table}").read_text().splitlines()[1:]:
                columns = line.split()
                if columns[3] == "0A" and columns[9] in inodes:
                    found.add(columns[1].rpartition(":")[0])
        return found

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=10)


def refused(call, **arguments) -> str:
    try:
        call(**arguments)
        return ""
    except ClientError as error:
        return error.response["Error"]["Code"]


def check_stack(it: Emulator) -> None:
    out = it.outputs
    secret = it.client("secretsmanager").get_secret_value(SecretId=out["Secret"])
    check("!Ref of a secret is its ARN", out["Secret"].startswith("arn:aws:secretsmanager:"), out["Secret"])
    check("a secret is generated", json.loads(secret["SecretString"]).keys() == {"username", "password"}, secret)
    master = json.loads(it.client("secretsmanager").get_secret_value(SecretId=out["MasterSecret"])["SecretString"])
    check("the cluster has a master secret", master["username"] == "oms_master", master)
    mapping = it.client("lambda").get_event_source_mapping(UUID=out["Source"])
    check("a parameter becomes a number", mapping["ScalingConfig"] == {"MaximumConcurrency": 2}, mapping)
    check("an identity has DKIM records", out["Dkim"].endswith(".dkim.amazonses.com"), out["Dkim"])
    check("everything listens on 127.0.0.1", it.listening() == {"0100007F"}, it.listening())


def check_intake(it: Emulator) -> None:
    key = it.key()
    check("403 without an API key", it.put("a-1", "{}", None) == 403)
    check("403 with a wrong API key", it.put("a-1", "{}", "wrong") == 403)
    check("201 for a new order", it.put("a-1", '{"id": 1}', key) == 201)
    check("200 for the same order again", it.put("a-1", '{"id": 1}', key) == 200)
    check("409 for different content", it.put("a-1", '{"id": 2}', key) == 409)
    check("a key with a slash reaches the function", it.put("a/1", "{}", key) == 400)


def check_bucket(it: Emulator) -> None:
    s3, bucket = it.client("s3"), it.outputs["Bucket"]
    first = s3.put_object(Bucket=bucket, Key="forbidden-0.json", Body=b"one", IfNoneMatch="*", Metadata={"digest": "d"})
    check("412 for an existing object",
          refused(s3.put_object, Bucket=bucket, Key="forbidden-0.json", Body=b"two", IfNoneMatch="*") == "PreconditionFailed")
    check("metadata is kept", s3.head_object(Bucket=bucket, Key="forbidden-0.json")["Metadata"] == {"digest": "d"})
    s3.delete_object(Bucket=bucket, Key="forbidden-0.json")
    old = s3.get_object(Bucket=bucket, Key="forbidden-0.json", VersionId=first["VersionId"])
    check("a version can be read after the deletion of its object", old["Body"].read() == b"one")


def check_chain(it: Emulator) -> None:
    mails = eventually(it.mails)
    check("PUT -> S3 -> SNS -> SQS -> function -> SES", len(mails) == 1, mails)
    mail = mails[0] if mails else {"Raw": "", "Tags": None, "ConfigurationSet": None}
    raw = email.message_from_bytes(base64.b64decode(mail["Raw"]), policy=email.policy.default)
    check("the raw mail can be read back", raw["X-Order"] == "a-1.json" and raw["Subject"] == "Grüße 注文", mail)
    check("the tags can be read back", mail["Tags"] == [{"Name": "oms-key", "Value": "a-1"}], mail["Tags"])
    check("the configuration set can be read back", mail["ConfigurationSet"] == "self-test-mail", mail["ConfigurationSet"])


def check_mail_refusals(it: Emulator) -> None:
    send = it.client("sesv2").send_email
    mail = {"Destination": {"ToAddresses": ["a@example.net"]}, "Content": {"Raw": {"Data": b"Subject: x\r\n\r\nx"}}}
    check("an unknown sender is rejected", refused(send, FromEmailAddress="a@unknown.example", **mail) == "MessageRejected")
    check("an unknown configuration set is rejected",
          refused(send, FromEmailAddress="a@example.com", ConfigurationSetName="none", **mail) == "NotFoundException")
    check("a tag with a dot is rejected",
          refused(send, FromEmailAddress="a@example.com", EmailTags=[{"Name": "k", "Value": "a.b"}], **mail)
          == "BadRequestException")


def check_failures(it: Emulator) -> None:
    key = it.key()
    for name in ("fails-1", "hopeless-1", "fine-1"):
        check(f"201 for {name}", it.put(name, "{}", key) == 201)
    check("a valid order is confirmed", bool(eventually(lambda: [m for m in it.mails() if "fine-1" in str(m["Tags"])])))

    def dead(name: str):
        return [m for m in it.receive("DeadLetters") if name in m["Body"]]

    hopeless = eventually(lambda: dead("hopeless-1"))
    check("a function sends a dead letter with a reason",
          bool(hopeless) and hopeless[0]["MessageAttributes"]["reason"]["StringValue"] == "no_rate", hopeless)
    failing = eventually(lambda: dead("fails-1"), 15)
    check("a reported failure is moved to the dead letters", bool(failing), failing)
    check("the moved dead letter is the unchanged S3 event", bool(failing) and "versionId" in failing[0]["Body"], failing)


def check_undelivered(it: Emulator) -> None:
    sqs = it.client("sqs")
    sqs.delete_queue(QueueUrl=it.outputs["Queue"])
    it.client("s3").put_object(Bucket=it.outputs["Bucket"], Key="lost-1.json", Body=b"{}", IfNoneMatch="*")
    lost = eventually(lambda: [m for m in it.receive("Undelivered") if "lost-1" in m["Body"]])
    check("an undeliverable message goes to the subscription's dead letters", bool(lost), lost)


def check_function(it: Emulator) -> None:
    answer = it.client("lambda").invoke(FunctionName=it.outputs["Reconcile"], Payload=b"{}")
    environment = json.load(answer["Payload"])["environment"]
    check("a function gets --function-env", environment.get("AWS_ENDPOINT_URL_RDS_DATA") == "http://127.0.0.1:1", environment)
    check("a function gets no variables of the machine", "LEAK" not in environment and "GATEWAY_PORT" not in environment, environment)
    check("a function knows its name", environment.get("AWS_LAMBDA_FUNCTION_NAME") == it.outputs["Reconcile"], environment)
    check("a function has its own credentials", environment["AWS_ACCESS_KEY_ID"].startswith("ASIA"), environment)


def check_metric(it: Emulator) -> None:
    def statistics():
        return it.client("cloudwatch").get_metric_statistics(
            Namespace="oms", MetricName="ReconcileGap", Dimensions=[{"Name": "pipeline", "Value": "self-test"}],
            StartTime=time.time() - 3600, EndTime=time.time() + 60, Period=3600, Statistics=["Maximum"])["Datapoints"]

    check("a metric in the log becomes metric data", bool(eventually(statistics, 3)), statistics())
    events = it.client("logs").filter_log_events(logGroupName=it.outputs["ReconcileLog"], filterPattern="ReconcileGap")["events"]
    check("the log is in its group", bool(events), events)


def check_log(it: Emulator) -> None:
    branch, bucket = it.outputs["Branch"], f"arn:aws:s3:::{it.outputs['Bucket']}"
    read = it.calls(function=branch, action="s3:GetObjectVersion")
    check("a read by version is logged with its function", bool(read) and read[0]["resource"] == f"{bucket}/a-1.json", read)
    sent = it.calls(function=branch, action="ses:SendEmail")
    needed = {tuple(pair) for call in sent for pair in call["needs"]}
    account = "arn:aws:ses:us-east-1:000000000000"
    check("a raw mail needs two actions on two resources", needed == {
        (action, resource) for action in ("ses:SendEmail", "ses:SendRawEmail")
        for resource in (f"{account}:identity/example.com", f"{account}:configuration-set/self-test-mail")}, needed)
    written = it.calls(action="s3:PutObject", status=412)
    check("a rejected write is logged with its condition",
          bool(written) and written[0]["conditions"].get("s3:if-none-match") == "*", written)
    queue = it.calls(function=branch, action="sqs:SendMessage")
    check("a message is logged with its queue", bool(queue) and "DeadLetters" in queue[0]["resource"], queue)
    listed = it.calls(function=it.outputs["Reconcile"], action="s3:ListBucket")
    check("a listing is logged", bool(listed) and listed[0]["resource"] == bucket, listed)
    outside = it.calls(service="cloudformation")
    check("an external call has no function", bool(outside) and all(c["function"] is None for c in outside))


def check_deployment(it: Emulator) -> None:
    """Deletes the intake's method, so this check comes after the others."""
    gateway, api, key = it.client("apigateway"), it.outputs["Api"], it.key()
    [resource] = [found["id"] for found in gateway.get_resources(restApiId=api)["items"] if "PUT" in found.get("resourceMethods", {})]
    gateway.delete_method(restApiId=api, resourceId=resource, httpMethod="PUT")
    check("a stage serves the methods of its deployment", it.put("a-1", '{"id": 1}', key) == 200)
    gateway.create_deployment(restApiId=api, stageName="live")
    check("another deployment changes the methods of the stage", it.put("a-1", '{"id": 1}', key) == 403)


def check_schedule(it: Emulator) -> None:
    before = len(it.calls(function=it.outputs["Reconcile"], action="s3:ListBucket"))
    fired = eventually(lambda: len(it.calls(function=it.outputs["Reconcile"], action="s3:ListBucket")) > before, 90)
    check("a schedule fires", bool(fired))


def check_enforcement(it: Emulator) -> None:
    s3, bucket, key = it.client("s3"), it.outputs["Bucket"], it.key()
    check("enforced: 201 for a new order", it.put("a-1", '{"id": 1}', key) == 201)
    check("enforced: 200 for the same order again", it.put("a-1", '{"id": 1}', key) == 200)
    check("enforced: the chain has all required permissions", bool(eventually(it.mails)))
    check("enforced: hopeless orders reach the dead letters", it.put("hopeless-1", "{}", key) == 201
          and bool(eventually(lambda: [m for m in it.receive("DeadLetters") if "hopeless-1" in m["Body"]])))
    it.put("forbidden-1", "{}", key)
    denied = eventually(lambda: it.calls(function=it.outputs["Branch"], action="s3:DeleteObject"))
    check("enforced: a function may do only what its role allows", bool(denied) and denied[0]["status"] == 403, denied)
    check("enforced: an unconditional write is denied",
          refused(s3.put_object, Bucket=bucket, Key="b.json", Body=b"x") == "AccessDenied")
    check("enforced: a conditional write is allowed",
          refused(s3.put_object, Bucket=bucket, Key="b.json", Body=b"x", IfNoneMatch="*") == "")
    it.client("sns").set_topic_attributes(TopicArn=it.outputs["Topic"], AttributeName="Policy", AttributeValue=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sns:Publish",
                                                 "Resource": it.outputs["Topic"],
                                                 "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::another"}}}]}))
    it.put("silent-1", "{}", key)
    silent = eventually(lambda: [m for m in it.mails() if "silent-1" in str(m["Tags"])], 2)
    check("enforced: the topic's policy decides who may publish", not silent, silent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="do not wait for the schedule")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        it = Emulator(Path(folder))
        try:
            for one in (check_stack, check_intake, check_chain, check_bucket, check_mail_refusals, check_failures, check_function,
                        check_metric, check_undelivered, check_log, *([] if args.quick else [check_schedule]), check_deployment):
                one(it)
        finally:
            it.end()
        strict = Emulator(Path(folder), "--enforce-iam")
        try:
            check_enforcement(strict)
        finally:
            strict.end()
    print(f"{len(PASSED)} checks passed, {len(FAILED)} failed")
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main()
