# An order is accepted. Then the schema declares its amount as a decimal, which changes the order's digest.
sed -i 's/AMOUNT/{ type: string }/' p.yaml
oms run p.yaml --input a.json --state-dir s 2>&1 | grep -E '^shop|error'
sed -i 's/{ type: string }$/{ anyOf: [{ type: string, format: decimal }, { type: "null" }] }/; s/id: { anyOf.*/id: { type: string }/' p.yaml
oms validate p.yaml
oms run p.yaml --input a.json --state-dir s 2>&1 | grep -E '^shop|error'
oms run p.yaml --input same.json --state-dir s 2>&1 | grep -E '^shop|error'
oms run p.yaml --input other.json --state-dir s 2>&1 | grep -E '^shop|error'
