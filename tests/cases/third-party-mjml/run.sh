# MJML of other authors: the text part of each small template, and the output of `oms validate`.
printf 'Order {{order.id}}\n' > subject.hbs
for template in templates/*.mjml; do
  name=$(basename "$template" .mjml)
  mkdir -p mail/m
  cp subject.hbs mail/m/
  cp "$template" mail/m/body.mjml
  echo "=== $name"
  oms validate p.yaml
  oms render-email preview p.yaml --part text
done
echo "=== line ends of Windows"
sed -i 's/$/\r/' mail/m/body.mjml
oms validate p.yaml
