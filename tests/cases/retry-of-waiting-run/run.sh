# `oms runs retry KEY` starts the next attempt of a waiting run at once and continues its count of attempts.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
sed -i "s/18255/$port/" slow.yaml
state() { oms runs list slow.yaml --state-dir "$1" --format json 2> /dev/null | python3 -c 'import json, sys; print(*[run["state"] for run in json.load(sys.stdin)["runs"]])' 2> /dev/null; }
until_waiting() { until [ "$(state "$1")" = waiting ]; do :; done; }
retry() { oms runs retry slow.yaml --state-dir "$@" --mail smtp r1 2>&1 | grep -v 'e-mails are sent'; echo "exit ${PIPESTATUS[0]}"; }
attempts() { oms runs show slow.yaml --state-dir "$1" r1 --format json | python3 -c 'import json, sys; print([event["attempt"] for event in json.load(sys.stdin)["steps"][1]["events"] if event["state"] != "claimed"])'; }

# `oms run` prints what it waits for.
: > said
oms run slow.yaml --state-dir x --input r1.json --mail smtp > /dev/null 2>> said &
until grep -q 'next attempt' said; do :; done
kill -KILL $!; wait $! 2> /dev/null
grep 'next attempt' said | sed 's/20[0-9-]*T[0-9:]*Z/TIME/'
oms runs list slow.yaml --state-dir x 2>&1 | sed 's/20[0-9-]*T[0-9:]*Z/TIME/g'
retry x
attempts x
retry x
attempts x
# The next run mentions parked runs.
oms run slow.yaml --state-dir x --mail smtp 2>&1 > /dev/null | grep parked

# Through a server, after the mail server is available again.
cat > smtp.py <<'PYTHON'
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    client, _ = server.accept()
    try:
        with client, client.makefile("rb") as lines:
            say = lambda text: client.sendall(text.encode() + b"\r\n")
            say("220 here")
            data = False
            for line in lines:
                if data:
                    data = line != b".\r\n"
                    if not data: say("250 taken")
                elif line.upper().startswith(b"DATA"): data = True; say("354 go on")
                elif line.upper().startswith(b"QUIT"): say("221 bye"); break
                else: say("250 ok")
    except OSError:
        pass
PYTHON
oms run slow.yaml --state-dir y --input r1.json --mail smtp > /dev/null 2>&1 &
until_waiting y
kill -KILL $!; wait $! 2> /dev/null
oms serve slow.yaml --state-dir y --mail smtp --listen 127.0.0.1:0 > served 2>&1 &
server=$!
until [ -S y/control.sock ]; do :; done
retry y
state y
python3 smtp.py "$port" &
smtp=$!
until (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do :; done
retry y
state y
attempts y
kill $smtp $server; wait 2> /dev/null
