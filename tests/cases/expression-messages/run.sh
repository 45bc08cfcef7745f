# Functions, operators and names of other languages: each finding says what to write instead.
while IFS= read -r expression; do
  escaped=$(printf '%s' "$expression" | sed "s/'/''/g; s/[&|\\]/\\\\&/g")
  sed "s|EXPRESSION|$escaped|" p.yaml > other.yaml
  echo "$expression"
  oms validate other.yaml | grep -E '^(error|warning|help)' | sed 's/^/    /'
done < expressions
echo "--- kinds"
for kind in http.post table.insrt table.select email; do
  sed "s|uses: value.compute|uses: $kind|; s|EXPRESSION|order.id|" p.yaml > other.yaml
  oms validate other.yaml | grep -E '^(error|help)' | sed 's/^/    /'
done
