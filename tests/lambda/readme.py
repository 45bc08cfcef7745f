"""Follows the README of a generated folder, command by command: deployment, update, rollback, operation and deletion.

    python readme.py --generated DIR --built DIR --oms FILE --data-api FILE --tools DIR [--count N]

`--tools` is the folder with `sam`, `cargo-lambda` and `aws`. The commands run in the generated folder, in one shell, exactly as the README
gives them, with two additions that it names: the architecture of this machine, and the path of the pipeline file. The emulator stands for
AWS. The pipeline changes while orders are in flight. No order may be lost, billed twice or confirmed twice.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cloud import BILLS, ROOT, Cloud, Failed, arguments, check
from machine import by_id, normal

STACK = "storefront"
ARCHITECTURE = "Architecture=x86_64"
# Parameters that make the outcome independent of the speed of the machine, for the first deployment.
PARAMETERS = "IntakeRate=100000 IntakeBurst=100000 MailRate=1000 CreateSenderIdentity=true"


def blocks(readme: str) -> dict:
    """The shell commands of each section."""
    found = {}
    for section in re.split(r"^## ", readme, flags=re.M)[1:]:
        title, _, text = section.partition("\n")
        commands = re.findall(r"^ *```sh\n(.*?)^ *```", text, flags=re.M | re.S)
        found[title] = [re.sub(r"^   ", "", command, flags=re.M) for command in commands]
    return found


class Shell:
    """A shell that keeps its variables and functions. A command that fails ends the test."""

    def __init__(self, folder: Path, environment: dict):
        self.scratch = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            ["bash", "-eu"], cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, commands: str) -> str:
        print("".join(f"$ {line}\n" for line in commands.splitlines()), end="", flush=True)
        script = Path(self.scratch.name) / "commands.sh"
        # Functions that end in a pipeline must also fail.
        script.write_text("set -o pipefail\n" + commands)
        # `sam deploy` asks for a confirmation, and shows the progress of uploads.
        quiet = "2> >(tr '\\r' '\\n' | grep --invert-match Uploading >&2)"
        self.process.stdin.write(f"source {script} < <(yes y 2>/dev/null) {quiet}\necho; echo '<done>'\n")
        self.process.stdin.flush()
        said = []
        for line in self.process.stdout:
            if line == "<done>\n":
                return "".join(said)
            said.append(line)
        raise Failed(f"the command failed: {commands}\n{''.join(said)[-4000:]}")

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.scratch.cleanup()


def adapted(command: str, pipeline: Path) -> str:
    """The command with the architecture of this machine, as the README describes."""
    command = command.replace("path/to/storefront.yaml", str(pipeline))
    command = re.sub(r"^(sam build)$", rf"\1 --parameter-overrides {ARCHITECTURE}", command, flags=re.M)
    command = re.sub(r"^(sam deploy)$", rf"\1 --parameter-overrides {ARCHITECTURE}", command, flags=re.M)
    return re.sub(r"^(sam deploy --parameter-overrides .*)$", rf"\1 {ARCHITECTURE}" if ARCHITECTURE not in command else r"\1", command, flags=re.M)


class Follower:
    """Follows the README on the emulator."""

    def __init__(self, args, folder: Path):
        self.args, self.cloud = args, Cloud(args, folder)
        self.pipelines = folder / "project/pipelines"
        shutil.copytree(ROOT / "pipelines", self.pipelines)
        shutil.copytree(ROOT / "templates/email", folder / "project/templates/email")
        (folder / "project/.git").mkdir()  # the root of a project
        self.pipeline = self.pipelines / "storefront.yaml"
        path = os.pathsep.join([str(self.curl(folder / "bin")), str(args.tools.resolve()), str(args.oms.resolve().parent), os.environ["PATH"]])
        self.environment = {**self.cloud.environment, "PATH": path, "SAM_CLI_TELEMETRY": "0", "AWS_PAGER": ""}
        # A user's region is usually in the default profile, which no other profile inherits.
        region = self.environment.pop("AWS_REGION")
        (folder / "config").write_text(f"[default]\nregion = {region}\n")
        self.environment |= self.profiles(folder)
        # The profile of the operator would have no effect with these.
        keys = {name: self.environment.pop(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
        lines = ["[default]", *(f"{name.lower()} = {value}" for name, value in keys.items())]
        (folder / "credentials").write_text("\n".join(lines) + "\n")
        self.followed = set()
        self.shell = Shell(args.generated, self.environment)

    def profiles(self, folder: Path) -> dict:
        """Returns the environment variables that keep profiles of the AWS CLI in a folder."""
        return {"AWS_CONFIG_FILE": str(folder / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials")}

    def curl(self, folder: Path) -> Path:
        """Writes a `curl` for which the host name of an API leads to the emulator."""
        folder.mkdir()
        script = folder / "curl"
        host, there = r"https://([^.]*)\.execute-api\.[^/]*/live", rf"{self.cloud.endpoint}/restapis/\1/live/_user_request_"
        script.write_text(f"""#!/bin/bash
