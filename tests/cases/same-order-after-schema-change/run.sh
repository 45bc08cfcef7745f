# An order is accepted. Then the schema declares its amount as a decimal, which changes the order's digest.
sed -i 's/AMOUNT/{ type: string }/' p.yaml
oms run p.yaml --input a.json --state-dir s 2>&1 | grep -E '^shop|error'
sed -i 's/{ type: string }$/{ anyOf: [{ type: string, format: decimal }, { type: "null" }] }/; s/id: { anyOf.*/id: { type: string }/' p.yaml
oms validate p.yaml
oms run p.yaml --input a.json --state-dir s 2>&1 | grep -E '^shop|error'
oms run p.yaml --input same.json --state-dir s 2>&1 | grep -E '^shop|error'
oms run p.yaml --input other.json --state-dir s 2>&1 | grep -E '^shop|error'
# The accepted order is damaged.
python3 -c "import sqlite3; d = sqlite3.connect('s/oms.db'); d.execute(\"update oms_runs set body = x'7b'\"); d.commit()"
oms run p.yaml --input other.json --state-dir s 2>&1 | grep -E '^shop|error'
