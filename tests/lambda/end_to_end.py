"""End-to-end test: deploys the unchanged output of `oms generate lambda` and puts orders through its API.

    python end_to_end.py --generated DIR --built DIR --oms FILE --data-api FILE [--corpus DIR] [--count N]

`--generated` is the generated folder, `--built` the folder with the handlers' programs by name, `--oms` a program built with the feature
`aws`, `--data-api` the strict RDS Data API (`oms-data-api`), and `--corpus` the large test data. Without `--corpus`, the test puts the
storefront's samples.

The test starts the AWS emulator and the Data API with its own PostgreSQL, and queries S3, the database and SES. The results of the handlers
must equal those of a local `oms run` with the same orders: answers, bills, objects, mails, and parked orders. Then each handler is notified
again of every order that is not parked, in a different sequence, and nothing may change. An order waits while newer exchange rates are stored.
An operator exports a table, cancels an order, and erases a customer. Finally, SQS gives up on an order, an e-mail exceeds the sending rate, SES
reports a bounce and an e-mail whose outcome was unknown, `oms run --target aws` uses the same services, and old notes are deleted.
"""

import base64
import json
import random
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cloud import BILLS, PIPELINE, ROOT, Cloud, Failed, arguments, check, run_test
from from_here import beside_handlers, from_here
from machine import Machine, Outcome, by_id, normal
from operations import operated, pruned
from rates import Bank, refreshed

# The counters of `oms run` by the status of the intake.
ANSWERS = {201: "accepted", 200: "duplicates", 409: "conflicts", 400: "rejected", 413: "rejected"}
# Number of orders in a message of a repeated delivery.
TOGETHER = 7


def customers(args, folder: Path) -> Path:
    """The storefront's customers, and the customer of the hostile orders."""
    path = folder / "customers.ndjson"
    known = (ROOT / "pipelines/storefront/customers.ndjson").read_text(encoding="utf-8")
    one = {"customer_id": "C1", "name": "Zoë <b>O'Neill</b>", "email": "zoe@example.com", "locale": "de-AT"}
    path.write_text(known.rstrip("\n") + "\n" + json.dumps(one) + "\n", encoding="utf-8")
    return path


def corpus(args) -> tuple:
    """Orders that may be put concurrently, and orders that must be put sequentially."""
    if args.corpus is None:
        samples = [path.read_bytes() for path in sorted((ROOT / "pipelines/storefront/samples").glob("*.json"))]
        order = json.loads(samples[0])
        # The first one has an unknown customer, and the second one a currency without a rate.
        parked = [order | {"order_id": "PARKED-1", "customer_id": "nobody"}, order | {"order_id": "PARKED-2", "currency": "VES"}]
        return samples[: args.count], [json.dumps(order).encode() for order in parked]
    lines = lambda path: path.read_text(encoding="utf-8").splitlines()  # noqa: E731
    orders = args.corpus / "orders"
    at_once = lines(orders / "orders-sample.ndjson")[: args.count]
    for name in ("rounding-ties", "date-edges", "orders-no-ecb-rate", "credit-notes"):
        at_once += lines(orders / f"{name}.ndjson")
    one_by_one = []
    for number, line in enumerate(lines(args.corpus / "bad-input/orders/cases.ndjson")):
        # Give each case its own key, except for the cases about keys.
        raw = json.loads(line)["raw"].replace("EDGE-1", f"EDGE-{number}")
        one_by_one += [raw.encode()] if raw.strip() else []
    for path in sorted((args.corpus / "bad-input/orders").glob("*.json")):
        one_by_one.append(path.read_bytes())
    for path in sorted((args.corpus / "payloads").glob("*.json")):
        # A file may hold an array of orders; a request holds one order.
        body = path.read_bytes()
        read = json.loads(body)
        one_by_one += [json.dumps(order).encode() for order in read] if isinstance(read, list) else [body]
    return [line.encode() for line in at_once], one_by_one


