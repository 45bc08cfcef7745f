# What prune lets go of takes no room any more, without a server and with one; also in a state of an earlier version, which is written anew.
for n in $(seq 3000); do echo "{\"id\":\"A$n\",\"amount\":\"1\"}"; done > in.ndjson
size() { cat s/oms.db* | wc -c; }
smaller() { if [ "$(size)" -lt "$(($1 * 7 / 10))" ]; then echo smaller; else echo "$1 $(size)"; fi; }
fill() { rm -rf s; oms run p.yaml --state-dir s --input in.ndjson > /dev/null 2>&1; }
prune() { python3 -c 'import time; time.sleep(1.1)'; oms runs prune p.yaml --state-dir s --older-than 1s; }
echo "== without a server"; fill; before=$(size); prune; smaller $before
echo "== with a server"; fill; before=$(size)
oms serve p.yaml --state-dir s --listen 127.0.0.1:0 > said 2> log & server=$!
until [ -S s/control.sock ] && grep -q console said; do sleep 0.05; done
prune; smaller $before
kill $server; wait $server; echo "exit $?"
echo "== of an earlier version"; fill
python3 -c 'import sqlite3; database = sqlite3.connect("s/oms.db", isolation_level=None); database.execute("pragma journal_mode = delete"); database.execute("pragma auto_vacuum = 0"); database.execute("vacuum")'
before=$(size); prune; smaller $before
oms run p.yaml --state-dir s --input in.ndjson 2> /dev/null | head -1
