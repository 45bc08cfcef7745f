# For a missing argument or setting, the message says what to write.
oms run note.yaml orders.ndjson 2>&1
echo "exit $?"
oms serve note.yaml --listen 127.0.0.1:0 --state-dir st 2>&1
echo "exit $?"
