# The message says which code was probably meant.
verdicts() { rm -rf st; oms run "$1" --state-dir st --input "$2" 2>&1 | grep -E "error\[|read," | sort -V; }
verdicts good.yaml usd.ndjson
verdicts good.yaml siblings.ndjson
