# A key identifies a single row of a seed file or an imported file.
oms validate p.yaml 2>&1; echo "validate: exit $?"
oms run p.yaml --state-dir x --input o3.json > /dev/null 2>&1; echo "run: exit $?"
mv seed.ndjson twice.ndjson
head -n 1 twice.ndjson > seed.ndjson
oms run p.yaml --state-dir x --input o3.json > /dev/null 2>&1
oms db import p.yaml --state-dir x contact twice.ndjson 2>&1; echo "import: exit $?"
oms db export p.yaml --state-dir x contact
# Keys of several columns in two spellings.
cat > wide.yaml <<'YAML'
oms: 1
name: wide
order: { schema: { type: object, required: [id], properties: { id: { type: string } } }, key: "${{ order.id }}" }
tables:
  t: { key: [day, amount], columns: { day: date, amount: "decimal(9,2)", name: text? }, seed: wide.ndjson }
steps:
  s: { uses: object.put, with: { bucket: orders, key: "${{ run.key }}", body: "${{ order }}" } }
YAML
printf '%s\n' '{"day":"2025-01-01","amount":"1.5","name":"a"}' '' '{"day":"2025-01-02","amount":"1.5","name":"a"}' '{"amount":"1.50","day":"2025-01-01","name":null}' > wide.ndjson
oms validate wide.yaml 2>&1; echo "validate: exit $?"
