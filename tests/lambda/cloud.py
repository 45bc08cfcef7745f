"""Starts the emulator with the generated stack and a strict RDS Data API in front of PostgreSQL, and queries all of them."""

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import boto3

ROOT = Path(__file__).resolve().parents[2]
EMULATOR = ROOT / "tests/emulator"
sys.path.insert(0, str(EMULATOR))

import deploy  # noqa: E402
import package  # noqa: E402

PIPELINE = ROOT / "pipelines/storefront.yaml"
# All columns except those that differ between `oms run` and the handlers: `billed_at`, and `oms_run`, the run that wrote the row.
BILLS = (
    "select order_id || '|' || customer_id || '|' || currency || '|' || amount || '|' || amount_usd || '|' || rate || '|' || "
    "from_rate || '|' || to_rate || '|' || rate_date || '|' || rate_source from billing_data order by order_id"
)


@dataclass(frozen=True)
class Subject:
    """The pipeline of a stack."""

    file: Path
    # The path before the key.
    path: str
    # Selects the bills in one column.
    bills: str
    # The name of the stack's output with the bucket's name.
    bucket: str


STOREFRONT = Subject(PIPELINE, "storefront/order", BILLS, "OrdersBucketName")
# Maximum seconds for the handlers to process everything.
TIMEOUT = 240


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Failed(Exception):
    pass


def check(what: str, expected, found) -> None:
    if expected != found:
        raise Failed(f"{what}: expected {expected!r}, found {found!r}")
    print(f"ok    {what}: {found!r}", flush=True)


