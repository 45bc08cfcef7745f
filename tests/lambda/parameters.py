"""Changes each parameter of the stack with an update, and sees the change reach what runs.

    python parameters.py --generated DIR --built DIR --oms FILE --data-api FILE [--corpus DIR]

The arguments are those of `end_to_end.py`. Each parameter of the template needs a check. A check has a new value and a probe, which reads
the effect of the parameter from the running system. The probe must show the old value before the update and the new value after it.

Each update changes only one parameter, because one change could deploy another. For example, a new `Release` publishes every change of a
function, and would hide that a parameter does not publish the function itself.
"""

import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import boto3
import yaml
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from cloud import BILLS, ROOT, Cloud, Failed, arguments, check, deploy, package, run_test

SAMPLE = min((ROOT / "pipelines/storefront/samples").glob("*.json"))
# Values before the first update. The other tests deploy the first two parameters with the values to which this test changes them. The URLs
# of this test lead nowhere.
FIRST = {"Architecture": "arm64", "CreateSenderIdentity": "false", "RatesUrl": "http://127.0.0.1:9/old.zip"}


@dataclass(frozen=True)
class Check:
    """The check of a parameter."""

    parameter: str
    # The new value.
    value: str
    # Reads the effect from the running system.
    probe: Callable[[Cloud], object]
    # Returns the effect that a value must have. Most probes return the values in effect everywhere.
    effect: Callable[[str], object] = lambda value: {value}


def number(value) -> str:
    return f"{float(value):.10g}"


def physical(cloud: Cloud, logical_id: str) -> str:
    found = cloud.client("cloudformation").describe_stack_resource(StackName="stack", LogicalResourceId=logical_id)
    return found["StackResourceDetail"]["PhysicalResourceId"]


# Functions: the configuration of the version that runs. A function that is not published runs its old version.


def running(cloud: Cloud) -> list:
    """The configurations of the versions that the aliases name."""
    client = cloud.client("lambda")
    names = [function["FunctionName"] for function in client.list_functions()["Functions"]]
    found = [client.get_function_configuration(FunctionName=name, Qualifier="live") for name in names]
    if any(configuration["Version"] == "$LATEST" for configuration in found):
        raise Failed("an alias does not name a published version")
    return found


def variables(cloud: Cloud) -> list:
    return [configuration["Environment"]["Variables"] for configuration in running(cloud)]


def variable(name: str) -> Callable[[Cloud], set]:
    return lambda cloud: {found[name] for found in variables(cloud) if name in found}


def mail_rates(cloud: Cloud) -> set:
    resources = [json.loads(found["OMS_RESOURCES"]) for found in variables(cloud)]
    return {str(found["mail_rate"]) for found in resources if "mail_rate" in found}


def recipients(cloud: Cloud) -> set:
    """The recipients to whom the statement of the parameter allows to send."""
    found = set()
    for role in {configuration["Role"].rsplit("/", 1)[-1] for configuration in running(cloud)}:
        statements = cloud.statements(role)
        found |= {arn for statement in statements if statement["Sid"] == "Recipients" for arn in statement["Resource"]}
    return found


def releases(cloud: Cloud) -> set:
    """The releases in the versions of all functions: the second word, after the digest of the sources."""
    return {found["OMS_VERSION"].split()[1] for found in variables(cloud)}


def architectures(cloud: Cloud) -> set:
    return {name for configuration in running(cloud) for name in configuration["Architectures"]}


def concurrency(cloud: Cloud) -> set:
    """The limits of the branches. The limit of the handler mail-events is a constant."""
    found = cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    queues = {url.rsplit("/", 1)[-1] for url in cloud.resources["queues"].values()}
    return {str(source["ScalingConfig"]["MaximumConcurrency"]) for source in found if source["EventSourceArn"].rsplit(":", 1)[-1] in queues}


def schedule(logical_id: str) -> Callable[[Cloud], set]:
    return lambda cloud: {cloud.client("events").describe_rule(Name=physical(cloud, logical_id))["ScheduleExpression"]}