def name_of(number: int, order: bytes) -> str:
    """The name of an order in its URL: its own key, if it has one."""
    try:
        key = json.loads(order)["order_id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        key = None
    return key if isinstance(key, str) and key else f"case-{number}"


def first_order(cloud: Cloud, order: bytes) -> None:
    """Puts one order, and checks every status of the intake."""
    first = json.loads(order)
    key = first["order_id"]
    check("without an API key", 403, cloud.put(key, order, with_key=False))
    check("an invalid order", 400, cloud.put(key, b'{"order_id": '))
    check("the number of stored objects", 0, len(cloud.objects()))
    begun = time.monotonic()
    check("a new order", 201, cloud.put(key, order))
    cloud.until("the first bill and mail", lambda: cloud.ask(BILLS) and cloud.mails())
    print(f"      row and mail after {time.monotonic() - begun:.2f} s with cold handlers", flush=True)
    check("the same order again, as after a lost answer", 200, cloud.put(key, order))
    check("the same order in another format", 200, cloud.put(key, json.dumps(first, indent=1).encode()))
    check("a different order with its key", 409, cloud.put(key, json.dumps({**first, "customer_id": "other"}).encode()))


def wait_until_done(cloud: Cloud) -> None:
    """Waits until every handler has a note on every stored order."""
    handlers = len(cloud.resources["queues"])

    def done() -> bool:
        return int(cloud.ask("select count(*) from oms_branches where state <> 'waiting'")[0]) >= handlers * len(cloud.objects_stored())

    cloud.until("a note of every handler on every order", done)
    cloud.until("the queues to empty", lambda: cloud.waiting() == 0)


def outcome(cloud: Cloud, answers: dict) -> Outcome:
    mails = [normal(base64.b64decode(mail["Raw"])) for mail in cloud.mails()]
    check("the number of different mails", len(mails), len(by_id(mails)))
    return Outcome(answers, cloud.ask(cloud.subject.bills), cloud.objects(), by_id(mails), cloud.parked())


def equal(what: str, here: Outcome, there: Outcome) -> None:
    for part in ("answers", "bills", "objects", "mails", "parked"):
        a, b = getattr(here, part), getattr(there, part)
        if a != b:
            explain(part, a, b)
            raise Failed(f"{what}: {part} differ")
        size = len(a) if part != "answers" else a
        print(f"ok    {what}: {part} are equal: {size}", flush=True)


def explain(part: str, a, b) -> None:
    one, other = (set(a.items()) if part == "answers" else set(a), set(b.items()) if part == "answers" else set(b))
    print(f"      {part} only in the first: {sorted(one - other)[:5]}; only in the second: {sorted(other - one)[:5]}")
    if isinstance(a, dict):
        changed = [key for key in one & other if part != "answers" and a[key] != b[key]]
        for key in changed[:3]:
            print(f"      {key}: {a[key]!r} in the first, {b[key]!r} in the second")


def equivalence(cloud: Cloud, machine: Machine, customers: Path, at_once: list, one_by_one: list) -> Outcome:
    everything = at_once + one_by_one
    here = machine.run(everything, customers)
    answers = dict.fromkeys(["accepted", "duplicates", "conflicts", "rejected"], 0)
    begun = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(cloud.put, [name_of(0, order) for order in at_once], at_once))
    for number, order in enumerate(one_by_one):
        found.append(cloud.put(name_of(number, order), order))
    for code in found:
        answers[ANSWERS.get(code, str(code))] = answers.get(ANSWERS.get(code, str(code)), 0) + 1
    # The first order was already put by `first_order`, so it was a duplicate here.
    answers["accepted"], answers["duplicates"] = answers["accepted"] + 1, answers["duplicates"] - 1
    print(f"      {len(everything)} orders put in {time.monotonic() - begun:.1f} s", flush=True)
    wait_until_done(cloud)
    print(f"      all orders done after {time.monotonic() - begun:.1f} s", flush=True)
    there = outcome(cloud, answers)
    equal("compared with `oms run`", here, there)
    check("the dead letters equal the parked branches", True, cloud.dead_letters() == cloud.parked_branches())
    print(f"{len(everything)} of {len(everything)} orders equal: answers, bills, objects, mails, and parked orders", flush=True)
    return there


