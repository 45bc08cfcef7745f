for file in array.json lines.json bom.ndjson comment.ndjson trailingcomma.ndjson; do
  echo "== $file"
  oms run p.yaml --state-dir "$file.st" --input "$file" --format json 2> findings | python3 -c 'import json, sys; line = json.load(sys.stdin); print({name: line[name] for name in ("read", "accepted", "rejected")})'
  sed -n "s|: the order.*||p" findings | uniq
done
mkdir siblings
cd siblings
cp ../named.yaml .
order='{"id":"A1","amount":"1"}'
printf '[%s,\n %s]' "$order" "$order" > array.ndjson
printf '\xef\xbb\xbf[%s]' "$order" > bom.json
printf '{"id":"A1",\n"amount":"1"}\n' > pretty.json
printf '{"id":"A1",\n"amount":"1"}\n{"id":"A2",\n"amount":"1"}\n' > several.json
printf '%s\n%s\n' "$order" "$order" > lines.txt
printf '%s\n' "$order" > one.ndjson
printf '[%s,]' "$order" > comma.json
printf '[%s' "$order" > open.json
printf '[%s]]' "$order" > closed.json
printf '{"id":"A1" // no\n,"amount":"1"}' > comment.json
printf 'id;amount\nA1;1\n' > orders.csv
printf '' > empty.json
for file in *.json *.ndjson *.txt *.csv; do
  echo "== $file"
  oms run named.yaml --state-dir st --input "$file" 2>&1 | sed -n "s|: the order.*||p" | uniq
done
oms run named.yaml --state-dir st --input - --name stdin < array.ndjson > out 2>&1
oms runs list named.yaml --state-dir st 2> out | cut -d" " -f1 | sort
mkdir in
cp array.ndjson in/watched.json
cp comma.json in/
oms run named.yaml --state-dir watched --watch in > out 2>&1 &
watcher=$!
for _ in $(seq 300); do
  [ -e in/done/watched.json ] && [ -e in/refused/comma.json ] && break
  sleep 0.1
done
kill -INT "$watcher"
wait "$watcher"
sed -n "s|: the order.*||p" out | uniq
oms runs list named.yaml --state-dir watched 2> out | cut -d" " -f1 | sort
exit 0
