# An underscore in a locale means a hyphen. For an unknown locale, the templates' locale is used.
for locale in de-AT de_AT ar-EG ar_EG klingon! "" 123; do
  printf '{"id":"A-1","name":"Jo","lang":"%s","placed_at":"2026-03-01T12:00:00Z","email":"jane@example.com","currency":"EUR","amount":"1234.50"}\n' "$locale" > o.json
  echo "== $locale"; oms render-email preview p.yaml --order o.json --part html 2>&1
done
