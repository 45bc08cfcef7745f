"""Services fail, functions are killed, deliveries are repeated and reordered: each order is still billed once and confirmed once.

    python faults.py --generated DIR --built DIR --oms FILE --data-api FILE [--corpus DIR] [--count N] [--seed N]

The arguments are those of `end_to_end.py`. A proxy (`proxy.py`) between the handlers and each service injects faults as they occur on AWS.
Orders that a handler could not process are in its dead letters, with a reason unless the queue moved them there. For each branch,
accepted = done + dead letters. Then the services work again, the dead letters are sent back, and the test decides about each held mail by
looking at what SES sent, as a user would.
"""

import base64
import json
import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cloud import BILLS, PIPELINE, Cloud, Failed, arguments, check, run_test
from end_to_end import corpus, customers
from machine import Machine, by_id, normal
from proxy import FATES, Proxy

BILL, CONFIRM = "initiate-billing", "customer-communications"
# Seconds after which an unanswered message is delivered again. The template's timeout would take an hour.
VISIBILITY_S = 4


class Faulty(Cloud):
    """The stack with a proxy in front of each service that handlers call."""

    def open(self) -> None:
        ports = {"s3": self.port, "sqs": self.port, "ses": self.port, "rds-data": self.database_port}
        self.proxies = {name: Proxy(name, port, self.args.seed) for name, port in ports.items()}
        names = {"s3": "S3", "sqs": "SQS", "ses": "SESV2", "rds-data": "RDS_DATA"}
        self.functions = {f"AWS_ENDPOINT_URL_{names[name]}": proxy.endpoint for name, proxy in self.proxies.items()}
        super().open()
        for url in self.resources["queues"].values():
            self.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(VISIBILITY_S)})

    def put_until_accepted(self, order: bytes) -> int:
        """Puts an order again until it gets an answer other than 5xx, as clients do."""
        key = json.loads(order)["order_id"]
        for _ in range(50):
            code = self.put(key, order)
            if code < 500:
                return code
        raise Failed(f"{key} was never accepted")

    def heal(self) -> None:
        for proxy in self.proxies.values():
            proxy.faults = False

    def confirmed(self) -> Counter:
        """The number of mails by Message-ID, which is unique per order."""
        mails = [normal(base64.b64decode(mail["Raw"])) for mail in self.mails()]
        return Counter(headers["Message-ID"] for headers, _ in mails)

    def done(self) -> dict:
        rows = [row.split("\t") for row in self.ask("select handler || chr(9) || key from oms_branches where state = 'completed'")]
        return {handler: {key for name, key in rows if name == handler} for handler in (BILL, CONFIRM)}

    def letters(self) -> list:
        """Removes the dead letters. Returns the handler, the body and the keys of each."""
        sqs, found = self.client("sqs"), []
        for handler, url in self.resources["dead_letters"].items():
            while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
                for message in messages:
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                    body = json.loads(message["Body"])
                    places = body.get("objects") or [record["s3"]["object"] for record in body["Records"]]
                    found.append((handler, message["Body"], {place["key"].removesuffix(".json") for place in places}))
        return found


def put(cloud: Faulty, orders: list) -> set:
    with ThreadPoolExecutor(6) as pool:
        codes = Counter(pool.map(cloud.put_until_accepted, orders))
    if set(codes) - {200, 201}:
        raise Failed(f"unexpected answers: {codes}")
    print(f"      put: {codes[201]} orders got 201, {codes[200]} got 200 after a lost answer", flush=True)
    keys = {json.loads(order)["order_id"] for order in orders}
    check("every accepted order is stored", keys, {key.removesuffix(".json") for key in cloud.objects_stored()})
    return keys


def deliver_again(cloud: Faulty, keys: set, chance: random.Random) -> None:
    for handler in (BILL, CONFIRM):
        objects = [f"{key}.json" for key in sorted(keys)]
        chance.shuffle(objects)
        for at in range(0, len(objects), 3):
            cloud.send_notification(handler, objects[at : at + 3])


def nothing_is_lost_or_doubled(cloud: Faulty, keys: set, letters: list) -> None:
    done = cloud.done()
    for handler in (BILL, CONFIRM):
        dead = {key for name, _, of in letters for key in of if name == handler}
        check(f"{handler}: accepted = done + dead letters", set(), keys - done[handler] - dead)
        print(f"      {len(keys)} accepted, {len(done[handler])} done, {len(dead)} in dead letters", flush=True)
    bills = Counter(row.split("|")[0] for row in cloud.ask(BILLS))
    check("orders with more than one bill", [], [key for key, count in bills.items() if count > 1])
    check("orders with more than one mail", [], [key for key, count in cloud.confirmed().items() if count > 1])


def story(cloud: Faulty, args, folder: Path) -> None:
    orders = corpus(args)[0][: args.count]
    machine = Machine(args.oms, folder)
    here = machine.run(orders, args.customers)
    begun = time.monotonic()
    keys = put(cloud, orders)
    deliver_again(cloud, keys, random.Random(args.seed))
    cloud.until("the queues to empty", lambda: cloud.waiting() == 0)
    print(f"      everything processed after {time.monotonic() - begun:.1f} s", flush=True)
    for name, proxy in cloud.proxies.items():
        print(f"      {name}: {dict(sorted(proxy.met.items()))}", flush=True)
    met = sum((proxy.met for proxy in cloud.proxies.values()), Counter())
    check("kinds of faults that never occurred", [], [fate for fate in FATES if not met[fate]])
    letters = cloud.letters()
    nothing_is_lost_or_doubled(cloud, keys, letters)

    cloud.heal()
    # Let the leases of killed attempts expire.
    cloud.ask("update oms_claims set lease_until = now() where state = 'claimed'")
    for handler, body, _ in letters:
        cloud.client("sqs").send_message(QueueUrl=cloud.resources["queues"][handler], MessageBody=body)
    cloud.until("the queues to empty", lambda: cloud.waiting() == 0)
    held = cloud.parked_branches()
    check("the causes of parked orders now", {"unknown_outcome"}, {cause for _, _, cause in held})
    # Decide about each held mail, depending on whether it was sent.
    sent = {mail["Subject"] for mail in cloud.mails()}
    was_sent = {key: any(key in subject for subject in sent) for _, key, _ in held}
    print(f"      held: {len(held)}, of which {sum(was_sent.values())} were sent", flush=True)
    for answer, wanted in (("sent", True), ("resend", False)):
        chosen = [key for key, found in was_sent.items() if found is wanted]
        if chosen:
            cloud.oms("runs", "retry", PIPELINE, *chosen, "--held", answer, "--target", "lambda")
    cloud.until("the notes of all orders", lambda: all(len(of) == len(keys) for of in cloud.done().values()))
    cloud.until("the queues to empty", lambda: cloud.waiting() == 0)
    check("bills equal those of `oms run`", True, cloud.ask(BILLS) == here.bills)
    check("objects equal those of `oms run`", True, cloud.objects() == here.objects)
    mails = [normal(base64.b64decode(mail["Raw"])) for mail in cloud.mails()]
    check("the number of mails", len(here.mails), len(mails))
    check("mails equal those of `oms run`", True, by_id(mails) == here.mails)
    check("dead letters", [], cloud.letters())
    print(f"{len(keys)} orders billed once and confirmed once despite the faults", flush=True)


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        args.customers = customers(args, folder)
        cloud = Faulty(args, folder)
        return run_test(cloud, lambda: story(cloud, args, folder))


if __name__ == "__main__":
    sys.exit(main())
