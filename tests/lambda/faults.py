"""Services fail, functions are killed, deliveries come twice and in another order: each order is billed once and confirmed once all the same.

    python faults.py --generated DIR --built DIR --oms FILE --data-api FILE [--corpus DIR] [--count N] [--seed N]

The arguments are those of `end_to_end.py`. Between the handlers and every service stands a proxy (`proxy.py`) that fails as AWS may. What the
handlers could not do lies with the dead letters, with its reason or, if the queue put it there, without: for each branch,
accepted = done + dead letters. Then the services work again, what lies there is sent back, and what was held is decided by a person who looks
at what SES sent.
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

from cloud import BILLS, PIPELINE, Cloud, Failed, arguments, check, play
from end_to_end import corpus, customers
from machine import Machine, by_id, normal
from proxy import FATES, Proxy

BILL, CONFIRM = "initiate-billing", "customer-communications"
# Seconds after which a message comes again that nobody answered for; the template's would take an hour.
VISIBILITY_S = 4


class Faulty(Cloud):
    """The stack, with a proxy in front of each service that handlers call."""

    def open(self) -> None:
        ports = {"s3": self.port, "sqs": self.port, "ses": self.port, "rds-data": self.database_port}
        self.proxies = {name: Proxy(name, port, self.args.seed) for name, port in ports.items()}
        names = {"s3": "S3", "sqs": "SQS", "ses": "SESV2", "rds-data": "RDS_DATA"}
        self.functions = {f"AWS_ENDPOINT_URL_{names[name]}": proxy.endpoint for name, proxy in self.proxies.items()}
        super().open()
        for url in self.resources["queues"].values():
            self.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(VISIBILITY_S)})

    def put_until_accepted(self, order: bytes) -> int:
        """What a caller does who gets no answer: it sends the order again."""
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
        """How many mails there are of each order: they have one Message-ID."""
        mails = [normal(base64.b64decode(mail["Raw"])) for mail in self.mails()]
        return Counter(headers["Message-ID"] for headers, _ in mails)

    def done(self) -> dict:
        rows = [row.split("\t") for row in self.ask("select handler || chr(9) || key from oms_branches where state = 'completed'")]
        return {handler: {key for name, key in rows if name == handler} for handler in (BILL, CONFIRM)}

    def letters(self) -> list:
        """The dead letters, taken away: the queue, the body, the keys in it."""
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
        raise Failed(f"answers were {codes}")
    print(f"      put: {codes[201]} answered 201, {codes[200]} 200 after a lost answer", flush=True)
    keys = {json.loads(order)["order_id"] for order in orders}
    check("every accepted order is stored", keys, {key.removesuffix(".json") for key in cloud.objects_stored()})
    return keys


def deliver_again(cloud: Faulty, keys: set, chance: random.Random) -> None:
    for handler in (BILL, CONFIRM):
        objects = [f"{key}.json" for key in sorted(keys)]
        chance.shuffle(objects)
        for at in range(0, len(objects), 3):
            cloud.tell(handler, objects[at : at + 3])


def nothing_is_lost_or_doubled(cloud: Faulty, keys: set, letters: list) -> None:
    done = cloud.done()
    for handler in (BILL, CONFIRM):
        dead = {key for name, _, of in letters for key in of if name == handler}
        check(f"{handler}: accepted = done + dead letters", set(), keys - done[handler] - dead)
        print(f"      {len(keys)} accepted, {len(done[handler])} done, {len(dead)} among dead letters", flush=True)
    bills = Counter(row.split("|")[0] for row in cloud.ask(BILLS))
    check("bills of the same order", [], [key for key, count in bills.items() if count > 1])
    check("mails of the same order", [], [key for key, count in cloud.confirmed().items() if count > 1])


def story(cloud: Faulty, args, folder: Path) -> None:
    orders = corpus(args)[0][: args.count]
    machine = Machine(args.oms, folder)
    here = machine.run(orders, args.customers)
    begun = time.monotonic()
    keys = put(cloud, orders)
    deliver_again(cloud, keys, random.Random(args.seed))
    cloud.until("the queues to empty", lambda: cloud.waiting() == 0)
    print(f"      all of it after {time.monotonic() - begun:.1f} s", flush=True)
    for name, proxy in cloud.proxies.items():
        print(f"      {name}: {dict(sorted(proxy.met.items()))}", flush=True)
    met = sum((proxy.met for proxy in cloud.proxies.values()), Counter())
    check("kinds of faults that never came", [], [fate for fate in FATES if not met[fate]])
    letters = cloud.letters()
    nothing_is_lost_or_doubled(cloud, keys, letters)

    cloud.heal()
    # The leases of killed attempts end.
    cloud.ask("update oms_claims set lease_until = now() where state = 'claimed'")
    for handler, body, _ in letters:
        cloud.client("sqs").send_message(QueueUrl=cloud.resources["queues"][handler], MessageBody=body)
    cloud.until("the queues to empty", lambda: cloud.waiting() == 0)
    held = cloud.parked_branches()
    check("what is parked now", {"unknown_outcome"}, {cause for _, _, cause in held})
    # A person looks at what was sent, and says so of each.
    sent = {mail["Subject"] for mail in cloud.mails()}
    was_sent = {key: any(key in subject for subject in sent) for _, key, _ in held}
    print(f"      held: {len(held)}, of which {sum(was_sent.values())} were sent", flush=True)
    for answer, wanted in (("sent", True), ("resend", False)):
        chosen = [key for key, found in was_sent.items() if found is wanted]
        if chosen:
            cloud.oms("runs", "retry", PIPELINE, *chosen, "--held", answer, "--target", "lambda")
    cloud.until("all notes", lambda: all(len(of) == len(keys) for of in cloud.done().values()))
    cloud.until("the queues to empty", lambda: cloud.waiting() == 0)
    check("bills as on this machine", True, cloud.ask(BILLS) == here.bills)
    check("objects as on this machine", True, cloud.objects() == here.objects)
    mails = [normal(base64.b64decode(mail["Raw"])) for mail in cloud.mails()]
    check("mails, none twice", len(here.mails), len(mails))
    check("mails as on this machine", True, by_id(mails) == here.mails)
    check("dead letters", [], cloud.letters())
    print(f"{len(keys)} orders billed once and confirmed once, whatever failed", flush=True)


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        args.customers = customers(args, folder)
        cloud = Faulty(args, folder)
        return play(cloud, lambda: story(cloud, args, folder))


if __name__ == "__main__":
    sys.exit(main())
