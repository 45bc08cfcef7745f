# The path of the state directory is too long for a socket. Commands still reach the server.
directory=$PWD/$(printf 'x%.0s' $(seq 120))
oms serve p.yaml --listen 127.0.0.1:0 --state-dir "$directory" > said 2> log &
server=$!
for _ in $(seq 300); do grep -q console said && break; sleep 0.1; done
sed 's/127.0.0.1:[0-9]*/ADDRESS/; s/ .*ADDRESS/ ADDRESS/' said
for _ in $(seq 300); do [ -S "$directory/control.sock" ] && break; sleep 0.1; done
oms runs prune p.yaml --state-dir "$directory" --older-than 1d
kill "$server"
wait "$server"
echo "exit $?"
grep error log
exit 0
