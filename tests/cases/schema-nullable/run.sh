# `nullable` allows null whatever else the schema says, beside `$ref` and `enum`, too.
verdicts() { rm -rf st; oms run "$1" --state-dir st --input "$2" 2>&1 | grep -E "error\[|read," | sort -V; }
for file in p.yaml p-pattern.yaml; do verdicts $file o.json; done
verdicts siblings.yaml siblings.ndjson
