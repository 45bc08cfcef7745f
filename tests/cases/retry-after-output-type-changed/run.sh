# After a step succeeded, its table gets a column and its output becomes nullable, so it still accepts all earlier values. Then a member is removed.
oms run p.yaml --state-dir s --input order.json > /dev/null 2>&1
cp p.yaml before.yaml
sed -i 's/customer: text, email: text/customer: text, email: text, note: "text?"/; s/}", city/}", note: "${{ steps.who.note }}", city/' p.yaml
sed -i 's/^  who:.*/  who: { uses: table.get, with: { table: people, key: { customer: "${{ order.customer }}" }, missing: "null" } }/; s/steps.who.\([a-z]*\) /steps.who != null ? steps.who.\1 : null /g' p.yaml
oms validate p.yaml
cp p.yaml wider.yaml
sed 's/customer: text, email: text/customer: text/; s/email: "[^"]*", city/city/' before.yaml > p.yaml
sed -i 's/,"email":"[^"]*"//' people.ndjson
oms runs retry p.yaml --state-dir s A1 2>&1
cp wider.yaml p.yaml
echo '{"customer":"C1","email":"c@example.org"}' > people.ndjson
echo '{"customer":"C1","city":"Basel"}' >> places.ndjson
oms runs retry p.yaml --state-dir s A1 2>&1
oms objects get p.yaml --state-dir s orders/A1.json
