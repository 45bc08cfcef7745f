# Keys are part of the state and of its backup. A state that ever had keys requires one, whatever happens to other files.
oms keys add p.yaml --state-dir s shop > key 2> /dev/null
secret=$(grep -o 'oms_[0-9a-f]*_[0-9a-f]*' key | head -1)
oms keys add p.yaml --state-dir s late > key 2> /dev/null
late=$(grep -o 'oms_[0-9a-f]*_[0-9a-f]*' key | head -1)
echo '{"id":"A","amount":"1"}' > a.json
serve() {
  : > said
  oms serve p.yaml --state-dir "$1" --listen 127.0.0.1:0 > said 2> log & server=$!
  until grep -q console said; do kill -0 $server || return; sleep 0.05; done
  address=$(grep -o '127.0.0.1:[0-9]*' said | head -1)
  python3 - "$address" "$secret" "$late" <<'PYTHON'
import http.client, sys, os
address, *keys = sys.argv[1:]
def ask(method, path, body=None, **headers):
    connection = http.client.HTTPConnection(address)
    connection.request(method, path, body, {"Content-Type": "application/json", **headers})
    return connection.getresponse().status
order = '{"id":"A","amount":"1"}'
print("no key", ask("PUT", "/bills/A", order), ask("GET", "/metrics"), ask("GET", "/console/bills/"))
print("keys", *[ask("PUT", "/bills/A", order, **{"X-API-Key": key}) for key in keys])
PYTHON
  kill $server; wait $server
}
echo "== the state"; serve s
oms db backup p.yaml copy.db --state-dir s 2> /dev/null
oms keys revoke p.yaml --state-dir s late 2> /dev/null
echo "== a copy as the database of a new directory"; mkdir n; cp copy.db n/oms.db; serve n
echo "== restored: what was revoked stays so"; oms db restore p.yaml copy.db --state-dir s 2> /dev/null; serve s
echo "== an earlier version's keys"
oms run p.yaml --state-dir e --input a.json > /dev/null 2>&1
python3 - <<'PYTHON'
import sqlite3
database = sqlite3.connect("e/oms.db"); database.execute("drop table oms_keys"); database.commit(); database.close()
PYTHON
cat > e/keys.json <<'JSON'
[{"id":"000000000000","name":"old","scope":"admin","digest":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","created_at":"2026-01-02T03:04:05Z","revoked_at":null}]
JSON
oms keys list p.yaml --state-dir e
secret=oms_000000000000_; late=$secret; serve e; ls e | grep keys
oms keys list p.yaml --state-dir e
