# Bounds apply to the decimal in a text, exactly and in every part of the schema.
verdicts() { rm -rf st; oms run "$1" --state-dir st --input "$2" 2>&1 | grep -E "error\[|read," | sort -V; }
oms validate p.yaml
verdicts p.yaml o.ndjson
verdicts siblings.yaml siblings.ndjson
