# Bounds propagate through arithmetic: a warning appears only where a value can be too large.
for file in p.yaml p3.yaml; do
  oms validate --deny warnings $file
done
oms validate p2.yaml

echo "--- a column that is one digit too narrow, accepted at its line"
sed 's/total: "decimal(19,2)"/total: "decimal(12,2)"/' p3.yaml > narrow.yaml
oms validate narrow.yaml
sed 's/total: "\${{ sum.*/&  # oms: allow OMS0416 (the shop bounds it)/' narrow.yaml > accepted.yaml
oms validate --deny warnings accepted.yaml

echo "--- bounds in other ways"
expression() {
  sed "s|total: \"\${{ .*}}\", one|total: \"\${{ $2 }}\", one|; s/total: \"decimal(19,2)\"/total: \"decimal($1)\"/" p3.yaml > other.yaml
  echo "$1 $2: $(oms validate other.yaml | grep -c '^warning.OMS0416')"
}
expression 11,2 'sum(order.lines.map(l, round(l.price \* 1.19, 2, '"'up'"')))'
expression 9,2 'sum(order.lines.filter(l, l.qty > 10).map(l, l.price))'
expression 10,2 'sum(order.lines.filter(l, l.qty > 10).map(l, l.price))'
expression 10,2 'size(order.lines) > 0 ? div(sum(order.lines.map(l, l.price)), size(order.lines), 2, '"'up'"') : 0.0'
expression 5,2 'sum(order.lines.map(l, 1))'
expression 2,0 'sum(order.lines.map(l, 1))'
expression 7,2 'min(sum(order.lines.map(l, l.qty)), 10000) + 0.00'
