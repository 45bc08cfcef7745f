# `nullable` allows null in combination with every other keyword, including `$ref` and `enum`.
verdicts() { rm -rf st; oms run "$1" --state-dir st --input "$2" 2>&1 | grep -E "error\[|read," | sort -V; }
for file in p.yaml p-pattern.yaml; do verdicts $file o.json; done
verdicts siblings.yaml siblings.ndjson
