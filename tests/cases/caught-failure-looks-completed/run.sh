# A run with a caught failure completes and is marked in the summary, in the list, by its cause, and in the metrics.
oms() { command oms "$@" --state-dir x; }
oms run p.yaml --input in.ndjson --format json | python3 -c 'import json, sys; line = json.load(sys.stdin); print({name: line[name] for name in ("completed", "parked", "caught")})'
echo "exit ${PIPESTATUS[0]}"
list() { oms runs list p.yaml "$@" 2>&1 | sed 's/20[0-9-]*T[0-9:]*Z/TIME/'; }
list
list --cause no_row
list --cause no_row --state parked
oms runs list p.yaml --format json --cause no_row | python3 -c 'import json, sys; [print(run["key"], run["state"], run["cause"], run["caught"]) for run in json.load(sys.stdin)["runs"]]'
oms runs show p.yaml b | head -n 1

# A retry repeats the failed step and its dependents, but not the completed catch step.
oms runs retry p.yaml b
echo "exit $?"
echo '{"customer":"CX"}' > more.ndjson
oms db import p.yaml customers more.ndjson > /dev/null
oms runs retry p.yaml --cause no_row
oms runs retry p.yaml b
list
oms db export p.yaml shipped
oms db export p.yaml stock
oms runs show p.yaml b | sed 's/ in [0-9]* µs//; s/[0-9-]*T[0-9:.]*Z/TIME/g'
oms runs retry p.yaml b
echo "exit $?"

# The human summary names the cause.
oms() { command oms "$@" --state-dir y; }
oms run p.yaml --input in.ndjson 2>&1 | grep -A 1 'although a step failed'

# A server reports it in the status of the order, in the metrics and in the console. A retry through the server works too.
unset -f oms
sed 's|^tables:|intake: { path: "/orders/{key}" }\n&|' p.yaml > served.yaml
oms serve served.yaml --state-dir z --listen 127.0.0.1:0 > served 2>&1 &
until grep -q '^console' served; do :; done
address=$(sed -n 's|^console \(.*\)/console/|\1|p' served)
curl -s -X PUT -H 'Content-Type: application/json' -H 'Prefer: wait=10' -d '{"id":"b","customer":"CX"}' "$address/orders/b" | grep -o '"state":"[a-z]*"\|"cause":"[a-z_]*"\|"caught":[0-9]' | sort
curl -s "$address/metrics" | grep '^oms_runs_caught'
curl -s "$address/console/comp/runs?cause=no_row" | grep -o '>b<\|caught: [0-9]*\|<option value="no_row" selected'
curl -s "$address/console/comp/runs/b" | grep -o 'caught: [0-9]*\|>Retry<'
oms db import served.yaml --state-dir z customers more.ndjson 2> /dev/null
oms runs retry served.yaml --state-dir z b
curl -s "$address/console/comp/runs/b" | grep -c 'caught: [0-9]*\|>Retry<'
kill $!; wait 2> /dev/null
