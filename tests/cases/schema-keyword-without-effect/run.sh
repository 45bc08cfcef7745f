# A length beside a format and bounds on decimals hold; a length beside a format also bounds a column; what has no effect is refused.
verdicts() { rm -rf st; oms run "$1" --state-dir st --input "$2" 2>&1 | grep -E "error\[|read," | sort -V; }
verdicts length.yaml length.json
verdicts length-with-pattern-elsewhere.yaml length.json
verdicts minimum.yaml minimum.json
oms validate col.yaml
verdicts col.yaml c.json
oms validate siblings.yaml; echo "exit $?"
