oms explain hello 2>&1
oms db export p.yaml nothing --state-dir st 2>&1 | sed 's/`st`/STATE/'
oms run p.yaml --input order.json --state-dir 'st 1' 2>&1 | sed 's/in [0-9.]* s .*//; s/  */ /g'
oms runs show p.yaml A1 --state-dir 'st 1' | sed 's/ in [0-9]* µs//; s/[0-9-]*T[0-9:.]*Z/INSTANT/g'
oms runs show p.yaml NOPE --state-dir 'st 1' 2>&1
oms objects get p.yaml orders/NOPE --state-dir 'st 1' 2>&1
oms mail show p.yaml NOPE --state-dir 'st 1' 2>&1
oms keys add p.yaml shop --state-dir 'st 1' > out 2>&1
oms serve p.yaml --listen 127.0.0.1:0 --state-dir 'st 1' 2>&1
# Every timestamp in JSON has three decimals of a second.
for command in 'runs list' 'runs show' 'mail list' 'objects list' 'keys list'; do
  key=; [ "$command" = 'runs show' ] && key=A1
  oms $command p.yaml $key --state-dir 'st 1' --format json
done | grep -o '"[a-z_]*at": *[^,}]*' | sed 's/[0-9]\{4\}-[0-9]\{2\}-[0-9]\{2\}T[0-9:]\{8\}\.[0-9]\{3\}Z/INSTANT/' | sort | uniq -c | sed 's/^ *//'
sed 's/templates: mail/templates: tpl/' p.yaml > q.yaml
oms validate q.yaml
sed 's/Shop <shop@example.com>/Shop/' p.yaml > q.yaml
oms validate q.yaml
exit 0
