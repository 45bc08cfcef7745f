"""What an operator does with a deployed pipeline besides listing and retrying orders: cancel, export, erase a customer, delete old notes."""

import json

from cloud import PIPELINE, Cloud, check
from machine import Machine, Outcome

LAMBDA = ("--target", "lambda")


def cancelled(cloud: Cloud, before: Outcome) -> None:
    """A parked order is cancelled. No handler runs a step for it, even if its message is delivered again."""
    key = next(key for key, cause in before.parked if cause == "no_row")
    letters = len(cloud.dead_letters())
    done = json.loads(cloud.oms("runs", "cancel", PIPELINE, key, *LAMBDA, "--format", "json"))
    check("the cancelled orders", (1, 0), (done["cancelled"], done["refused"]))
    listed = json.loads(cloud.oms("runs", "list", PIPELINE, *LAMBDA, "--state", "cancelled", "--format", "json"))
    check("`oms runs list` shows the cancelled order", [key], [run["key"] for run in listed["runs"]])
    check("its dead letter is deleted", letters - 1, len(cloud.dead_letters()))
    again = cloud.oms_fails("runs", "cancel", PIPELINE, key, *LAMBDA)
    check("an order is cancelled once", True, "is cancelled; only parked and waiting orders" in again)
    mails, object_key = len(cloud.mails()), f"{key}.json"
    customer = json.loads(before.objects[object_key])["customer_id"]
    cloud.ask(f"insert into customer_contact_info (customer_id, name, email, locale) values ('{customer}', 'x', 'x@example.com', 'en') on conflict do nothing")
    for handler in cloud.resources["queues"]:
        cloud.send_notification(handler, [object_key])
    cloud.until("the queues to empty", lambda: cloud.waiting() == 0)
    check("the e-mails after the order was delivered again", mails, len(cloud.mails()))
    states = cloud.ask(f"select handler || ' ' || state from oms_branches where key = '{key}' order by 1")
    check("the notes on the order", ["customer-communications cancelled", "initiate-billing completed"], states)


def exported(cloud: Cloud, machine: Machine) -> None:
    """`oms db export` writes the same rows as in a state directory."""
    rows = lambda text: {row["order_id"]: {**row, "billed_at": None} for row in map(json.loads, text.splitlines())}  # noqa: E731
    here = rows(machine.call("db", "export", PIPELINE, "billing_data"))
    text = cloud.oms("db", "export", PIPELINE, "billing_data", *LAMBDA)
    there = rows(text)
    check("the exported rows", cloud.ask("select order_id from billing_data order by order_id"), [json.loads(line)["order_id"] for line in text.splitlines()])
    # The handlers have billed further orders since.
    check("exported rows, compared with a state directory", True, len(here) > 0 and here == {key: there[key] for key in here})


def forgotten(cloud: Cloud, machine: Machine, before: Outcome, kept: str) -> None:
    """A customer other than `kept` is erased, as in a state directory: orders with all versions, rows, and addresses."""
    parked = {json.loads(before.objects[f"{key}.json"]).get("customer_id") for key, _ in before.parked if f"{key}.json" in before.objects}
    by_customer = {}
    for name, body in before.objects.items():
        by_customer.setdefault(json.loads(body)["customer_id"], []).append(name)
    known = set(cloud.ask("select customer_id from customer_contact_info"))
    who, names = next((who, names) for who, names in sorted(by_customer.items()) if who in known - {kept} - parked)
    words = ("forget", PIPELINE, who, "--format", "json")
    counts = lambda text: {name: value for name, value in json.loads(text).items() if name in ("customers", "runs", "rows", "tables")}  # noqa: E731
    listed = cloud.oms(*words, "--dry-run", *LAMBDA)
    check("nothing is erased by a dry run", len(before.objects[names[0]]), len(cloud.objects()[names[0]]))
    here, there = machine.call(*words, "--yes"), cloud.oms(*words, "--yes", *LAMBDA)
    check("what is erased, compared with a state directory", counts(here), counts(there))
    check("the dry run has listed it", counts(there), counts(listed))
    s3, bucket = cloud.client("s3"), cloud.bucket()
    left = [found for name in names for found in s3.list_object_versions(Bucket=bucket, Prefix=name).get("Versions", []) if found["Key"] == name]
    check("the versions of the customer's orders", [0] * len(names), [found["Size"] for found in left])
    check("the rows with the customer's address", [], cloud.ask(f"select 1 from customer_contact_info where customer_id = '{who}'"))
    order = before.objects[names[0]]
    key = names[0].removesuffix(".json")
    check("the same order again", 200, cloud.put(key, order))
    check("another order with its key", 409, cloud.put(key, json.dumps({**json.loads(order), "amount": "0.01"}).encode()))
    state = lambda: (cloud.ask(cloud.subject.bills), len(cloud.mails()), cloud.dead_letters())  # noqa: E731
    cloud.until("the queues to empty", lambda: cloud.waiting() == 0)
    erased = state()
    for handler in cloud.resources["queues"]:
        cloud.send_notification(handler, names)
    cloud.until("the queues to empty", lambda: cloud.waiting() == 0)
    check("an erased order that is delivered again has no effect", True, state() == erased)
    unknown = cloud.oms_fails(*words, "--yes", *LAMBDA)
    check("the customer is unknown now", True, "no customer has this id or e-mail address" in unknown)


def pruned(cloud: Cloud) -> None:
    """Old notes are deleted, but not those on parked orders, nor the records that prevent repeated effects."""
    refused = cloud.oms_fails("runs", "prune", PIPELINE, "--older-than", "3d", *LAMBDA)
    check("notes that `reconcile` needs are kept", True, "specify at least `15d`" in refused)
    claims = cloud.ask("select count(*) from oms_claims")
    cloud.ask("update oms_branches set at = at - interval '16 days'")
    open_orders = "select count(distinct key) from oms_branches where key in (select key from oms_branches where state in ('parked', 'waiting'))"
    [kept] = cloud.ask(open_orders)
    [all_orders] = cloud.ask("select count(distinct key) from oms_branches")
    done = json.loads(cloud.oms("runs", "prune", PIPELINE, "--older-than", "15d", *LAMBDA, "--format", "json"))
    check("the orders whose notes are deleted", int(all_orders) - int(kept), done["pruned"])
    check("the remaining orders", [kept], cloud.ask("select count(distinct key) from oms_branches"))
    check("the claims stay", claims, cloud.ask("select count(*) from oms_claims"))


def operated(cloud: Cloud, machine: Machine, before: Outcome, order: bytes) -> None:
    exported(cloud, machine)
    if any(cause == "no_row" for _, cause in before.parked):
        cancelled(cloud, before)
    else:
        print("      no order is parked, so none is cancelled", flush=True)
    # Later orders belong to the customer of this order.
    forgotten(cloud, machine, before, json.loads(order)["customer_id"])
