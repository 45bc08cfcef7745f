# The seed and the table have changed since the last run. A dry run changes nothing. A customer's id does not match another customer's address.
oms run p.yaml --state-dir s --input orders.ndjson > /dev/null 2>&1
sed -i 's/Bo"/Bob"/; s/"C2"/"C3"/' people.ndjson
sed -i 's/name: { type: text, pii: true }/name: { type: text, pii: true }, note: "text?"/' p.yaml
digest() { cat s/* | sha256sum; }
before=$(digest)
oms forget p.yaml C2 --state-dir s --dry-run
oms forget p.yaml bo@example.org --state-dir s --dry-run
oms forget p.yaml nobody --state-dir s --dry-run 2>&1
[ "$before" = "$(digest)" ] && echo unchanged
