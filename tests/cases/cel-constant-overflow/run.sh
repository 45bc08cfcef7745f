# Validation evaluates constant expressions.
oms validate p.yaml

echo "--- within other expressions"
for expression in '9223372036854775807 + 1' '1 / 0' '1 % 0' '-(-9223372036854775807 - 1)' \
  '9999999999999999999999999999.0 * 10' "size(order.id) + 5000000000 * 5000000000" \
  'sum([9223372036854775807, 1])' '[3037000500].map(x, x * x)' "decimal('x')" "decimal('x', 1)" \
  "order.id == 'x' ? 1 : 9223372036854775807 + 1" '9223372036854775807 - 1' '5000000000.0 * 5000000000'; do
  sed "s|5000000000 \* 5000000000|${expression//&/\\&}|" p.yaml > other.yaml
  echo "$expression: $(oms validate other.yaml | grep -E '^(error|warning)' || echo valid)"
done

echo "--- in conditions"
for condition in '1 > 2' '2 > 1' "order.id == 'a' && order.id == 'b'" 'size(order.id) >= 0' 'size(order.id) < 0'; do
  sed "s|uses: value.compute|uses: value.compute, when: \"\${{ ${condition//&/\\&} }}\"|; s|5000000000 \* 5000000000|1|" p.yaml > other.yaml
  echo "$condition: $(oms validate other.yaml | grep -E '^(error|warning)' || echo valid)"
done
