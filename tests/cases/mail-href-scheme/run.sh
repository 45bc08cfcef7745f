# Links with a scheme other than http, https, mailto or tel are removed, and `validate` warns about them.
oms validate p.yaml
oms render-email preview p.yaml --part html
for link in 'https://shop.example.com/o' 'mailto:a@example.com' 'tel:+49123' ' JavaScript:alert(1)' '\\tjavascript:x' 'java\\nscript:x' 'data:text/html,x' \
  'vbscript:x' 'file:///etc/passwd' 'httpsx://a' '\&#106;avascript:x' 'HTTPS://A.EXAMPLE' '//a.example' '/orders' '#items'; do
  sed "s|\"link\": \"[^\"]*\"|\"link\": \"$link\"|" o.json > one.json
  sed 's/, format: uri//' p.yaml > text.yaml
  printf '%s\n    ' "$link"
  oms render-email preview text.yaml --order one.json --part html
done
echo "--- accepted"
sed -i 's/^  confirm: .*/  confirm:\n    uses: email.send\n    with:\n      template: m # oms: allow OMS0517\n      to: ${{ order.email }}\n      data: { order: "${{ order }}" }/' p.yaml
oms validate p.yaml
echo "--- written"
printf '<a href="https://shop.example.com/o?l={{order.link}}">x</a> <a href="java&#115;cript:x">y</a>\n' > mail/m/body.html.hbs
sed -i 's/ # oms: allow OMS0517//' p.yaml
oms validate p.yaml
oms render-email preview p.yaml --part html
exit 0
