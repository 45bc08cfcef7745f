"""Deploys a packaged template to the emulator through a change set, as `sam deploy` does, and prints the outputs.

    python deploy.py PACKAGED --endpoint URL --stack NAME [--parameter NAME=VALUE]...

As a function, `deploy(text, cloudformation, stack, parameters, s3, bucket)` returns the outputs or raises an error with the reasons.
"""

import argparse
import json
import time
from pathlib import Path

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]


class DeployError(Exception):
    pass


def settled(describe, key: str, seconds: float) -> dict:
    """Waits until `key` in the result of `describe` is no longer IN_PROGRESS or PENDING, and returns the result."""
    end = time.monotonic() + seconds
    while True:
        what = describe()
        if not what[key].endswith(("IN_PROGRESS", "PENDING")):
            return what
        if time.monotonic() > end:
            raise DeployError(f"still {what[key]} after {seconds} s")
        time.sleep(0.1)


# Maximum size in bytes of a template in a call. A larger one must be in S3 ("AWS CloudFormation quotas").
BODY_MAX = 51_200


def deploy(text: str, cloudformation, stack: str, parameters: dict[str, str] | None = None, s3=None, bucket: str = "") -> dict[str, str]:
    """Deploys a template. A template that is too large for a call is uploaded to `bucket` first, as `sam deploy` does with `resolve_s3`."""
    body = {"TemplateBody": text}
    if s3 is not None and len(text.encode()) > BODY_MAX:
        key = f"{stack}.template"
        s3.put_object(Bucket=bucket, Key=key, Body=text.encode())
        body = {"TemplateURL": f"{s3.meta.endpoint_url}/{bucket}/{key}"}
    existing = [s["StackName"] for s in cloudformation.describe_stacks()["Stacks"]]
    change_set = f"change-{time.time_ns()}"
    cloudformation.create_change_set(
        StackName=stack, ChangeSetName=change_set, ChangeSetType="UPDATE" if stack in existing else "CREATE",
        Capabilities=CAPABILITIES, **body,
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in (parameters or {}).items()])
    made = settled(lambda: cloudformation.describe_change_set(StackName=stack, ChangeSetName=change_set), "Status", 60)
    if made["Status"] != "CREATE_COMPLETE":
        raise DeployError(f"change set {made['Status']}: {made.get('StatusReason')}")
    cloudformation.execute_change_set(StackName=stack, ChangeSetName=change_set)
    done = settled(lambda: cloudformation.describe_stacks(StackName=stack)["Stacks"][0], "StackStatus", 120)
    if done["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        reasons = [f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason')}"
                   for e in cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
                   if "FAILED" in e["ResourceStatus"]]
        raise DeployError("\n".join([f"stack {done['StackStatus']}", *reasons]))
    return {o["OutputKey"]: o["OutputValue"] for o in done.get("Outputs", [])}


def main() -> None:
    import boto3

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("template", type=Path)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--parameter", metavar="NAME=VALUE", action="append", default=[])
    args = parser.parse_args()
    cloudformation = boto3.client("cloudformation", endpoint_url=args.endpoint, region_name="us-east-1",
                                  aws_access_key_id="test", aws_secret_access_key="test")
    parameters = dict(pair.split("=", 1) for pair in args.parameter)
    print(json.dumps(deploy(args.template.read_text(encoding="utf-8"), cloudformation, args.stack, parameters), indent=2))


if __name__ == "__main__":
    main()