def retried(cloud: Cloud, machine: Machine, before: Outcome) -> Outcome:
    """Lists parked orders with their causes, fixes the cause of some, and retries them: with the handlers and with `oms run`."""
    listed = json.loads(cloud.oms("runs", "list", PIPELINE, "--target", "lambda", "--state", "parked", "--limit", 10_000, "--format", "json"))
    check("`oms runs list` shows the parked orders", True, sorted((run["key"], run["cause"]) for run in listed["runs"]) == before.parked)
    keys = [key for key, cause in before.parked if cause == "no_row"][:3]
    if not keys:
        print("      no order is parked, so none is retried", flush=True)
        return before
    shown = json.loads(cloud.oms("runs", "show", PIPELINE, keys[0], "--target", "lambda", "--format", "json"))
    states = {handler["handler"]: (handler["state"], handler["cause"]) for handler in shown["handlers"]}
    check("`oms runs show` shows the branches", {"initiate-billing": ("completed", None), "customer-communications": ("parked", "no_row")}, states)
    orders = [json.loads(before.objects[f"{key}.json"]) for key in keys]
    found = machine.folder / "found.ndjson"
    # A customer may have several of these orders, but only one row.
    customers = sorted({order["customer_id"] for order in orders})
    rows = [{"customer_id": customer, "name": "Found", "email": "found@example.com", "locale": "en"} for customer in customers]
    found.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    machine.load(found)
    here = machine.retry(keys)
    cloud.oms("db", "import", PIPELINE, "customer_contact_info", found, "--target", "aws")
    cloud.oms("runs", "retry", PIPELINE, *keys, "--target", "lambda")
    cloud.until("the mails of the retried orders", lambda: len(cloud.mails()) >= len(here.mails))
    cloud.until("the queues to empty", lambda: cloud.waiting() == 0)
    there = outcome(cloud, before.answers)
    equal(f"after {len(keys)} orders were retried", here, there)
    check("the dead letters equal the branches that are still parked", True, cloud.dead_letters() == cloud.parked_branches())
    return there


def repeated(cloud: Cloud, before: Outcome) -> None:
    """Notifies every handler again of every order that is not parked: twice, in a random sequence, several orders per message."""
    chance = random.Random(7)
    parked = {key for key, _ in before.parked}
    objects = [key for key in before.objects if key.removesuffix(".json") not in parked] * 2
    sent = 0
    for handler in cloud.resources["queues"]:
        chance.shuffle(objects)
        for at in range(0, len(objects), TOGETHER):
            cloud.send_notification(handler, objects[at : at + TOGETHER])
            sent += len(objects[at : at + TOGETHER])
    cloud.until("the queues to empty", lambda: cloud.waiting() == 0)
    equal(f"after {sent} repeated deliveries", before, outcome(cloud, before.answers))


def lost(cloud: Cloud, before: Outcome) -> None:
    """The search for lost orders finds orders without a note and notifies the handler."""
    orders = len(before.objects)
    # The search ignores orders that are less than a minute old.
    cloud.until("all orders to be a minute old", lambda: cloud.invoke("Reconcile")["orders"] == orders)
    check("lost orders", {"parked": 0, "orders": orders, "missing": 0, "all": True}, cloud.invoke("Reconcile"))
    bills = "state = 'completed' and handler = 'initiate-billing'"
    cloud.ask(f"delete from oms_branches where {bills} and key in (select key from oms_branches where {bills} order by key limit 3)")
    check("lost orders after three notes are deleted", 3, cloud.invoke("Reconcile")["missing"])
    cloud.until("the new notes", lambda: cloud.invoke("Reconcile")["missing"] == 0)
    cloud.until("the queues to empty", lambda: cloud.waiting() == 0)
    equal("after the search", before, outcome(cloud, before.answers))


