# An e-mail address finds every run, mail and row of the customer, without a server and through a server.
pipeline=$ROOT/pipelines/storefront.yaml
samples=$ROOT/pipelines/storefront/samples
for way in here server; do
  oms run $pipeline --state-dir $way --samples > /dev/null 2>&1
  email=$(oms db export $pipeline --state-dir $way customer_contact_info | python3 -c '
import json, sys
for line in sys.stdin:
    row = json.loads(line)
    if row["customer_id"] == "VINET": print(row["email"])')
  if [ $way = server ]; then
    oms serve $pipeline --state-dir $way --listen 127.0.0.1:0 > log 2>&1 & server=$!
    until [ -S $way/control.sock ] || ! kill -0 $server; do python3 -c 'import time; time.sleep(0.05)'; done
  fi
  before=$(python3 -c 'import sqlite3; print(sqlite3.connect("'$way'/oms.db").execute("select count(*) from oms_runs").fetchone()[0])')
  oms forget $pipeline --state-dir $way "${email^^}" --yes --format json 2>&1; echo "exit $?"
  oms mail show $pipeline --state-dir $way NW-10248 > /dev/null 2>&1; echo "mail: exit $?"
  oms runs show $pipeline --state-dir $way NW-10248 > /dev/null 2>&1; echo "run: exit $?"
  oms forget $pipeline --state-dir $way "$email" --yes 2>&1; echo "exit $?"
  [ $way = here ] || { kill $server; wait $server; echo "server: exit $?"; }
  cat $way/* 2> /dev/null | grep -aci "$email"
  after=$(python3 -c 'import sqlite3; print(sqlite3.connect("'$way'/oms.db").execute("select count(*) from oms_runs").fetchone()[0])')
  echo "$((before - after)) of $before runs gone"
  # The seed does not restore the customer.
  mkdir -p copy; cp -r $ROOT/pipelines $ROOT/templates copy/
  echo '{"customer_id":"NEW","name":"New Customer","email":null,"locale":"en"}' >> copy/pipelines/storefront/customers.ndjson
  oms run copy/pipelines/storefront.yaml --state-dir $way 2>&1 > /dev/null | grep seed
  oms db export $pipeline --state-dir $way customer_contact_info | grep -c '"VINET"\|"NEW"'
  rm -r copy
done
