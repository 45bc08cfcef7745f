# Without a server, prune shrinks the database file.
for n in $(seq 3000); do echo "{\"id\":\"A$n\",\"amount\":\"1\"}"; done > in.ndjson
size() { cat s/oms.db* | wc -c; }
smaller() { if [ "$(size)" -lt "$(($1 * 7 / 10))" ]; then echo smaller; else echo "$1 $(size)"; fi; }
fill() { rm -rf s; oms run p.yaml --state-dir s --input in.ndjson > /dev/null 2>&1; }
prune() { python3 -c 'import time; time.sleep(1.1)'; oms runs prune p.yaml --state-dir s --older-than 1s; }
echo "== without a server"; fill; before=$(size); prune; smaller $before
oms run p.yaml --state-dir s --input in.ndjson 2> /dev/null | head -1
