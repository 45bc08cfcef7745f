oms validate p.yaml
for key in null '~' '' Null '[a]' '{ a: 1 }' '{{ a }}' '? [a]' '"null"' 1 true 2026-01-01; do
  echo "== $key"
  sed "s/null: 3/$key: 3/" p.yaml > q.yaml
  oms validate q.yaml | sed -n '1p; 2s/.*:\([0-9]*:[0-9]*\)$/  \1/p; s/^help: /  /p'
done
cp -r "$ROOT/tests/cases/texts-yaml-help/mail" "$ROOT/tests/cases/texts-yaml-help/p.yaml" "$ROOT/tests/cases/texts-yaml-help/o.json" .
for key in null '~' ''; do
  printf 'title: "x"\n%s: y\n' "$key" > mail/m/texts.yaml
  oms validate p.yaml | sed -n '1,2p; s/^help: /  /p'
done
