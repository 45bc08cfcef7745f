# Values in right-to-left text keep their own direction: they are isolated in HTML, in text and in the subject, and nowhere else.
show() { sed 's/\xe2\x81\xa8/[/g; s/\xe2\x81\xa9/]/g'; }
for part in subject text html; do
  oms render-email preview p.yaml --locale ar --part $part | show
done
echo "--- from the left"
for part in subject text html; do
  oms render-email preview p.yaml --part $part | show
done
