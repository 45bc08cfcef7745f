oms validate p.yaml
# A block without a line break at its end, and a block with only an expression, are a single line.
for key in '|-' '>-'; do
  sed "s/key: |/key: $key/" p.yaml > q.yaml
  oms validate q.yaml
done
printf '%s\n' 'oms: 1' 'name: f' 'order:' '  schema: { type: object, required: [id], properties: { id: { type: string } } }' \
  '  key: |' '    ${{ order.id }}' 'steps:' '  store:' '    uses: object.put' '    when: |' '      ${{ order.id != "" }}' \
  '    with:' '      bucket: orders' '      key: |' '        ${{ run.key }}' '      body: ${{ order }}' > single.yaml
oms validate single.yaml
oms run single.yaml --input o.json --state-dir st > out 2>&1
oms objects list single.yaml --state-dir st
long=$(printf 'x%.0s' $(seq 1100))
for key in '"a\t${{ run.key }}"' '"a\u0007${{ run.key }}"' "\"$long\${{ run.key }}\"" '""'; do
  sed "s|key: .$|key: $(printf '%s' "$key" | sed 's/\\/\\\\/g')|; /orders\/\${{/d" p.yaml > q.yaml
  oms validate q.yaml | sed -n '1p; s/^help: /  /p'
done
cat mail.yaml > q.yaml
oms validate q.yaml | sed -n '1,2p; s/^help: /  /p'