def given_up(cloud: Cloud, order: bytes) -> None:
    """SQS itself gives up on an order. The order becomes visible as parked and can be retried."""
    key, queue = "GIVEN-UP", cloud.resources["queues"]["initiate-billing"]
    sqs, letters = cloud.client("sqs"), cloud.resources["dead_letters"]["initiate-billing"]
    policy = json.loads(sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["RedrivePolicy"])["Attributes"]["RedrivePolicy"])
    check("the deliveries before SQS gives up", True, int(policy["maxReceiveCount"]) >= 20)
    limit = lambda count: sqs.set_queue_attributes(  # noqa: E731
        QueueUrl=queue, Attributes={"RedrivePolicy": json.dumps({**policy, "maxReceiveCount": count})})
    visible = lambda: int(sqs.get_queue_attributes(  # noqa: E731
        QueueUrl=letters, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]["ApproximateNumberOfMessages"])
    before = visible()
    limit(2)
    cloud.ask("alter table billing_data rename to elsewhere")
    check("a new order", 201, cloud.put(key, json.dumps({**json.loads(order), "order_id": key}).encode()))
    cloud.until("the dead letter", lambda: visible() == before + 1)
    cloud.ask("alter table elsewhere rename to billing_data")
    limit(policy["maxReceiveCount"])
    cloud.until("the search to note the order", lambda: cloud.invoke("Reconcile")["parked"] == 1)
    listed = cloud.oms("runs", "list", PIPELINE, "--target", "lambda", "--cause", "deliveries", "--format", "json")
    check("the parked order", [(key, "parked")], [(run["key"], run["state"]) for run in json.loads(listed)["runs"]])
    cloud.oms("runs", "retry", PIPELINE, key, "--target", "lambda")
    cloud.until("the bill", lambda: cloud.ask(f"select 1 from billing_data where order_id = '{key}'"))
    cloud.until("the queues to empty", lambda: cloud.waiting() == 0)
    check("the dead letters", before, visible())


def beyond_the_rate(cloud: Cloud, order: bytes) -> None:
    """An e-mail beyond the rate is sent at its time slot."""
    cloud.ask("update oms_slots set next_at = now() + interval '4 seconds'")
    check("a new order", 201, cloud.put("LATER", json.dumps({**json.loads(order), "order_id": "LATER"}).encode()))
    state = "select state, cause from oms_branches where key = 'LATER' and handler = 'customer-communications'"
    cloud.until("the e-mail to wait", lambda: cloud.ask(state) == ["waiting|unavailable"])
    cloud.until("the e-mail", lambda: cloud.ask(state) == ["completed|"])


def events_of_mails(cloud: Cloud) -> None:
    """SES's events settle an unknown outcome, and bounces are noted. The emulator does not send them, so the test publishes them."""
    sns = cloud.client("sns")
    [topic] = [found["TopicArn"] for found in sns.list_topics()["Topics"] if "SesEvents" in found["TopicArn"]]
    rows = cloud.ask("select c.key, c.attempt, b.key from oms_claims c join oms_branches b using (run) where b.handler = 'customer-communications' "
                     "and c.state = 'done' and b.state = 'completed' order by 1 limit 2")
    (bounced, attempt, bounced_order), (unknown, other, unknown_order) = [row.split("|") for row in rows]
    publish = lambda kind, key, attempt, more: sns.publish(TopicArn=topic, Message=json.dumps({  # noqa: E731
        "eventType": kind, **more,
        "mail": {"messageId": "m-1", "destination": ["x@example.com"], "tags": {"oms-key": [key], "oms-attempt": [attempt]}}}))
    publish("Bounce", bounced, attempt, {"bounce": {"bounceType": "Permanent", "bounceSubType": "General"}})
    listing = lambda: json.loads(cloud.oms(  # noqa: E731
        "runs", "list", PIPELINE, "--target", "lambda", "--mail", "bounced", "--format", "json"))["runs"]
    cloud.until("the bounced e-mail", lambda: [run["key"] for run in listing()] == [bounced_order])
    # The result of an attempt was lost, and the order was parked.
    cloud.ask(f"update oms_claims set state = 'claimed', provider_id = null, lease_until = now() where key = '{unknown}'")
    cloud.ask(f"update oms_branches set state = 'parked', cause = 'unknown_outcome' where handler = 'customer-communications' and key = '{unknown_order}'")
    sent = len(cloud.mails())
    publish("Send", unknown, "another attempt", {"send": {}})
    publish("Send", unknown, other, {"send": {}})
    state = f"select state || ' ' || provider_id from oms_claims where key = '{unknown}'"
    cloud.until("the outcome of the e-mail", lambda: cloud.ask(state) == ["done m-1"])
    cloud.oms("runs", "retry", PIPELINE, unknown_order, "--target", "lambda")
    done = f"select 1 from oms_branches where handler = 'customer-communications' and key = '{unknown_order}' and state = 'completed'"
    cloud.until("the order to complete", lambda: cloud.ask(done))
    check("the number of mails", sent, len(cloud.mails()))


