# Values in URLs are percent-encoded, in headers and in attributes. A value that is the whole URL is not.
oms render-email preview p.yaml --part eml | grep -A1 '^List-Unsub' | tr -d '\r'
oms render-email preview p.yaml --part html
sed -i 's|url: "https://shop.example.com/stop?e=|url: "mailto:stop@example.com?subject=|; s|, one_click: true||' p.yaml
oms render-email preview p.yaml --part eml | grep '^List-Unsub' | tr -d '\r'
cat > mail/m/body.html.hbs <<'END'
<p><a href="https://shop.example.com/{{order.name}}/o?a=1#{{order.email}}">path</a>
<a href="mailto:{{order.email}}?subject={{order.name}}">mail</a>
<a href="{{order.link}}">whole</a>
<img src="https://shop.example.com/p.png?n={{order.name}}" alt="{{order.name}}">
<a href=https://shop.example.com/o?n={{order.name}}>no quotes</a>
<a href="{{t "shop"}}{{order.name}}">words</a>
<b style="background:url('https://shop.example.com/b.png?n={{order.name}}')" title="{{order.name}}">style</b></p>
END
printf 'shop: "https://shop.example.com/s?n="\n' > mail/m/texts.yaml
sed -i 's|required: \[id|required: [link, id|; s|      email: { type|      link: { type: string, format: uri }\n      email: { type|' p.yaml
sed -i 's|{"id"|{"link": "https://a.example/o?e=1\&f=%20", "id"|' o.json
oms render-email preview p.yaml --part html
