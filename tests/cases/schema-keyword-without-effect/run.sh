# A length together with a format and bounds on decimals are applied. A length also limits a column. Keywords without an effect are rejected.
verdicts() { rm -rf st; oms run "$1" --state-dir st --input "$2" 2>&1 | grep -E "error\[|read," | sort -V; }
verdicts length.yaml length.json
verdicts length-with-pattern-elsewhere.yaml length.json
verdicts minimum.yaml minimum.json
oms validate col.yaml
verdicts col.yaml c.json
oms validate siblings.yaml; echo "exit $?"
