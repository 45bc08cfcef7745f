# The last order of the file determines the row, at every concurrency.
for concurrency in 1 8 64; do
  for round in 1 2 3 4 5; do
    oms run p.yaml --state-dir x --concurrency $concurrency --input three.ndjson > /dev/null 2>&1
    oms db export p.yaml --state-dir x latest
    rm -r x
  done | sort | uniq -c
done
