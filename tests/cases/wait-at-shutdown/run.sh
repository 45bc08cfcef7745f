# A request that waits for its run is answered at once when the server shuts down.
oms serve p.yaml --state-dir s --mail smtp --listen 127.0.0.1:0 > said 2> log & server=$!
until grep -q console said; do sleep 0.05; done
python3 - "$(grep -o '127.0.0.1:[0-9]*' said | head -1 | cut -d: -f2)" $server <<'PYTHON'
import http.client, os, signal, sys, threading, time
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
connection.request("PUT", "/shop/A-1", open("o.json").read(), {"Content-Type": "application/json", "Prefer": "wait=60"})
time.sleep(1)
begun = time.monotonic()
os.kill(int(sys.argv[2]), signal.SIGTERM)
answer = connection.getresponse()
print(answer.status, "waiting" if b'"state":"waiting"' in answer.read() else "something else", "at once" if time.monotonic() - begun < 5 else "late")
PYTHON
wait $server; echo "exit code $?"
oms runs list p.yaml --state-dir s 2> /dev/null | grep -c waiting
