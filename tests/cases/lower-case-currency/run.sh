# The message suggests the correct code.
verdicts() { rm -rf st; oms run "$1" --state-dir st --input "$2" 2>&1 | grep -E "error\[|read," | sort -V; }
verdicts good.yaml usd.ndjson
verdicts good.yaml siblings.ndjson
