# Each help suggests an expression with the same meaning, for every kind of operand.
report() {
  escaped=$(printf '%s' "$1" | sed "s/'/''/g; s/[&|\\]/\\\\&/g")
  sed "s|EXPRESSION|$escaped|" p.yaml > other.yaml
  echo "$1"
  oms validate other.yaml > out
  grep -E '^(error|warning|help)' out | sed 's/^/    /'
}
while IFS= read -r expression; do
  report "$expression"
  written=$(sed -n 's/^help: write `\(.*\)`$/\1/p' out | head -1)
  case $written in
    '' | *…*) ;;
    *)
      escaped=$(printf '%s' "$written" | sed "s/'/''/g; s/[&|\\]/\\\\&/g")
      sed "s|EXPRESSION|$escaped|" p.yaml > other.yaml
      echo "    $(oms validate other.yaml | tail -1)"
      ;;
  esac
done < expressions
echo "--- parts of larger expressions"
while IFS= read -r expression; do report "$expression"; done <<'LINES'
2 * mod(order.n, order.m)
2 * abs(order.n)
sum(order.more + order.more)
isnull(order.note) == true
order.s.size().first()
order.hash
LINES
echo "--- kinds"
for kind in table.delete object.delete table.insrt tabel.insert; do
  sed "s|uses: value.compute|uses: $kind|; s|EXPRESSION|order.id|" p.yaml > other.yaml
  echo "$kind"
  oms validate other.yaml | grep -E '^(error|help)' | sed 's/^/    /'
done
