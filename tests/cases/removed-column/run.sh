# A column that must not be null is removed from the pipeline, or renamed: no process accepts orders before the table fits, and no server exits.
echo '{"id":"A","amount":"1"}' > a.json; echo '{"id":"B","amount":"2"}' > b.json
oms run p.yaml --state-dir s --input a.json > /dev/null 2>&1
oms serve p.yaml --state-dir s --listen 127.0.0.1:0 > said 2> log & server=$!
until [ -S s/control.sock ] && grep -q console said; do sleep 0.05; done
address=$(grep -o '127.0.0.1:[0-9]*' said | head -1)
put() { curl -s -o /dev/null -w '%{http_code}\n' -X PUT -H 'Content-Type: application/json' -d "{\"id\":\"$1\",\"amount\":\"1\"}" "http://$address/bills/$1"; }
cp p.yaml before.yaml
sed -i 's/, source: text//; s/, source: web//' p.yaml
oms validate p.yaml
echo "== a retry in a server loads the file"
echo '{"id":"C","amount":"1"}' > rows.ndjson
oms db import p.yaml --state-dir s bills rows.ndjson 2>&1; echo "exit $?"
put D
kill $server; wait $server; echo "exit $?"
echo "== run, serve"
oms run p.yaml --state-dir s --input b.json 2>&1; echo "exit $?"
timeout 20 oms serve p.yaml --state-dir s --listen 127.0.0.1:0 2>&1; echo "exit $?"
echo "== the way out"
oms db migrate p.yaml --state-dir s 2>&1; echo "exit $?"
oms db migrate p.yaml --state-dir s 2>&1
oms run p.yaml --state-dir s --input b.json 2>&1 | head -1
oms db export p.yaml --state-dir s bills
python3 -c 'import sqlite3; print(sqlite3.connect("s/oms.db").execute("select id, source from bills order by id").fetchall())'
echo "== renamed"
sed 's/source: text/origin: "text?"/; s/source: web/origin: web/' before.yaml > p.yaml
echo '{"id":"E","amount":"2"}' > e.json
oms run p.yaml --state-dir s --input e.json 2>&1 | head -1
sed 's/source: text/"source": text/; s/amount: "decimal(19,4)"/amount: "decimal(19,4)?"/' before.yaml > p.yaml
oms run p.yaml --state-dir s --input e.json 2>&1 | head -1
oms db migrate p.yaml --state-dir s 2>&1
exit 0
