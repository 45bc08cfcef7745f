# A line break at the end of a block scalar is reported in every setting.
check() {
  key=$1
  value=$2
  echo "$key: $value"
  awk -v key="$key" -v value="$value" '
    /^steps:/ { steps = 1 }
    { at = index($0, " " key ":") }
    steps && at && !done { done = 1; print substr($0, 1, at) key ": " value; next }
    { print }' p.yaml | sed 's/NEWLINE/\n              /g' > q.yaml
  oms validate q.yaml | grep -E '^(error|help)' | sed 's/^/    /'
}
check uses '|NEWLINEobject.put'
check bucket '|NEWLINEorders'
check table '|NEWLINEt'
check topic '>NEWLINEorders'
check template '|NEWLINEm'
check to '|NEWLINEjo@example.com'
check bucket '"ord\\ners"'
check key '"a\\n${{ run.key }}"'
check key '|NEWLINEa/${{ run.key }}.json'
