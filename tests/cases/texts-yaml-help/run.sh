oms validate p.yaml
# Following the help gives the intended text.
while IFS= read -r text; do
  printf 'title: %s\n' "$text" > mail/m/texts.yaml
  echo "== $text"
  oms validate p.yaml | sed -n '1p; s/^help: /  /p'
  quoted=$(oms validate p.yaml | sed -n 's/^help: .*: `\(.*\)`$/\1/p')
  if [ -n "$quoted" ]; then printf 'title: %s\n' "$quoted" > mail/m/texts.yaml; fi
  oms render-email preview p.yaml --part subject
done <<'TEXTS'
{{order.id}}
{{order.id}} is here
{{order.id}}: "new"
Order: {{order.id}}
{order}
[x] {{order.id}}
@you
10
true
1.10
2026-01-01
null
!important
"say "hi""
'it's'
> a
* a
TEXTS
echo "== in a list or a map, and before a comment"
for line in 'title: { b: {{order.id}} }' 'title: Order #{{order.id}}' 'title: Order # {{order.id}}' 'title: Order # the subject'; do
  printf '%s\n' "$line" > mail/m/texts.yaml
  echo "== $line"
  oms validate p.yaml
done
