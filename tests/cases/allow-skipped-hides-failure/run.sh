# An order that was not charged because its customer is unknown is not confirmed. A free order, whose charge is skipped, is confirmed.
run() {
  echo "$1"
  oms run "$2" --state-dir "x$1" --input in.ndjson > /dev/null 2>&1
  echo "exit $?"
  oms db export "$2" --state-dir "x$1" confirmed
  oms runs show "$2" --state-dir "x$1" unknown-customer | grep skipped
}
run plain p.yaml

# The order of the needs does not matter, nor whether another need was skipped.
sed 's/needs: \[customer\]/needs: [gift, customer]/; s/^  charge:/  gift: { uses: value.compute, when: "${{ order.amount > 100 }}", with: { values: { a: "${{ order.id }}" } } }\n&/' p.yaml > gift-first.yaml
sed 's/needs: \[gift, customer\]/needs: [customer, gift]/' gift-first.yaml > gift-last.yaml
run gift-first gift-first.yaml
run gift-last gift-last.yaml

# Neither does the distance from the failure.
sed 's/step: charge, allow/step: receipt, allow/; s/^  confirm:/  receipt: { uses: value.compute, needs: [charge], with: { values: { a: "${{ order.id }}" } } }\n&/' p.yaml > distant.yaml
run distant distant.yaml

# A catch step counts as skipped because of the failure if the step that it catches never ran for that reason.
sed 's/step: charge, allow/step: refund, allow/; s/^  confirm:/    on_failure: { run: refund }\n  refund: { uses: value.compute, with: { values: { a: "${{ error.cause }}" } } }\n&/' p.yaml > catch.yaml
run catch catch.yaml

# `allow: [failed]` also allows a need that was skipped because of a failure.
sed 's/allow: \[skipped\]/allow: [failed]/' p.yaml > failed.yaml
run failed failed.yaml