def callers(cloud: Cloud) -> set:
    """The versions or aliases that event sources, schedules and the API call."""
    events, gateway = cloud.client("events"), cloud.client("apigateway")
    called = [source["FunctionArn"] for source in cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]]
    for rule in events.list_rules()["Rules"]:
        called += [target["Arn"] for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]]
    for resource in gateway.get_resources(restApiId=cloud.outputs["ApiId"], embed=["methods"])["items"]:
        methods = resource.get("resourceMethods", {}).values()
        called += [method["methodIntegration"]["uri"].removesuffix("/invocations") for method in methods]
    return {arn.partition(":function:")[2].partition(":")[2] for arn in called}


# API Gateway


def stage(cloud: Cloud) -> dict:
    return cloud.client("apigateway").get_stage(restApiId=cloud.outputs["ApiId"], stageName="live")


def plan(cloud: Cloud) -> dict:
    return cloud.client("apigateway").get_usage_plan(usagePlanId=physical(cloud, "UsagePlan"))


def throttle(of_stage: str, of_plan: str) -> Callable[[Cloud], set]:
    return lambda cloud: {number(stage(cloud)["methodSettings"]["*/*"][of_stage]), number(plan(cloud)["throttle"][of_plan])}


def access_log(cloud: Cloud) -> tuple:
    """The existing log group that the stage writes to, and its level of execution logs."""
    found = stage(cloud)
    arn = found.get("accessLogSettings", {}).get("destinationArn", "")
    groups = cloud.client("logs").describe_log_groups()["logGroups"]
    settings = found["methodSettings"]["*/*"]
    return [group["logGroupName"] for group in groups if group["arn"].removesuffix(":*") == arn.removesuffix(":*")], settings["loggingLevel"]


class Orders:
    """Puts orders, each with its own key."""

    def __init__(self):
        self.sample, self.numbers, self.accepted = json.loads(SAMPLE.read_text(encoding="utf-8")), itertools.count(1), []

    def put(self, send: Callable[[str, bytes], int]) -> int:
        key = f"ORDER-{next(self.numbers)}"
        status = send(key, json.dumps(self.sample | {"order_id": key}).encode())
        self.accepted += [key] if status == 201 else []
        return status

    def answers(self, cloud: Cloud) -> dict:
        """The answers to an order with only the API key, and to one with only a signature."""
        return {"key": self.put(cloud.put), "signature": self.put(lambda key, body: put_signed(cloud, key, body))}


ORDERS = Orders()


def put_signed(cloud: Cloud, key: str, body: bytes) -> int:
    request = AWSRequest("PUT", cloud.url(key), data=body, headers={"content-type": "application/json"})
    credentials = boto3.Session("test", "test").get_credentials()
    SigV4Auth(credentials, "execute-api", "us-east-1").add_auth(request)
    return cloud.send(request.url, body, dict(request.headers.items()))


# Database


def cluster(cloud: Cloud) -> dict:
    [found] = cloud.client("rds").describe_db_clusters()["DBClusters"]
    return found


def scaling(cloud: Cloud) -> dict:
    return cluster(cloud)["ServerlessV2ScalingConfiguration"]


def pause(cloud: Cloud) -> str | None:
    found = scaling(cloud)
    return str(found["SecondsUntilAutoPause"]) if "SecondsUntilAutoPause" in found else None


def networks(cloud: Cloud) -> set:
    """The address ranges of the networks of the stack. An account also has a default network."""
    found = cloud.client("ec2").describe_vpcs()["Vpcs"]
    return {network["CidrBlock"] for network in found if not network["IsDefault"]}


# Everything else


def retention(cloud: Cloud) -> set:
    return {str(group.get("retentionInDays")) for group in cloud.client("logs").describe_log_groups()["logGroups"]}


def noncurrent_days(cloud: Cloud) -> set:
    rules = cloud.client("s3").get_bucket_lifecycle_configuration(Bucket=cloud.bucket())["Rules"]
    return {str(rule["NoncurrentVersionExpiration"]["NoncurrentDays"]) for rule in rules if "NoncurrentVersionExpiration" in rule}


def queue_ages(cloud: Cloud) -> set:
    alarms = cloud.client("cloudwatch").describe_alarms()["MetricAlarms"]
    return {number(alarm["Threshold"]) for alarm in alarms if alarm["MetricName"] == "ApproximateAgeOfOldestMessage"}


def identity_exists(cloud: Cloud) -> set:
    return {str(bool(cloud.client("sesv2").list_email_identities()["EmailIdentities"])).lower()}