def metrics(cloud: Cloud) -> None:
    """The dashboard shows the metrics of the handlers, and of no other stack of the same pipeline."""
    watch = cloud.client("cloudwatch")
    dashboard = json.loads(watch.get_dashboard(DashboardName=cloud.outputs["DashboardName"])["DashboardBody"])
    lines = [line for widget in dashboard["widgets"] for line in widget["properties"]["metrics"] if line[0] == "oms"]
    pairs = lambda words: frozenset(zip(words[::2], words[1::2]))  # noqa: E731
    shown = {(line[1], pairs([word for word in line[2:] if isinstance(word, str)])) for line in lines}
    listed = watch.get_paginator("list_metrics").paginate(Namespace="oms")
    found = [(metric["MetricName"], {entry["Name"]: entry["Value"] for entry in metric["Dimensions"]}) for page in listed for metric in page["Metrics"]]
    check("the stacks of the metrics", {"stack"}, {dimensions.get("stack") for _, dimensions in found})
    recorded = {(name, frozenset(dimensions.items())) for name, dimensions in found}
    check("metrics that the dashboard does not show", {"ReconcileOrders"}, {name for name, _ in recorded - shown})
    check("shown metrics with data", {"Completed", "Latency", "Parked", "Retried", "ReconcileGap"}, {name for name, _ in recorded & shown})


# Actions that AWS performs itself with a function's role, or inside another call; the emulator does not log them. The Data API is a separate
# server; the database shows that it was used.
NOT_SEEN = {
    "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes",  # by the poller of the event source
    "logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords",
    "rds-data:ExecuteStatement", "secretsmanager:GetSecretValue",
    "s3:ListBucket",  # without it, S3 answers 403 instead of 404 for a missing object; the listing of the search for lost orders is logged
}


def rights(cloud: Cloud) -> None:
    """Checks that the generated policies allowed every call, and that every allowed action was used."""
    calls = [call for call in cloud.calls() if call["function"]]
    refused = [call for call in calls if call["status"] == 403]
    check("calls of handlers that were denied", [], refused)
    used = {(call["function"], action) for call in calls for action, _ in call["needs"]}
    unused = [pair for pair in cloud.granted() if pair not in used and pair[1] not in NOT_SEEN]
    check("allowed actions of handlers that were not used", [], unused)
    role = cloud.outputs["OperatorRoleArn"]
    calls = [call for call in cloud.calls() if f":assumed-role/{role.rsplit('/', 1)[-1]}/" in call["caller"]]
    check("calls of the operator that were denied", [], [call for call in calls if call["status"] == 403])
    used = {action for call in calls for action, _ in call["needs"]}
    hidden = {"rds-data:ExecuteStatement", "secretsmanager:GetSecretValue"}
    check("allowed actions of the operator that were not used", [], [action for action in cloud.granted_to(role) if action not in used | hidden])


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--count", type=int, default=2000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        args.customers = customers(args, folder)
        cloud, bank, machine = Cloud(args, folder), Bank(), Machine(args.oms, folder)
        cloud.parameters["RatesUrl"] = bank.url

        def everything() -> None:
            at_once, one_by_one = corpus(args)
            first_order(cloud, at_once[0])
            done = equivalence(cloud, machine, args.customers, at_once, one_by_one)
            done = retried(cloud, machine, done)
            repeated(cloud, done)
            lost(cloud, done)
            refreshed(cloud, bank, at_once[0])
            operated(cloud, machine, done, at_once[0])
            given_up(cloud, at_once[0])
            beyond_the_rate(cloud, at_once[0])
            events_of_mails(cloud)
            metrics(cloud)
            rights(cloud)
            from_here(cloud, args, folder)
            beside_handlers(cloud, args, folder, at_once[0])
            pruned(cloud)

        return run_test(cloud, everything)


if __name__ == "__main__":
    sys.exit(main())
