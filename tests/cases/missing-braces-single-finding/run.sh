# Missing braces are a single finding, even if the value may be missing.
check() {
  key='${{ run.key }}' row='${{ run.key }}' day='${{ run.accepted_at }}' locale='en' data='x' url='https://x.example/?c=${{ order.id }}' value='x'
  local "$@"
  sed "s|KEY|$key|; s|ROW|$row|; s|DAY|$day|; s|LOCALE|$locale|; s|DATA|$data|; s|URL|$url|; s|VALUE|$value|" p.yaml > q.yaml
  echo "$*"
  oms validate q.yaml | grep -E '^(error|warning|help)' | sed 's/^/    /'
}
check
check key='order.id'
check key='{{ order.id }}.json'
check row='order.id'
check day='run.accepted_at'
check locale='order.lang'
check url='https://x.example/?c={{ order.id }}'
echo '--- may be missing'
for text in 'order.o.z' '{{ order.o.z }}' 'order.lang + order.o.z' '{{ order.lines[0] }}' 'steps.maybe.w' 'order.nope.z'; do
  check value="$text"
done
check data='order.cust.name'
