"""The direct intake: API Gateway stores orders without a handler, as in the original system, and each order is billed and confirmed once.
The account of SES is in the sandbox.

    python direct.py --generated DIR --built DIR --oms FILE --data-api FILE --pipeline FILE [--corpus DIR]

The arguments are those of `end_to_end.py`. `--pipeline` is the file from which the folder was generated: `order-management` with
`intake.mode: direct`.
"""

import json
import sys
import tempfile
from pathlib import Path

from cloud import ROOT, Cloud, Failed, Subject, arguments, check, run_test
from end_to_end import equal, outcome, wait_until_done
from machine import Machine

ORDERS = ROOT / "pipelines/order-management"
BILLS = (
    "select order_key || '|' || customer_id || '|' || customer_name || '|' || country || '|' || product_line || '|' || bill_date || '|' || "
    "currency || '|' || bill_amount || '|' || bill_amount_usd from billing_data order by order_key"
)
# Number of orders of the large test data to put.
COUNT = 100


def orders(args) -> list:
    found = [path.read_bytes() for path in sorted((ORDERS / "samples").glob("*.json"))]
    if args.corpus:
        lines = (args.corpus / "orders/orders-origin-shape.ndjson").read_text(encoding="utf-8").splitlines()
        found += [line.encode() for line in lines[:COUNT]]
    return found


def recipients() -> list:
    """The ARNs of the identities of all customers."""
    customers = [json.loads(line) for line in (ORDERS / "customers.ndjson").read_text(encoding="utf-8").splitlines()]
    return sorted({f"arn:aws:ses:us-east-1:000000000000:identity/{customer['cust_email_id']}" for customer in customers})


def rejected_requests(cloud: Cloud, order: bytes) -> None:
    """Checks the requests that API Gateway rejects."""
    whole = json.loads(order)
    less = {name: value for name, value in whole.items() if name != "currency"}
    check("without an API key", 403, cloud.put("x", order, with_key=False))
    check("an order that is not JSON", 400, cloud.put("x", order.rstrip()[:-1]))
    check("an order without a currency", 400, cloud.put("x", json.dumps(less).encode()))
    check("an order whose customer is a number", 400, cloud.put("x", json.dumps(whole | {"customerId": 1}).encode()))
    check("an order whose customer is too long", 400, cloud.put("x", json.dumps(whole | {"customerId": "A" * 16}).encode()))
    check("an order that is sent as text", 415, cloud.put("x", order, kind="text/plain"))
    check("no rejected order is stored", [], cloud.objects_stored())


def answers(cloud: Cloud, order: bytes) -> None:
    """Checks the answers for a stored order, and when S3 rejects an order."""
    check("the same order again", 409, cloud.put("00000", order))
    check("a different order with its key", 409, cloud.put("00000", json.dumps(json.loads(order) | {"country": "x"}).encode()))
    check("the first order is unchanged", order, cloud.objects()["00000"])
    s3, bucket = cloud.client("s3"), cloud.bucket()
    policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    closed = json.loads(policy)
    closed["Statement"].append(deny)
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(closed))
    check("an order that S3 rejects", 500, cloud.put("refused", order))
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)


def invalid_objects(cloud: Cloud, order: bytes) -> None:
    """Checks invalid orders that match the model, and a name that is not a key: each handler parks them and sends dead letters."""
    no_day = json.dumps(json.loads(order) | {"billDate": "31/31/2023"}).encode()
    check("an order with an invalid date, which the model does not detect", 201, cloud.put("no-day", no_day))
    check("an order whose name is not a valid key", 201, cloud.put("a key", order))
    wait_until_done(cloud)
    parked = [(handler, key, "order") for handler in sorted(cloud.resources["queues"]) for key in ("a key", "no-day")]
    stray = lambda found: [entry for entry in found if entry[2] == "order"]  # noqa: E731
    check("each handler parks both orders", parked, stray(cloud.parked_branches()))
    check("each handler has dead letters for both orders", parked, stray(cloud.dead_letters()))


def stored(cloud: Cloud) -> None:
    """Checks that API Gateway only stores objects, and never overwrites one."""
    calls = [call for call in cloud.calls() if call["caller"] and call["caller"].endswith("/apigateway")]
    check("the calls of API Gateway", {"s3:PutObject"}, {call["action"] for call in calls})
    check("If-None-Match of each call", {"*"}, {call["conditions"].get("s3:if-none-match") for call in calls})


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--pipeline", type=Path, required=True)
    args = parser.parse_args()
    subject = Subject(args.pipeline, "order", BILLS, "OrderManagementBucketName")
    args.customers = ORDERS / "customers.ndjson"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cloud, machine = Cloud(args, folder, subject), Machine(args.oms, folder, subject)
        # In the sandbox, the handlers may only send to the recipients that the parameter names.
        cloud.options = ["--ses-sandbox"]
        cloud.parameters["SandboxRecipients"] = ",".join(recipients())

        def everything() -> None:
            todo = orders(args)
            rejected_requests(cloud, todo[0])
            here = machine.run(todo, args.customers)
            for number, order in enumerate(todo):
                if (code := cloud.put(f"{number:05}", order)) != 201:
                    raise Failed(f"order {number} got the status {code}")
            wait_until_done(cloud)
            equal("compared with `oms run`", here, outcome(cloud, here.answers))
            answers(cloud, todo[0])
            invalid_objects(cloud, todo[0])
            stored(cloud)
            print(f"{len(todo)} of {len(todo)} orders equal without an intake handler", flush=True)

        return run_test(cloud, everything)


if __name__ == "__main__":
    sys.exit(main())
