# A text that is a reference without braces is a warning.
oms validate q03.yaml

echo "--- other texts"
for text in 'order.lang' '{{ order.lang }}' '${ order.lang }' '$.order' '$.lang' '$.order.lang' '#{order.lang}' '#{ run.key }' \
  'run.key' 'steps.store' 'steps.store.body' 'order["lang"]' '{{ order }}' '$order.lang' 'steps.mail.at' 'order.lang + "x"' 'Order {{ order.id }}.' \
  'order.json' 'order.nothing' 'order' 'jo@order.id' 'https://order.lang/x' 'the order.lang' '{{ name }}' '${HOME}' 'run.sh' '$10.50' 'a # b'; do
  escaped=$(printf '%s' "$text" | sed "s/'/''/g; s/[&|\\]/\\\\&/g")
  sed "s|cust: order.lang|cust: '$escaped'|" q03.yaml > other.yaml
  echo "$text: $(oms validate other.yaml | grep -E '^(error|warning|help)' | tr '\n' ' ')"
done
echo "--- in a mail"
sed 's|cust: order.lang|cust: "${{ order.lang }}"|; s|data: { id: "${{ order.id }}"|data: { id: order.id|' q03.yaml > mail.yaml
oms validate mail.yaml
