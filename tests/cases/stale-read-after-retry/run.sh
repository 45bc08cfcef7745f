# Ten pieces in stock. The order of an unknown customer reads the stock and is parked; three others are sold. Then the customer is added.
order() { printf '{"id":"%s","sku":"mug","customer":"%s"}\n' "$1" "$2"; }
left() { oms db export "$1" --state-dir "$2" stock; oms db export "$1" --state-dir "$2" sold | wc -l; }
order new new > first.ndjson
for number in 1 2 3; do order "o$number" known; done > others.ndjson
oms validate p.yaml --deny warnings
oms run p.yaml --state-dir parked --input first.ndjson > /dev/null 2>&1
oms run p.yaml --state-dir parked --input others.ndjson > /dev/null
oms db import p.yaml --state-dir parked people new.ndjson > /dev/null
oms runs retry p.yaml --state-dir parked new
left p.yaml parked
oms runs show p.yaml --state-dir parked new --format json |
  python3 -c 'import json, sys; [print(step["id"], *[event["state"] for event in step["events"]]) for step in json.load(sys.stdin)["steps"]]'
