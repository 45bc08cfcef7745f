oms validate p.yaml
oms run p.yaml --state-dir s --input orders.ndjson 2>&1 | grep -E '^shop|error'
for key in A1 A2; do oms objects get p.yaml --state-dir s out/$key.json; echo; done
