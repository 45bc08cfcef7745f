# An upsert that would silently clear columns is rejected; `null` clears a column explicitly.
oms validate left-out.yaml
oms validate said.yaml
oms run said.yaml --state-dir state --input o.json > /dev/null
oms db export said.yaml --state-dir state orders