class Cloud:
    """The emulator with the generated stack, and a database."""

    def __init__(self, args, folder: Path, subject: Subject = STOREFRONT):
        self.args, self.folder, self.subject, self.processes = args, folder, subject, []
        # Environment variables of the functions besides the address of the Data API, and parameters of the stack.
        self.functions, self.parameters = {}, {}
        # Options of the emulator.
        self.options = []
        self.port, self.database_port = free_port(), free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.log = folder / "calls.jsonl"
        self.environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ENDPOINT_URL_RDS_DATA": f"http://127.0.0.1:{self.database_port}",
        }

    def client(self, name: str):
        keys = dict(aws_access_key_id="test", aws_secret_access_key="test")
        return boto3.client(name, endpoint_url=self.endpoint, region_name="us-east-1", **keys)

    def start(self, command: list, **more) -> subprocess.Popen:
        program = Path(command[1] if command[0] == sys.executable else command[0])
        said = open(self.folder / f"{program.stem}.log", "ab")
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=said, text=True, **more)
        self.processes.append(process)
        line = process.stdout.readline()
        if not line.startswith("ready "):
            raise Failed(f"{command[0]} did not start: {line!r}")
        process.ready = line.removeprefix("ready ").strip()
        return process

    def open(self) -> None:
        self.start([
            sys.executable, EMULATOR / "emulator.py", "--with-parent", "--enforce-iam", "--port", self.port, "--log", self.log, *self.options,
            *[word for name, value in self.environment_of_functions().items() for word in ("--function-env", f"{name}={value}")],
        ], stdin=subprocess.PIPE)
        code = {}
        template = (self.args.generated / "template.yaml").read_text(encoding="utf-8")
        functions = re.findall(r"^  (\w+):\n    Type: AWS::Serverless::Function\n(?:     .*\n|    \w.*\n)*?      CodeUri: handlers/([^/]+)/", template, re.M)
        if sorted(name for _, name in functions) != self.handlers():
            raise Failed(f"the functions of the template are not the handlers: {functions}")
        for function, name in functions:
            place = self.folder / "code" / name
            place.mkdir(parents=True)
            shutil.copy(self.args.built / name, place / "bootstrap")
            code[function] = place
        self.packaged = package.package(self.args.generated / "template.yaml", self.client("s3"), "oms-code", code)
        # Disable the throttling of the stage: the number of answers with 429 must not depend on the speed of the machine.
        open_gate = {"IntakeRate": "100000", "IntakeBurst": "100000"}
        begun = time.monotonic()
        self.deploy({"Architecture": "x86_64", "CreateSenderIdentity": "true", "BranchConcurrency": "4", "MailRate": "1000", "ReconcileAgeSeconds": "60"} | open_gate | self.parameters)
        print(f"      deployed in {time.monotonic() - begun:.1f} s", flush=True)
        self.resources = json.loads(self.outputs["OmsResources"])
        # The Data API uses the role that a secret names. The master's secret stands for the owner of the database.
        roles = {arn: self.role(arn) for arn in self.resources["roles"].values()}
        secrets = [self.resources["owner_secret"], *[f"{arn}={role}" for arn, role in roles.items()]]
        self.postgres, _ = self.database(self.resources["cluster"], secrets, self.database_port)
        path = self.folder / "resources.json"
        path.write_text(self.outputs["OmsResources"])
        self.oms("db", "migrate", self.subject.file, "--target", "aws")
        self.oms("db", "import", self.subject.file, "customer_contact_info", self.args.customers, "--target", "aws")
        gateway = self.client("apigateway")
        self.key = gateway.get_api_key(apiKey=self.outputs["ApiKeyId"], includeValue=True)["value"]

    def deploy(self, parameters: dict) -> None:
        """Creates the stack, or updates it. Other parameters keep their values."""
        parameters = self.parameters | parameters
        self.outputs = deploy.deploy(self.packaged, self.client("cloudformation"), "stack", parameters, self.client("s3"), "oms-code")
        self.parameters = parameters

    def environment_of_functions(self) -> dict:
        return {"AWS_ENDPOINT_URL_RDS_DATA": f"http://127.0.0.1:{self.database_port}"} | self.functions

    def role(self, secret: str) -> str:
        found = self.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
        return json.loads(found)["username"]

    def queues(self) -> dict:
        """The queues of the stack by readable names."""
        undelivered = {name: url for name, url in self.outputs.items() if name.endswith("UndeliveredUrl")}
        waiting = {f"{name}'s orders": url for name, url in self.resources["queues"].items()}
        dead = {f"{name}'s dead letters": url for name, url in self.resources["dead_letters"].items()}
        return waiting | dead | undelivered

    def handlers(self) -> list:
        return sorted(path.name for path in (self.args.generated / "handlers").iterdir())

    def oms(self, *words) -> str:
        """Runs `oms` against the stack and returns its standard output. With `--target lambda`, it has the role of the operator."""
        there = ["--resources", self.folder / "resources.json"]
        command = [str(self.args.oms), *map(str, [*words, *there])]
        return subprocess.run(command, check=True, env=self.environment_of(words), stdout=subprocess.PIPE, text=True).stdout

    def environment_of(self, words: tuple) -> dict:
        return self.environment | (self.operator() if "lambda" in words else {})

    def operator(self) -> dict:
        """Assumes the role of the operator, and returns its credentials as environment variables."""
        assumed = self.client("sts").assume_role(RoleArn=self.outputs["OperatorRoleArn"], RoleSessionName="test")["Credentials"]
        names = {"AWS_ACCESS_KEY_ID": "AccessKeyId", "AWS_SECRET_ACCESS_KEY": "SecretAccessKey", "AWS_SESSION_TOKEN": "SessionToken"}
        return {variable: assumed[name] for variable, name in names.items()}

    def oms_fails(self, *words) -> str:
        """Runs `oms` against the stack, expects it to fail, and returns its standard error."""
        command = [str(self.args.oms), *map(str, [*words, "--resources", self.folder / "resources.json"])]
        done = subprocess.run(command, env=self.environment_of(words), capture_output=True, text=True)
        check(f"`oms {' '.join(map(str, words[:2]))}` fails", True, done.returncode in (1, 2))
        return done.stderr

    def put(self, key: str, body: bytes, with_key: bool = True, kind: str = "application/json") -> int:
        headers = {"content-type": kind} | ({"x-api-key": self.key} if with_key else {})
        return self.send(self.url(key), body, headers)

    def url(self, key: str) -> str:
        there = f"{self.endpoint}/restapis/{self.outputs['ApiId']}/live/_user_request_/{self.subject.path}"
        return f"{there}/{urllib.parse.quote(key, safe='')}"

    def send(self, url: str, body: bytes, headers: dict) -> int:
        request = urllib.request.Request(url, method="PUT", data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def database(self, cluster: str, secrets: list, port: int | None = None) -> tuple:
        """Starts a Data API with its own PostgreSQL. Returns the address of the database and the endpoint."""
        port = port or free_port()
        words = [word for secret in secrets for word in ("--secret", secret)]
        started = self.start([self.args.data_api, "--port", port, "--cluster", cluster, *words])
        return started.ready, f"http://127.0.0.1:{port}"

    def ask(self, sql: str, address: str | None = None) -> list:
        programs = max(Path("/usr/lib/postgresql").iterdir()) / "bin"
        command = [programs / "psql", address or self.postgres, "-At", "-c", sql]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()

    def parked_branches(self) -> list:
        """The parked branches: handler, key and causes."""
        rows = self.ask("select handler || chr(9) || key || chr(9) || cause from oms_branches where state = 'parked' order by 1")
        return sorted(tuple(row.split("\t")) for row in rows)

    def parked(self) -> list:
        """The keys that are parked in any handler, with the causes of all of them."""
        causes = {}
        for _, key, cause in self.parked_branches():
            causes.setdefault(key, set()).update(cause.split(","))
        return sorted((key, ",".join(sorted(of))) for key, of in causes.items())

    def send_notification(self, handler: str, objects: list) -> None:
        """Sends a handler the notification about stored orders, all in one message."""
        bucket = self.bucket()
        records = [
            {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
             "s3": {"bucket": {"name": bucket}, "object": {"key": urllib.parse.quote_plus(key)}}}
            for key in objects
        ]
        self.client("sqs").send_message(QueueUrl=self.resources["queues"][handler], MessageBody=json.dumps({"Records": records}))

    def invoke(self, handler: str, may_fail: bool = False) -> dict:
        """Invokes a function by its logical id and returns its answer."""
        client = self.client("lambda")
        names = [found["FunctionName"] for found in client.list_functions()["Functions"]]
        [name] = [name for name in names if f"-{handler}-" in f"{name}-"]
        answer = client.invoke(FunctionName=name, Payload=b"{}")
        payload = json.loads(answer["Payload"].read())
        if "FunctionError" in answer and not may_fail:
            raise Failed(f"{handler} failed: {payload}")
        return payload

    def granted(self) -> list:
        """The allowed actions of all functions: pairs of function name and action."""
        functions = self.client("lambda").list_functions()["Functions"]
        return [(function["FunctionName"], action) for function in functions for action in self.granted_to(function["Role"])]

    def granted_to(self, role: str) -> list:
        """The allowed actions of a role, by its ARN."""
        return [action for statement in self.statements(role.rsplit("/", 1)[-1]) for action in statement["Action"]]

    def statements(self, role: str) -> list:
        """The statements of the policies of a role."""
        iam = self.client("iam")
        policies = [iam.get_role_policy(RoleName=role, PolicyName=name) for name in iam.list_role_policies(RoleName=role)["PolicyNames"]]
        return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]

    def calls(self) -> list:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def mails(self) -> list:
        with urllib.request.urlopen(f"{self.endpoint}/_ministack/ses/messages", timeout=60) as answer:
            found = json.load(answer)
        return [mail for mails in found["messages"].values() for mail in mails]

    def bucket(self) -> str:
        return self.outputs[self.subject.bucket]

    def objects_stored(self) -> list:
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=self.bucket())
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def objects(self) -> dict:
        s3, bucket = self.client("s3"), self.bucket()
        return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in self.objects_stored()}

    def dead_letters(self) -> list:
        """The dead letters: handler, key and causes of each. They are received and put back afterwards."""
        sqs, found = self.client("sqs"), []
        for url in self.resources["dead_letters"].values():
            bodies = []
            while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
                for message in messages:
                    bodies.append(message["Body"])
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            for text in bodies:
                sqs.send_message(QueueUrl=url, MessageBody=text)
                body = json.loads(text)
                keys = [place["key"].removesuffix(".json") for place in body["objects"]]
                found += [(body["oms"]["handler"], key, body["oms"]["cause"]) for key in keys]
        return sorted(found)

    def waiting(self) -> int:
        """The number of messages in the handlers' queues, or not delivered to them."""
        sqs, count = self.client("sqs"), 0
        for url in [url for name, url in self.queues().items() if not name.endswith("dead letters")]:
            names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
            found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
            count += sum(int(found[name]) for name in names)
        return count

    def until(self, what: str, reached) -> None:
        end = time.monotonic() + TIMEOUT
        while not reached():
            if time.monotonic() > end:
                raise Failed(f"waiting for {what} took more than {TIMEOUT} s")
            time.sleep(0.1)

    def explain(self) -> None:
        """Prints the state of the services, to help find the cause of a failure."""
        print(f"      {len(self.ask(self.subject.bills))} bills, {len(self.mails())} mails, claims {self.ask('select state, count(*) from oms_claims group by 1')}")
        for name, url in self.queues().items():
            for message in self.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
                print(f"      {name}: {message['Body'][:400]}")
        for line in (self.folder / "emulator.log").read_text(errors="replace").splitlines()[-10:]:
            print(f"      {line[:400]}")
        for call in self.calls()[-200:]:
            if call["status"] >= 400 and call["function"]:
                print(f"      {call['function']} {call['action']} {call['resource']}: {call['status']}")

    def close(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
            process.wait()


def arguments(doc: str) -> argparse.ArgumentParser:
    """The common arguments of the tests on a stack."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("generated", "built", "oms", "data-api"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--corpus", type=Path)
    return parser


def run_test(cloud: Cloud, test) -> int:
    """Deploys a stack, runs a test on it, and returns the exit code."""
    try:
        cloud.open()
        test()
    except Failed as failed:
        print(f"FAIL  {failed}", flush=True)
        cloud.explain()
        return 1
    finally:
        cloud.close()
    return 0
