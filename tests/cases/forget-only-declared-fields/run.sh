# A value in another field, such as an article number, is not a customer's id.
pipeline=$ROOT/pipelines/storefront.yaml
python3 - <<'PYTHON'
import json, os
order = json.load(open(os.environ["ROOT"] + "/pipelines/storefront/samples/OR-536971.json"))
with open("two.ndjson", "w") as out:
    for number, (customer, sku) in enumerate([("12347", "A"), ("12348", "12347")]):
        items = [dict(order["items"][0], sku=sku)]
        print(json.dumps(dict(order, order_id="N-%d" % number, customer_id=customer, items=items)), file=out)
PYTHON
oms run $pipeline --state-dir s --input two.ndjson > /dev/null 2>&1
for word in 12347 12347 GBP; do
  oms forget $pipeline --state-dir s $word --yes 2> /dev/null; echo "exit $?"
  python3 -c 'import sqlite3; print(sqlite3.connect("s/oms.db").execute("select key from oms_runs").fetchall())'
done
