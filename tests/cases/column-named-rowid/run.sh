# A column may have any of SQLite's names for the row number. A personal key is replaced in its own row only.
for name in rowid oid; do
  sed "s/NAME/$name/g" rw.yaml > $name.yaml
  oms run $name.yaml --state-dir $name --input rw.ndjson > /dev/null 2>&1
  oms forget $name.yaml --state-dir $name e1@x.org --yes 2> /dev/null; echo "exit $?"
  oms db export $name.yaml --state-dir $name seen
  oms db export $name.yaml --state-dir $name ages
done
# Another order of the same customer: the digest is already in its row.
echo '{"id":"o5","email":"e1@x.org","n":7}' | oms run rowid.yaml --state-dir rowid --input - > /dev/null 2>&1
oms forget rowid.yaml --state-dir rowid e1@x.org --yes 2> /dev/null; echo "exit $?"
oms db export rowid.yaml --state-dir rowid ages
