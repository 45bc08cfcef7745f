# AUTH LOGIN does not depend on the words of the challenges. Connection errors name the cause.
export PASSWORD=secret
echo '{"id":"A","email":"a@example.com"}' > in.ndjson
start() { rm -f port; python3 server.py port "$1" & server=$!; until [ -s port ]; do sleep 0.05; done; }
try() { # the label, the keys of mail.smtp
  sed "s/smtp: {.*/smtp: { $2, timeout_seconds: 5 }/" p.yaml > q.yaml
  rm -rf state
  oms run q.yaml --mail smtp --state-dir state --input in.ndjson > /dev/null 2>&1
  echo "$1: $(oms runs list q.yaml --state-dir state 2> /dev/null | grep -o 'completed\|parked.*' | sed 's/  .*//' | head -1) $(oms runs show q.yaml --state-dir state A | grep -o '(the .*' | tail -1)"
}
stop() { kill $server; wait $server 2> /dev/null; }
for words in Username User "other words" nothing; do
  start "$words"
  try "LOGIN, $words" "host: localhost, port: $(cat port), security: none, user: orders, password: { env: PASSWORD }"
  stop
done
start domain
try "EHLO without a name" "host: localhost, port: $(cat port), security: none"
try "EHLO with a name" "host: localhost, port: $(cat port), security: none, helo_name: shop.example.com"
stop
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca 2> /dev/null
openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost 2> /dev/null
printf 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n' > extensions
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out server.pem 2> /dev/null
start tls
export SSL_CERT_FILE=ca.pem
try "a valid certificate" "host: localhost, port: $(cat port), security: tls"
try "the certificate of another host" "host: 127.0.0.1, port: $(cat port), security: tls"
unset SSL_CERT_FILE
try "an unknown issuer" "host: localhost, port: $(cat port), security: tls"
stop
try "no server" "host: 127.0.0.1, port: 1, security: none"
sed "s/smtp: {.*/smtp: { host: localhost, helo_name: 'a b' }/" p.yaml > q.yaml
oms validate q.yaml || true
