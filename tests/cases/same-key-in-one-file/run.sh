# Of two orders with the same key, the first is billed and the second is a conflict: in one file, in two files, and with orders between them.
python3 - <<'PYTHON'
with open("between.ndjson", "w") as out:
    print('{"id":"A","amount":"20.00"}', file=out)
    for number in range(50):
        print('{"id":"B%d","amount":"1.00"}' % number, file=out)
    print('{"id":"A","amount":"25.00"}', file=out)
PYTHON
for inputs in "--input two.ndjson" "--input a.ndjson --input b.ndjson" "--input between.ndjson"; do
  for round in 1 2 3 4 5; do
    oms run p.yaml --state-dir x --concurrency 64 $inputs > /dev/null 2>&1
    echo "exit $? $(oms db export p.yaml --state-dir x bills | head -n 1)"
    rm -r x
  done | sort | uniq -c
done
