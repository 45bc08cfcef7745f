# Twenty orders for ten mugs: ten are sold at every concurrency.
for concurrency in 1 8 64; do
  oms run p.yaml --state-dir "x$concurrency" --input twenty.ndjson --concurrency $concurrency > /dev/null 2>&1
  echo "concurrency $concurrency: exit $?"
  oms db export p.yaml --state-dir "x$concurrency" sold | tr '\n' ' '
  oms db export p.yaml --state-dir "x$concurrency" stock
done
