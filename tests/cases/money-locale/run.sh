# Amounts follow CLDR: separators, patterns of negative amounts, a space beside a code.
for locale in fr-CH de-AT nl de-CH en-ZA; do
  echo "$locale"
  oms render-email preview p.yaml --locale $locale --part text
done
