# Text that looks like an encoded word is encoded, and no line of a message is longer than 998 bytes.
oms render-email preview p.yaml --part eml | grep '^Subject' | tr -d '\r'
oms render-email preview p.yaml --order long.json --part eml | tr -d '\r' > long.eml
grep -A1 '^Subject' long.eml
awk 'length($0) > 998 { print "too long" }' long.eml
sed -i "s|from: \"Orders |from: \"=?utf-8?q?You_won!?= $(printf 'n%.0s' $(seq 1000)) |" p.yaml
oms render-email preview p.yaml --part eml | tr -d '\r' > from.eml
grep -A1 '^From' from.eml
awk 'length($0) > 998 { print "too long" }' from.eml