def subscribers(cloud: Cloud) -> set:
    topic = cloud.outputs["AlarmTopicArn"]
    return {found["Endpoint"] for found in cloud.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]}


def budgets(cloud: Cloud) -> set:
    """The amounts of the budgets, each with the recipients of its notifications."""
    client, account = cloud.client("budgets"), cloud.client("sts").get_caller_identity()["Account"]
    found = set()
    for budget in client.describe_budgets(AccountId=account).get("Budgets", []):
        name = {"AccountId": account, "BudgetName": budget["BudgetName"]}
        for notification in client.describe_notifications_for_budget(**name)["Notifications"]:
            recipients = client.describe_subscribers_for_notification(**name, Notification=notification)["Subscribers"]
            found |= {(number(budget["BudgetLimit"]["Amount"]), recipient["Address"]) for recipient in recipients}
    return found


RECIPIENT = "arn:aws:ses:us-east-1:000000000000:identity/someone@example.com"
MAIL, OTHER_MAIL, BUDGET = "first@example.com", "second@example.com", "50"

# In the sequence of the updates.
CHECKS = [
    Check("CreateSenderIdentity", "true", identity_exists),
    Check("Architecture", "x86_64", architectures),
    Check("Release", "2", releases),
    Check("MailRate", "700", mail_rates),
    Check("SandboxRecipients", RECIPIENT, recipients, lambda value: {value} - {""}),
    Check("RatesUrl", "http://127.0.0.1:9/new.zip", variable("OMS_RATES_URL")),
    Check("RatesEvery", "cron(45 15 ? * MON-FRI *)", schedule("RefreshSchedule")),
    Check("ReconcileAgeSeconds", "120", variable("OMS_RECONCILE_AGE")),
    Check("ReconcileDays", "7", variable("OMS_RECONCILE_DAYS")),
    Check("ReconcileEvery", "rate(12 hours)", schedule("ReconcileSchedule")),
    Check("BranchConcurrency", "5", concurrency),
    Check("DatabaseEngineVersion", "16.9", lambda cloud: {cluster(cloud)["EngineVersion"]}),
    Check("DatabaseBackupDays", "7", lambda cloud: {str(cluster(cloud)["BackupRetentionPeriod"])}),
    Check("DatabaseDeletionProtection", "true", lambda cloud: {str(cluster(cloud)["DeletionProtection"]).lower()}),
    Check("DatabaseMaxCapacity", "8", lambda cloud: {number(scaling(cloud)["MaxCapacity"])}),
    Check("DatabasePauseSeconds", "600", lambda cloud: {pause(cloud)}),
    # Only a database that may scale to zero pauses.
    Check("DatabaseMinCapacity", "0.5", lambda cloud: (number(scaling(cloud)["MinCapacity"]), pause(cloud)),
          lambda value: (value, "600" if value == "0" else None)),
    Check("NoncurrentVersionDays", "30", noncurrent_days),
    Check("QueueAgeSeconds", "600", queue_ages),
    Check("AlarmEmail", MAIL, subscribers, lambda value: {value} - {""}),
    Check("MonthlyBudgetUsd", BUDGET, budgets, lambda value: {(value, MAIL)} if value != "0" else set()),
    Check("AlarmEmail", OTHER_MAIL, lambda cloud: (subscribers(cloud), budgets(cloud)), lambda value: ({value}, {(BUDGET, value)})),
    Check("IntakeAccessLog", "true", access_log,
          lambda value: (["/aws/apigateway/stack-intake"], "ERROR") if value == "true" else ([], "OFF")),
    # After IntakeAccessLog, whose log group it also changes.
    Check("LogRetentionDays", "7", retention),
    Check("IntakeRate", "5000", throttle("throttlingRateLimit", "rateLimit")),
    Check("IntakeBurst", "6000", throttle("throttlingBurstLimit", "burstLimit")),
    Check("IntakeDailyQuota", "2000", lambda cloud: {number(plan(cloud)["quota"]["limit"])}),
    # Last, because there is no usage plan without API keys.
    Check("IntakeAuth", "Iam", ORDERS.answers,
          lambda value: {"key": 201, "signature": 403} if value == "ApiKey" else {"key": 403, "signature": 201}),
]

