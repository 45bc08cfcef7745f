# An empty, truncated or older database, or one without its log, is not accepted as the state. A backup is complete or does not exist.
orders() { for n in $(seq "$1" "$2"); do echo "{\"id\":\"A$n\",\"amount\":\"1\"}"; done; }
orders 1 300 > in.ndjson
run() { oms run p.yaml --state-dir "${1:-s}" --input in.ndjson 2>&1 | grep -v ' completed\|^state\|^table\|^a run\|^run  \|^$'; echo "exit ${PIPESTATUS[0]}"; }
new() { rm -rf s; run > /dev/null; }
echo "== empty"; new; truncate -s 0 s/oms.db; run; oms runs list p.yaml --state-dir s 2>&1
echo "== cut off"; new; truncate -s 40000 s/oms.db; run
echo "== deleted"; new; rm s/oms.db; run
echo "== of another state"; new; run other > /dev/null; cp other/oms.db s/oms.db; run
echo "== an older copy"; new; cp s/oms.db older.db; orders 301 302 > in.ndjson; run > /dev/null; cp older.db s/oms.db; run
echo "== a copy that is brought back as it should be"
oms db restore p.yaml older.db --state-dir s 2>&1; echo "exit $?"
run
orders 1 302 > in.ndjson; run
echo "== no backup of this pipeline"
: > empty.db
oms db restore p.yaml empty.db --state-dir s 2>&1; echo "exit $?"
echo text > text.db
oms db restore p.yaml text.db --state-dir s 2>&1; echo "exit $?"
oms db restore p.yaml nothing.db --state-dir s 2>&1; echo "exit $?"
for version in 0 1 7; do
    python3 -c "import sqlite3; sqlite3.connect('other$version.db').executescript('create table t (x); pragma user_version = $version')"
    oms db restore p.yaml other$version.db --state-dir s 2>&1; echo "exit $?"
done
sed 's/name: bills/name: others/' p.yaml > q.yaml
oms db restore q.yaml older.db --state-dir q 2>&1; echo "exit $?"
run
echo "== a log that was deleted after a crash"
rm -rf s; orders 1 50 > in.ndjson
python3 - <<'PYTHON'
import os, signal, subprocess, time, sqlite3
server = subprocess.Popen(["oms", "serve", "p.yaml", "--state-dir", "s", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
address = server.stdout.readline().split("/bills")[0].split("PUT http://")[1]
import http.client
for n in range(5):
    connection = http.client.HTTPConnection(address)
    connection.request("PUT", f"/bills/A{n}", f'{{"id":"A{n}","amount":"1"}}', {"Content-Type": "application/json"})
    assert connection.getresponse().status == 201
time.sleep(0.5)
server.kill(); server.wait()
os.remove("s/oms.db-wal")
PYTHON
run
echo "== a backup that is broken off leaves no copy"
new
(ulimit -f 40; trap '' XFSZ; oms db backup p.yaml copy.db --state-dir s > /dev/null 2>&1); ls copy.db 2>&1 | sed 's/^ls: //'
oms db backup p.yaml copy.db --state-dir s 2>&1
oms db backup p.yaml copy.db --state-dir s 2>&1; echo "exit $?"
ls copy.db*
exit 0
