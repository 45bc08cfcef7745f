# Mail programs read the content of the order unchanged: spaces between encoded words, negative amounts in CSV, plain text files.
order() { printf '{"id":"A","name":"%s","email":"a@example.com","note":"%s","discount":"%s"}' "$1" "$2" "$3" > o.json; }
read_mail() {
  oms render-email preview p.yaml --order o.json --part eml > m.eml
  python3 - <<'PYTHON'
import csv, email, email.policy, io
mail = email.message_from_binary_file(open("m.eml", "rb"), policy=email.policy.default)
print(ascii(str(mail["Subject"])))
files = {part.get_filename(): part.get_content() for part in mail.iter_attachments()}
print(list(csv.reader(io.StringIO(files["lines.csv"]), strict=True))[1], ascii(files["order.txt"].strip()))
PYTHON
}
order "José  Müller" "a b/c" "-12.50"; read_mail
order "José   Ω  x  Müller" '\n=1+1' "0"; read_mail
order "Jo  Miller" "=1+1" "1234.5"; read_mail
order "Jo\\u001b[2J" "-1" "-1"; oms render-email preview p.yaml --order o.json --part text | od -c | head -2
oms render-email preview p.yaml --order o.json --part subject | od -An -c
