# A seed adds rows and updates its own rows, but keeps changes by a step, an import or `oms forget`.
run() { oms run p.yaml --state-dir x "$@" 2>&1 > /dev/null | grep seed; }
rows() { echo "--- $1"; oms db export p.yaml --state-dir x contact; }
run --input o1.json
rows "a step wrote C1"
echo '{"customer":"C2","email":"two@example.org"}' >> seed.ndjson
run --input o3.json
rows "the seed has C2"
sed -i 's/two@/deux@/' seed.ndjson
run
rows "the seed has another C2"
echo '{"customer":"C2","email":"imported@example.org"}' | oms db import p.yaml --state-dir x contact - 2> /dev/null
sed -i 's/deux@/due@/' seed.ndjson
run
rows "an import wrote C2"
echo '{"customer":"C3","email":"three@example.org"}' >> seed.ndjson
run
rows "the seed has C3"
echo "--- a table that no step writes"
oms run only.yaml --state-dir y --input o3.json > /dev/null 2>&1
oms forget only.yaml --state-dir y C2 --yes 2> /dev/null
echo '{"customer":"C4","email":"four@example.org"}' >> seed.ndjson
oms run only.yaml --state-dir y 2>&1 > /dev/null | grep seed
oms db export only.yaml --state-dir y contact
echo "--- a state of an earlier version whose seed changed"
oms run only.yaml --state-dir z --input o3.json > /dev/null 2>&1
python3 - <<'PYTHON'
import sqlite3
state = sqlite3.connect("z/oms.db")
state.execute("drop table oms_seed_rows")
state.execute("delete from oms_meta where name like 'seed rows %'")
state.execute("delete from contact where customer = 'C3'")
state.execute("update contact set email = 'changed@example.org' where customer = 'C4'")
state.commit()
PYTHON
cp -r z same
oms run only.yaml --state-dir same 2>&1 > /dev/null | grep seed
sed -i 's/four@/quatre@/; s/old@/older@/' seed.ndjson
for state in z same; do
  oms run only.yaml --state-dir $state 2>&1 > /dev/null | grep seed
  oms db export only.yaml --state-dir $state contact
done
