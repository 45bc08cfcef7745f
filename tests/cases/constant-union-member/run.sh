# A constant of a union in the condition of a step determines which fields exist.
oms validate p.yaml
oms run p.yaml --input samples.json --state-dir state > run.txt; oms db export p.yaml --state-dir state bills

echo "--- without the condition"
grep -v 'when: ${{ order.kind == "bill" }}' p.yaml > bare.yaml
oms validate bare.yaml

echo "--- the other constant, several, and none within one expression"
for condition in 'order.kind == "refund"' 'order.kind != "refund"' 'order.kind in ["bill"]' '!(order.kind == "refund")'; do
  sed "s/when: \${{ order.kind == \"bill\" }}/when: \${{ ${condition//&/\\&} }}/" p.yaml > other.yaml
  echo "$condition: $(oms validate other.yaml | grep -c '^error\[OMS0406\]') errors"
done
