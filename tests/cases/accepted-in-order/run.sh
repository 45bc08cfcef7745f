# Three orders of one customer in a file. The row keeps the last accepted order, which at every concurrency is the last one in the file.
for time in 1 2 3 4 5 6 7 8; do
  oms run p.yaml --state-dir "s$time" --input three.ndjson > /dev/null
  oms db export p.yaml --state-dir "s$time" latest | sed 's/"at":"[^"]*"/"at":"INSTANT"/'
done
