# Text that is not JSON has one message, at its place.
verdicts() { rm -rf st; oms run "$1" --state-dir st --input "$2" 2>&1 | grep -E "error\[|read," | sort -V; }
verdicts good.yaml bad.ndjson
verdicts good.yaml siblings.ndjson
