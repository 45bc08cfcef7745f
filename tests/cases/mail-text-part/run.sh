# The generated text part: layout is linear, tables are aligned, the preheader is omitted, and amounts are not split.
oms render-email preview p.yaml --part text
echo "--- narrower"
sed -i 's/Donaudampf[^"]*/Mütze mit Bommel/; s/SKU-000123456789/S-1/' o.json
oms render-email preview p.yaml --part text
echo "--- HTML of one's own"
rm mail/m/body.mjml
cp body.html.hbs mail/m/
oms render-email preview p.yaml --part text
oms render-email lint p.yaml
