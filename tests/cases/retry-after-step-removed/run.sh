# A retry needs only the steps that succeeded. Others may be removed, renamed, added or changed.
try() {
  rm -rf x; cp p.yaml now.yaml
  oms run now.yaml --state-dir x --input in.ndjson > /dev/null 2>&1
  sed -i "$2" now.yaml
  echo "== $1"
  oms runs retry now.yaml --state-dir x o2 2>&1
  echo "exit $?"
  oms runs show now.yaml --state-dir x o2 | grep -A 9 '^[a-z0-9]* ' | grep -v ' input\| output\|^$\|accepted' | sed 's/ in [0-9]* µs//'
  # The next process reads the same state.
  oms run now.yaml --state-dir x > /dev/null 2>&1
  oms db export now.yaml --state-dir x bill | wc -l
}
try 'the skipped step removed' '/^  put:/d'
try 'the failed step and what needs it removed' '/^  put:/d; /^  who:/d'
try 'the failed step renamed' 's/^  who:/  whom:/; s/steps.who/steps.whom/'
try 'the failed step of another kind' 's/^  who: .*/  who: { uses: value.compute, needs: [save], with: { values: { email: "nobody@example.org" } } }/'
try 'the failed step over a list' 's/^  who: .*/  who: { uses: table.get, needs: [save], for_each: { items: ["C1"] }, with: { table: contact, key: { customer: "${{ item }}" } } }/; s/steps.who.email/steps.who.map(one, one.email)/'
try 'a step added that a done one needs' 's/^  save: { uses: table.insert,/  check: { uses: value.compute, with: { values: { a: "${{ order.id }}" } } }\n  save: { uses: table.insert, needs: [check],/; /^  put:/d; /^  who:/d'
try 'a done step removed' '/^  save:/d; s/needs: \[save\], //'
try 'a done step renamed' 's/^  save:/  keep:/; s/\[save\]/[keep]/'
