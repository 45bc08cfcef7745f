# For a missing argument or setting, the message says what to write.
oms run note.yaml orders.ndjson 2>&1
echo "exit $?"
oms serve note.yaml --listen 127.0.0.1:0 --state-dir st 2>&1
echo "exit $?"
for command in "runs list" "runs retry" "runs cancel" "runs prune --older-than 1d" forget "db import"; do
    echo "$command: $(oms $command 2>&1)"
done