words=()
for word in "$@"; do words+=("$(sed -E 's#{host}#{there}#' <<< "$word")"); done
exec {shutil.which("curl")} --silent --show-error "${{words[@]}}"
""")
        script.chmod(0o755)
        return folder

    def section(self, title: str) -> list:
        """The shell commands of a section, which the caller follows."""
        self.followed.add(title)
        return self.read()[title]

    def read(self) -> dict:
        return blocks((self.args.generated / "README.md").read_text(encoding="utf-8"))

    def do(self, command: str) -> str:
        return self.shell.run(adapted(command, self.pipeline))

    def deploy(self, order: bytes) -> None:
        key = json.loads(order)["order_id"]
        (self.args.generated / "order.json").write_bytes(order)
        customers = (ROOT / "pipelines/storefront/customers.ndjson").read_bytes()
        (self.args.generated / "rows.ndjson").write_bytes(customers)
        for command in [*self.section("Set up the shell"), *self.section("Deploy")]:
            if command == "sam deploy\n":
                command = f"sam deploy --parameter-overrides {PARAMETERS}\n"
            if command.startswith("oms db migrate"):
                self.serve_database()
            said = self.do(command.replace("<order key>", key))
            if command.startswith("curl"):
                check("the answer to the first order", key, json.loads(said)["key"])
        self.cloud.until("the first bill and mail", lambda: self.cloud.ask(BILLS) and self.cloud.mails())

    def serve_database(self) -> None:
        """Starts the database of the deployed stack."""
        cloud = self.cloud
        outputs = cloud.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
        cloud.outputs = {output["OutputKey"]: output["OutputValue"] for output in outputs}
        cloud.resources = json.loads((self.args.generated / "resources.json").read_text())
        roles = {arn: cloud.role(arn) for arn in cloud.resources["roles"].values()}
        secrets = [cloud.resources["owner_secret"], *[f"{arn}={role}" for arn, role in roles.items()]]
        cloud.postgres, _ = cloud.database(cloud.resources["cluster"], secrets, cloud.database_port)
        gateway = cloud.client("apigateway")
        cloud.key = gateway.get_api_key(apiKey=cloud.outputs["ApiKeyId"], includeValue=True)["value"]

    def update(self, orders: list) -> None:
        """Changes the pipeline while orders are in flight."""
        text = self.pipeline.read_text(encoding="utf-8")
        changed = text.replace("      billed_at: timestamp\n", "      billed_at: timestamp\n      note: text?\n")
        changed = changed.replace("        billed_at: ${{ run.accepted_at }}\n", "        billed_at: ${{ run.accepted_at }}\n        note: updated\n")
        if changed.count("note:") != 2:
            raise Failed("the pipeline of the storefront has changed")
        self.pipeline.write_text(changed, encoding="utf-8")
        with ThreadPoolExecutor(4) as pool:
            answers = None
            for command in self.section("Update"):
                if "sam deploy" in command:
                    # The orders arrive during the deployment, not during the build.
                    build, _, deploy = command.partition("sam deploy")
                    self.do(build)
                    answers = [pool.submit(self.cloud.put, json.loads(order)["order_id"], order) for order in orders]
                    command = "sam deploy" + deploy
                said = self.do(command)
                if "--plan" in command:
                    check("the plan of the migration", 'alter table "billing_data" add column if not exists "note" text;', said.strip().splitlines()[0])
            check("the answers during the update", {201}, {answer.result() for answer in answers})

    def versions(self) -> set:
        client = self.cloud.client("lambda")
        names = [found["FunctionName"] for found in client.list_functions()["Functions"]]
        return {client.get_alias(FunctionName=name, Name="live")["FunctionVersion"] for name in names}

    def settled(self, count: int) -> None:
        cloud = self.cloud
        cloud.until("every bill", lambda: len(cloud.ask(BILLS)) >= count)
        cloud.until("the queues to empty", lambda: cloud.waiting() == 0)
        check("the parked orders", [], cloud.parked())
        check("the bills", count, len(cloud.ask(BILLS)))
        mails = [normal(base64.b64decode(mail["Raw"])) for mail in cloud.mails()]
        check("the mails, and those that differ", (count, count), (len(mails), len(by_id(mails))))

    def delete_versions(self) -> None:
        """Publishes more versions, and deletes the old ones, except the one that runs."""
        client = self.cloud.client("lambda")
        names = [found["FunctionName"] for found in client.list_functions()["Functions"]]
        for name in names:
            for number in range(4):
                client.update_function_configuration(FunctionName=name, Description=f"version {number}")
                client.publish_version(FunctionName=name)
        for command in self.section("Delete old versions"):
            self.do(command)
        versions = lambda name: sorted(found["Version"] for found in client.list_versions_by_function(FunctionName=name)["Versions"])  # noqa: E731
        check("the versions that are left", {("$LATEST", "1", "4", "5", "6")}, {tuple(versions(name)) for name in names})
        check("the versions that run", {"1"}, self.versions())

    def rotate(self) -> None:
        secret = self.cloud.resources["roles"]["initiate-billing"]
        password = lambda: json.loads(self.cloud.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])["password"]  # noqa: E731
        before, role = password(), self.cloud.role(secret)
        for command in self.section("Rotate the database passwords"):
            self.do(command.replace("<secret>", secret).replace("<role>", role))
        check("the secret has a new password and the same role", (True, role), (password() != before, self.cloud.role(secret)))

    def operate(self, keys: set) -> None:
        """Lists the orders with the role of the operator."""
        said = ""
        for command in self.section("Inspect and retry orders"):
            said += self.do(command)
        check("the listed orders", keys, keys & {line.split()[0] for line in said.splitlines() if line})
        role = self.cloud.outputs["OperatorRoleArn"]
        check("the profile has the role of the operator", True, role in Path(self.environment["AWS_CONFIG_FILE"]).read_text(encoding="utf-8"))
        assumed = [call["status"] for call in self.cloud.calls() if call["action"] == "sts:AssumeRole"]
        check("the role was assumed", {200}, set(assumed))

    def delete(self) -> None:
        for command in self.section("Delete the stack"):
            self.do(command)
        stacks = self.cloud.client("cloudformation").describe_stacks()["Stacks"]
        check("the stack is gone", False, STACK in [found["StackName"] for found in stacks if "DELETE" not in found["StackStatus"]])
        buckets = [bucket["Name"] for bucket in self.cloud.client("s3").list_buckets()["Buckets"]]
        check("the bucket of the orders remains", True, any(name.startswith(f"{STACK}-orders-") for name in buckets))

    def follow(self, count: int) -> None:
        cloud = self.cloud
        cloud.start([
            sys.executable, ROOT / "tests/emulator/emulator.py", "--with-parent", "--enforce-iam", "--port", cloud.port, "--log", cloud.log,
            *[word for name, value in cloud.environment_of_functions().items() for word in ("--function-env", f"{name}={value}")],
        ], stdin=subprocess.PIPE)
        sample = json.loads(min((ROOT / "pipelines/storefront/samples").glob("*.json")).read_text())
        order = lambda name: json.dumps({**sample, "order_id": name}).encode()  # noqa: E731
        self.deploy(order("FIRST"))
        check("the versions that run", {"1"}, self.versions())
        self.update([order(f"FLIGHT-{number}") for number in range(count)])
        check("the versions that run", {"2"}, self.versions())
        self.settled(1 + count)
        check("a new order", 201, cloud.put("UPDATED", order("UPDATED")))
        self.settled(2 + count)
        noted = cloud.ask("select note from billing_data where order_id = 'UPDATED'")
        check("the row of the new version", ["updated"], noted)
        for command in self.section("Roll back"):
            self.do(command)
        check("the versions that run", {"1"}, self.versions())
        check("an order after the rollback", 201, cloud.put("BACK", order("BACK")))
        self.settled(3 + count)
        check("the row of the old version", [""], cloud.ask("select note from billing_data where order_id = 'BACK'"))
        self.delete_versions()
        self.rotate()
        check("an order after the rotation", 201, cloud.put("ROTATED", order("ROTATED")))
        self.settled(4 + count)
        self.operate({"UPDATED", "BACK", "ROTATED"})
        with_commands = {title for title, commands in self.read().items() if commands}
        self.delete()
        check("sections that were not followed", set(), with_commands - self.followed)


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--tools", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="oms-readme-") as scratch:
        follower = Follower(args, Path(scratch))
        try:
            follower.follow(args.count)
        except Failed as failed:
            print(f"FAIL  {failed}", flush=True)
            return 1
        finally:
            follower.shell.close()
            follower.cloud.close()
    print("the README was followed to the end", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
