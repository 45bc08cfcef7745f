# Every order violates a rule; a keyword on another member changes nothing.
verdicts() { rm -rf st; oms run "$1" --state-dir st --input "$2" 2>&1 | grep -E "error\[|read," | sort -V; }
for file in p.yaml p-pattern.yaml; do
  oms validate $file
  verdicts $file o.ndjson
done
