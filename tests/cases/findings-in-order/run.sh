# Orders are checked concurrently, but their findings are printed in the order of the file.
python3 - > orders.ndjson <<'PYTHON'
for number in range(1, 400):
    print('{"id": 1}' if number % 7 == 0 else f'{{"id": "A{number}"}}')
PYTHON
for concurrency in 1 64; do
  oms run note.yaml --input orders.ndjson --concurrency "$concurrency" --state-dir "st$concurrency" 2> findings > /dev/null
  cut -d: -f2 findings | sort -nc && grep -c error findings
done
