# Valid orders are accepted. Members that no pattern allows and elements after the first ones are rejected.
verdicts() { rm -rf st; oms run "$1" --state-dir st --input "$2" 2>&1 | grep -E "error\[|read," | sort -V; }
oms validate p.yaml
verdicts p.yaml o.ndjson
verdicts p.yaml siblings.ndjson
