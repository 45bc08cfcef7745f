# For a condition or a list without braces, or with the braces of another language, the help says what to write.
while IFS= read -r text; do
  escaped=$(printf '%s' "$text" | sed "s/'/''/g; s/[&|\\]/\\\\&/g")
  echo "$text"
  sed "s|when: .*|when: '$escaped'|" p.yaml > when.yaml
  oms validate when.yaml | grep -E '^(error|help)' | sed 's/^/    /'
  sed "s|when: .*||; s|items: \"[^\"]*\"|items: '$escaped'|" p.yaml > items.yaml
  oms validate items.yaml | grep -E '^(error|help)' | sed 's/^/    /'
done <<'TEXTS'
{{ order.note != null }}
${ order.note != null }
$.note
$.lines
order.lines
{{ order.lines }}
order.note != null
yes
gift
lines
the gift
order.nope == 1
TEXTS
echo "--- not YAML"
while IFS= read -r line; do
  printf 'oms: 1\n%b\n' "$line" > q.yaml
  echo "$line"
  oms validate q.yaml | sed -n '1,2p; s/^help: /  /p'
done <<'LINES'
a: {\n  b: ${{ order.id }},\n  c: 1 }
a: [\n  ${{ order.id }},\n  ${{ f(a, b) }}\n]
{ ${{ order.id }}: 1 }
a: { ${{ order.id }}: 1 }
a: { b: ${ order.id } }
a: "x" + ${{ order.id }}
a: ${{ order.gift\n  ? "a"\n  : "b" }}
LINES
echo "--- a comment within an expression"
for text in '${{ order.id + " #1" }}' '${{ order.id # the key'; do
  sed "s|v: \"[^\"]*\" } }|\n        v: $text|; s|{ values: {|\n      values:|" p.yaml > q.yaml
  oms validate q.yaml; echo "exit $?"
done
