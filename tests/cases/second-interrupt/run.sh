# After Ctrl-C, work in progress is completed durably. A second Ctrl-C ends the process at once. The same applies to a server.
echo '{"id":"A","email":"a@example.com"}' > in.ndjson
python3 - <<'PYTHON'
import signal, socket, subprocess, threading, time
taken = threading.Event()
listener = socket.create_server(("127.0.0.1", 0))
def talk():
    while True:
        client, _ = listener.accept()
        client.sendall(b"220 here\r\n")
        for line in client.makefile("rb"):
            if line.upper().startswith(b"DATA"): client.sendall(b"354 go on\r\n")
            elif line == b".\r\n": taken.set()  # and sends no reply
            elif line.upper().startswith((b"EHLO", b"MAIL", b"RCPT")): client.sendall(b"250 ok\r\n")
threading.Thread(target=talk, daemon=True).start()
text = open("p.yaml").read()
open("q.yaml", "w").write(text.replace("port: 1,", f"port: {listener.getsockname()[1]},"))
process = subprocess.Popen(["oms", "run", "q.yaml", "--mail", "smtp", "--state-dir", "s", "--input", "in.ndjson"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
taken.wait(30)
process.send_signal(signal.SIGINT)
time.sleep(1)
print("after one:", process.poll())
process.send_signal(signal.SIGINT)
print("after two:", process.wait(10))
PYTHON
oms runs list q.yaml --state-dir s 2> /dev/null | cut -d' ' -f1,3
timeout -s INT 10 oms run q.yaml --mail outbox --state-dir s --input /dev/null > /dev/null 2>&1
oms runs list q.yaml --state-dir s 2> /dev/null | sed 's/20[0-9-]*T[0-9:]*Z/TIME/'
