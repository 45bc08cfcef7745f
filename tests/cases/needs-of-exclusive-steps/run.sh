# A step that needs two mutually exclusive steps can never run.
oms validate p.yaml

echo "--- as the help says"
sed 's/^$/    needs: [{ step: card, allow: [skipped] }, { step: bank, allow: [skipped] }]/' p.yaml > missing.yaml
oms validate missing.yaml
sed 's/coalesce(.*)/steps.card != null ? steps.card.ref : (steps.bank != null ? steps.bank.ref : null)/' missing.yaml > allowed.yaml
oms validate --deny warnings allowed.yaml
oms run allowed.yaml --state-dir state --input in.ndjson > /dev/null
oms db export allowed.yaml --state-dir state done

echo "--- other conditions that exclude each other"
both() {
  sed "s#when: \"\${{ order.pay == 'card' }}\"#when: \"\${{ ${1//&/\\&} }}\"#; s#when: \"\${{ order.pay == 'bank' }}\"#when: \"\${{ ${2//&/\\&} }}\"#" p.yaml > other.yaml
  echo "$1 / $2: $(oms validate other.yaml | grep -c OMS0302)"
}
both "order.pay == 'card'" "order.pay != 'card'"
both "order.pay in ['card', 'none']" "order.pay == 'bank'"
both "size(order.id) > 3" "size(order.id) <= 3"
both "order.id.startsWith('a')" "!order.id.startsWith('a')"
both "order.id > order.pay" "order.pay >= order.id"
both "order.pay == 'card' || order.pay == 'none'" "order.pay == 'bank'"
both "order.pay == 'card'" "order.pay == 'card'"
both "order.pay != 'card'" "order.pay != 'bank'"
both "size(order.id) > 3" "size(order.id) <= 4"
