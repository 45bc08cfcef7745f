# An upsert that would silently clear columns is refused; `null` clears a column.
oms validate left-out.yaml
oms validate said.yaml
oms run said.yaml --state-dir state --input o.json > /dev/null
oms db export said.yaml --state-dir state orders
