# Two elements that write the same row or object are a conflict, even if they are equal. `index` gives each element its own key.
reasons() { oms runs show "$1" --state-dir "$2" "$3" --format json | python3 reasons.py; }
for order in equal differ; do
  for pipeline in without with upsert; do
    echo "# $pipeline: $order"
    oms run "$pipeline.yaml" --state-dir "$pipeline-$order" --input "$order.ndjson" > /dev/null
    reasons "$pipeline.yaml" "$pipeline-$order" "$order"
  done
  oms db export with.yaml --state-dir "with-$order" line
done
echo "# two-steps"
echo '{"id":"o"}' > o.ndjson
oms run two-steps.yaml --state-dir two --input o.ndjson > /dev/null
reasons two-steps.yaml two o
oms db export two-steps.yaml --state-dir two upserted
