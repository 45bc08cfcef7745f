# A conflict in a file, over HTTP, and after the run was deleted.
oms run p.yaml --input two.ndjson --state-dir st 2>&1 | head -2
oms serve p.yaml --listen 127.0.0.1:0 --state-dir st --access-log > said 2> log &
server=$!
until grep -q console said; do :; done
url=$(sed -n 's|^PUT \(.*\)/.*|\1|p' said)
post() { curl -s -H 'content-type: application/json' --data-binary @- "$url"; echo; }
sed -n 1p two.ndjson | post
sed -n 2p two.ndjson | post
python3 -c 'import json; print(json.dumps({**json.loads(open("two.ndjson").readline()), **{f"more{n}": 1 for n in range(12)}}))' | post
kill "$server"; wait "$server"
grep -o '"conflict":.*' log | sed 's/"\(id\|micros\)":[^,}]*/"\1":…/'
oms runs prune p.yaml --state-dir st --older-than 1ms
oms run p.yaml --input two.ndjson --state-dir st 2>&1 | head -2
