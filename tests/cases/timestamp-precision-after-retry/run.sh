# The condition compares a payment that is half a millisecond late. The result is the same without and with a retry.
echo '{"id":"A1","customer":"new","paid_at":"2024-01-01T00:00:00.000500Z","cutoff":"2024-01-01T00:00:00Z"}' > order.ndjson
echo '{"customer":"new"}' > people.ndjson
oms run p.yaml --state-dir once --input empty.ndjson > /dev/null
oms db import p.yaml --state-dir once people people.ndjson > /dev/null
oms run p.yaml --state-dir once --input order.ndjson > /dev/null
oms run p.yaml --state-dir again --input order.ndjson > /dev/null 2>&1
oms db import p.yaml --state-dir again people people.ndjson > /dev/null
oms runs retry p.yaml --state-dir again A1
for state in once again; do oms db export p.yaml --state-dir $state discount; done
