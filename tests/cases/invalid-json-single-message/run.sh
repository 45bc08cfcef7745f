# Text that is not JSON gets a single message with its position.
verdicts() { rm -rf st; oms run "$1" --state-dir st --input "$2" 2>&1 | grep -E "error\[|read," | sort -V; }
verdicts good.yaml bad.ndjson
verdicts good.yaml siblings.ndjson
