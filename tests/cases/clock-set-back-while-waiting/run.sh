# If a run began to wait while the clock was years ahead, it waits no longer than intended once the clock is correct.
cp "$ROOT"/tests/cases/retry-of-waiting-run/{slow.yaml,r1.json} .
cp -r "$ROOT"/tests/cases/retry-of-waiting-run/t .
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
sed "s/18255/$port/" slow.yaml > hour.yaml
sed "s/18255/$port/; s/3600000/100/g" slow.yaml > moment.yaml
show() { oms runs show $1.yaml --state-dir $1 r1 --format json | python3 -c '
import json, sys
from datetime import datetime
run = json.load(sys.stdin)
at = lambda text: datetime.fromisoformat(text.replace("Z", "+00:00"))
kinds = [event["state"] for event in run["steps"][1]["events"] if event["state"] != "claimed"]
print(run["state"], kinds)
if run["wait_until"]:
    print("within an hour:", (at(run["wait_until"]) - datetime.now(at(run["wait_until"]).tzinfo)).total_seconds() <= 3600)
'; }
until_said() {
  : > said
  oms run "$1.yaml" --state-dir "$1" --mail smtp > /dev/null 2>> said &
  until grep -q 'next attempt' said; do :; done
  kill -KILL $!; wait $! 2> /dev/null
}
begin() {
  oms run "$1.yaml" --state-dir "$1" --input r1.json --mail smtp > /dev/null 2>&1 &
  until oms runs list "$1.yaml" --state-dir "$1" --state waiting 2> /dev/null | grep -q waiting; do :; done
  kill -KILL $!; wait $! 2> /dev/null
  # Pretend that the clock was 14 years ahead.
  python3 - "$1/oms.db" <<'PYTHON'
import json, sqlite3, sys
AHEAD = 14 * 365 * 86400
with sqlite3.connect(sys.argv[1]) as db:
    for run, seq, events in db.execute("select run, seq, events from oms_journal").fetchall():
        events = json.loads(events)
        for event in events:
            for name in ("at", "retry_at"):
                if name in event:
                    event[name] += AHEAD * 1_000_000
        db.execute("update oms_journal set events = ? where run = ? and seq = ?", (json.dumps(events, separators=(",", ":")), run, seq))
    db.execute("update oms_runs set wait_until = wait_until + ?, accepted_at = accepted_at + ?, updated_at = updated_at + ?", (AHEAD * 1000,) * 3)
PYTHON
}
sed -i 's/attempts: 3/attempts: 2/' hour.yaml
begin hour
until_said hour
show hour
# After a restart, it waits until the same time.
before=$(oms runs list hour.yaml --state-dir hour --format json | grep -o '"wait_until":"[^"]*"')
until_said hour
[ "$before" = "$(oms runs list hour.yaml --state-dir hour --format json | grep -o '"wait_until":"[^"]*"')" ] && echo same
# A short wait ends by itself, and all attempts are made.
sed -i 's/attempts: 3, initial_ms: 100, max_ms: 100/attempts: 3, initial_ms: 60000, max_ms: 60000/' moment.yaml
begin moment
python3 - moment/oms.db <<'PYTHON'
import re, sqlite3, sys
# The run waited for a tenth of a second, not for a minute.
with sqlite3.connect(sys.argv[1]) as db:
    for run, seq, events in db.execute("select run, seq, events from oms_journal").fetchall():
        events = re.sub(r'"at":(\d+)(.*?)"retry_at":(\d+)', lambda m: '"at":%s%s"retry_at":%d' % (m[1], m[2], int(m[1]) + 100_000), events)
        db.execute("update oms_journal set events = ? where run = ? and seq = ?", (events, run, seq))
PYTHON
oms runs list moment.yaml --state-dir moment 2> /dev/null | cut -d' ' -f1-3
until_said moment
show moment
