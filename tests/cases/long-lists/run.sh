# A list that may be longer than a step can process is a warning, and such an order is rejected.
bash gen.sh 10000 > fits.json
bash gen.sh 10001 > long.json
python3 -c "import json; print(json.dumps({'id': 'n', 'boxes': [{'prices': []}, {'prices': ['1.25'] * 10001}]}))" > boxes.json
for pipeline in sum each; do
  oms validate "$pipeline.yaml"
  oms run "$pipeline.yaml" --state-dir "$pipeline" --input long.json 2>&1
  oms run "$pipeline.yaml" --state-dir "$pipeline" --input fits.json | grep -o '1 completed'
  sed 's/^        type: array$/&\n        maxItems: 10000/' "$pipeline.yaml" > bounded.yaml
  oms validate bounded.yaml
done
oms db export each.yaml --state-dir each line | wc -l
oms run guarded.yaml --state-dir guarded --input long.json | grep -o '1 completed'
oms validate nested.yaml
oms run nested.yaml --state-dir nested --input boxes.json 2>&1
exit 0
