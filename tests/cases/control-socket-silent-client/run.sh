# A client connects to the server's control socket and sends nothing: other clients are still answered.
oms serve p.yaml --state-dir s --listen 127.0.0.1:0 > said 2> log & server=$!
until [ -S s/control.sock ] && grep -q console said; do sleep 0.05; done
python3 - <<'PYTHON'
import socket, subprocess, time
silent = []
for _ in range(8):
    client = socket.socket(socket.AF_UNIX); client.connect("s/control.sock"); silent.append(client)
silent[0].sendall(b'{"do":"ret')
begun = time.monotonic()
said = subprocess.run(["oms", "runs", "prune", "p.yaml", "--state-dir", "s", "--older-than", "1d"], capture_output=True, text=True)
print(said.stdout.strip(), said.returncode, "soon" if time.monotonic() - begun < 8 else "late")
# A client that is silent for too long gets an error.
silent[1].settimeout(30)
print(silent[1].recv(1000).decode().strip())
PYTHON
kill $server; wait $server; echo "exit $?"
