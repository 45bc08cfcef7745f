oms validate m02-quote.yaml
# Following the help makes each line valid.
while IFS= read -r line; do
  printf 'oms: 1\n%s\n' "$line" > p.yaml
  echo "$line"
  oms validate p.yaml | sed -n '1p; s/^help: /  /p'
done <<'LINES'
a: {{ x }}
a: [{{ x }}]
a: { b: {{ x }}, c: 1 }
a: ${{ x != null ? x : 1 }}
a: { b: ${{ x }} }
a: [${{ a }}, ${{ b }}]
a: { b: x ${{ y }} z, c: 1 }
a: { b: "1", c: ${{ f(d, e) }} }
a: ${{ {"b": 1} }}
a: - ${{ x }}
a: x ${{ y ? 1 : 2 }} z
a: Order ${{ x }}: new
a: "${{ x["b"] }}"
a: '${{ x == 'b' }}'
a: { b: "${{ x["b"] }}", c: 1 }
a: Order: new
a: @home
a: `x`
LINES
