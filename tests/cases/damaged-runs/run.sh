# The data of some runs is damaged: each is parked with its own cause, the others continue, and a damaged run can be cancelled and erased.
for n in $(seq 8); do echo "{\"id\":\"A$n\",\"email\":\"a$n@example.com\"}"; done > in.ndjson
: > none.ndjson
python3 - <<'PYTHON'
import subprocess, sqlite3, time
# The runs wait for a mail server.
run = subprocess.Popen(["oms", "run", "p.yaml", "--state-dir", "s", "--mail", "smtp", "--input", "in.ndjson"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
def waiting():
    try:
        return sqlite3.connect("file:s/oms.db?mode=ro", uri=True).execute("select count(*) from oms_runs where state = 'waiting'").fetchone()[0]
    except sqlite3.Error:
        return 0
while waiting() < 8:
    time.sleep(0.05)
run.kill(); run.wait()
database = sqlite3.connect("s/oms.db")
of = lambda key: database.execute("select id from oms_runs where key = ?", [key]).fetchone()[0]
database.execute("update oms_journal set events = substr(events, 1, length(events) / 2) where run = ?", [of("A1")])
database.execute("update oms_journal set events = '[{\"is\":\"nothing\"}]' where run = ?", [of("A2")])
database.execute("update oms_runs set body = x'7b' where key = 'A3'")
database.execute("update oms_runs set bundle = 77 where key = 'A4'")
database.execute("update oms_runs set body = cast(replace(cast(body as text), 'a5@', 'b5@') as blob) where key = 'A5'")
database.execute("update oms_runs set wait_until = 0 where key <> 'A5'")
database.commit()
PYTHON
states() { oms runs list p.yaml --state-dir s 2> /dev/null | sed 's/ *20[0-9-]*T[0-9:]*Z */ /; s/next attempt.*//'; }
timeout -s INT 5 oms run p.yaml --state-dir s --mail smtp --input none.ndjson > /dev/null 2>&1
states
echo "== show"; for key in A1 A3 A4; do oms runs show p.yaml --state-dir s $key 2>&1; done
echo "== retry"; for key in A1 A3 A4 A5; do oms runs retry p.yaml --state-dir s --mail smtp $key 2>&1 | grep error; done
echo "== a server"
oms serve p.yaml --state-dir s --mail smtp --listen 127.0.0.1:0 > said 2> log & server=$!
until [ -S s/control.sock ] && grep -q console said; do sleep 0.05; done
address=$(grep -o '127.0.0.1:[0-9]*' said | head -1)
python3 - "$address" <<'PYTHON'
import http.client, sys
def ask(path):
    connection = http.client.HTTPConnection(sys.argv[1]); connection.request("GET", path); response = connection.getresponse()
    return response.status, "cancel" in response.read().decode()
print([ask(f"/console/mails/runs/{key}") for key in ["A1", "A3", "A4", "A6"]])
PYTHON
oms runs cancel p.yaml --state-dir s A1 A2 2>&1
kill $server; wait $server; echo "exit $?"
oms runs cancel p.yaml --state-dir s --mail outbox A3 A4 A5 2>&1
states
oms forget p.yaml --state-dir s --mail outbox a1@example.com --yes 2>&1
states | head -1
