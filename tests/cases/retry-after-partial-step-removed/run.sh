# Two of three mails are sent; the date in the third one cannot be computed. Under another name, the step would send all of them.
mails() { oms mail list p.yaml --state-dir s --format json | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["mails"]), "mails")'; }
oms run p.yaml --state-dir s --input order.json > /dev/null 2>&1
mails
sed -i 's/^  mail:/  notify:/; s/date(item.at)/item.at/' p.yaml
oms runs retry p.yaml --state-dir s A1 2>&1
echo "exit $?"
mails
sed -i 's/^  notify:/  mail:/' p.yaml
oms runs retry p.yaml --state-dir s A1 A1 2>&1
mails
# Keys and the selection of all runs exclude each other.
oms runs retry p.yaml --state-dir s A1 --all 2>&1
echo "exit $?"
