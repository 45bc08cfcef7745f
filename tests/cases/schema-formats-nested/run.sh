# Formats are asserted and misspelled keywords are found in every part of a schema.
verdicts() { rm -rf st; oms run "$1" --state-dir st --input "$2" 2>&1 | grep -E "error\[|read," | sort -V; }
oms validate p.yaml
verdicts fixed.yaml o.ndjson
verdicts siblings.yaml siblings.ndjson