# A new network replaces the VPC and its subnets. RDS keeps a cluster in the VPC of its subnet group: a change of DBSubnetGroupName replaces
# the cluster ("AWS::RDS::DBCluster"), and ModifyDBSubnetGroup accepts only subnets of the same VPC (InvalidSubnet in its reference,
# "The new Subnets are not in the same Vpc as the existing subnet group", terraform-provider-aws#27459).
UNCHANGEABLE = {"NetworkCidr": ("10.74.0.0/24", "DatabaseSubnets", networks)}


def declared(args) -> dict:
    """The parameters of the template, with their defaults and descriptions."""
    text = (args.generated / "template.yaml").read_text(encoding="utf-8")
    return yaml.load(text, package.Loader)["Parameters"]


def change(cloud: Cloud, one: Check, old: str) -> None:
    if one.effect(old) == one.effect(one.value):
        raise Failed(f"{one.parameter}: {old} and {one.value} have the same effect")
    what = f"{one.parameter}, {old or 'empty'}"
    check(f"{what} before the update", one.effect(old), one.probe(cloud))
    if one.parameter == "IntakeAuth":
        # SAM names a deployment of the API after the second (`AlwaysDeploy`), so two updates in one second have the same deployment.
        time.sleep(1)
    try:
        cloud.deploy({one.parameter: one.value})
    except deploy.DeployError as error:
        raise Failed(f"{what} to {one.value}: {'; '.join(str(error).splitlines())}") from error
    check(f"{what} to {one.value}", one.effect(one.value), one.probe(cloud))


def rejected(cloud: Cloud, parameter: str, declaration: dict) -> None:
    """A parameter that AWS cannot change: the update fails, the stack keeps its value, and the template says so."""
    value, resource, probe = UNCHANGEABLE[parameter]
    check(f"the description of {parameter} says that it cannot be changed", True, "cannot be changed" in declaration["Description"])
    try:
        cloud.deploy({parameter: value})
    except deploy.DeployError as error:
        check(f"{parameter} is rejected because of", resource, str(error).splitlines()[1].partition(":")[0])
    else:
        raise Failed(f"{parameter} was changed to {value}")
    check(f"{parameter} after the rollback", {str(declaration["Default"])}, probe(cloud))


def budget_without_address(cloud: Cloud) -> None:
    """A budget that nobody is notified of is rejected."""
    try:
        cloud.deploy({"MonthlyBudgetUsd": BUDGET})
    except (deploy.DeployError, ClientError) as error:
        check("a budget without an address is rejected", True, "MonthlyBudgetUsd requires AlarmEmail" in str(error))
    else:
        raise Failed("a budget without an address was deployed")


def every_parameter(cloud: Cloud, args) -> None:
    template = declared(args)
    checked = {one.parameter for one in CHECKS} | set(UNCHANGEABLE)
    check("parameters without a check", [], sorted(set(template) - checked))
    check("checks without a parameter", [], sorted(checked - set(template)))
    check("what event sources, schedules and the API call", {"live"}, callers(cloud))
    # API Gateway writes logs only with a role of the account, as the description of IntakeAccessLog says.
    role = [{"op": "replace", "path": "/cloudwatchRoleArn", "value": "arn:aws:iam::000000000000:role/logs"}]
    cloud.client("apigateway").update_account(patchOperations=role)
    for parameter in UNCHANGEABLE:
        rejected(cloud, parameter, template[parameter])
    budget_without_address(cloud)
    for one in CHECKS:
        change(cloud, one, cloud.parameters.get(one.parameter, str(template[one.parameter]["Default"])))
    cloud.until("the bills and mails", lambda: len(cloud.ask(BILLS)) == len(cloud.mails()) == len(ORDERS.accepted))
    check("the orders that were put and processed", ORDERS.accepted, [row.split("|")[0] for row in cloud.ask(BILLS)])
    print(f"{len(template)} parameters checked", flush=True)


def main() -> int:
    args = arguments(__doc__).parse_args()
    args.customers = ROOT / "pipelines/storefront/customers.ndjson"
    with tempfile.TemporaryDirectory() as name:
        cloud = Cloud(args, Path(name))
        cloud.parameters |= FIRST
        return run_test(cloud, lambda: every_parameter(cloud, args))


if __name__ == "__main__":
    sys.exit(main())
