# A parked order is retried with a pipeline whose order schema does not allow it, and with one whose schema does.
echo '{"id":"A1","cust":"C1","amount":"10.00"}' > order.json
echo '{"cust":"x"}' > people.ndjson
cp v1.yaml p.yaml
oms run p.yaml --state-dir s --input order.json > /dev/null 2>&1
oms db import p.yaml --state-dir s people people.ndjson > /dev/null
cp v2.yaml p.yaml
oms runs retry p.yaml --state-dir s A1 2>&1
echo "exit $?"
sed -i 's/amount, region\]/amount]/; s/cust: { type: integer }/cust: { type: string }/; s/ region ${{ order.region }}//; s/${{ order.region == .* }}/${{ order.amount }}/' p.yaml
oms runs retry p.yaml --state-dir s A1 2>&1
echo "exit $?"
oms db export p.yaml --state-dir s bills
