# Three orders of one customer in a file; the row keeps the one that was accepted last. Whatever the concurrency, that is the last of the file.
for time in 1 2 3 4 5 6 7 8; do
  oms run p.yaml --state-dir "s$time" --input three.ndjson > /dev/null
  oms db export p.yaml --state-dir "s$time" latest | sed 's/"at":"[^"]*"/"at":"INSTANT"/'
done
