"""A mail server that says too much, and what becomes of a program that talks to it."""
import os, resource, socket, subprocess, sys, threading, time

def serve(mode, server):
    while True:
        client, _ = server.accept()
        threading.Thread(target=talk, args=(mode, client), daemon=True).start()

def talk(mode, client):
    try:
        if mode == "an endless line":
            while True:
                client.sendall(b"2" * 65536)
        if mode == "an endless greeting":
            while True:
                client.sendall(b"220-" + b"x" * 500 + b"\r\n")
        if mode == "garbage":
            client.sendall(os.urandom(4096)); time.sleep(2); return
        if mode == "one byte a second":
            while True:
                client.sendall(b"2"); time.sleep(1)
        client.sendall(b"220 here\r\n")
        for line in client.makefile("rb"):
            if line.upper().startswith(b"EHLO") and mode == "a long answer to EHLO":
                client.sendall(b"".join(b"250-X%d\r\n" % n for n in range(200_000)) + b"250 SIZE 1\r\n")
            elif line.upper().startswith(b"MAIL") and mode == "another code in each line":
                client.sendall(b"250-a\r\n251 b\r\n")
            elif line.upper().startswith(b"RCPT") and mode == "a code alone":
                client.sendall(b"550\r\n")
            elif line.upper().startswith(b"DATA"):
                client.sendall(b"250 no\r\n" if mode == "no 354" else b"354 go on\r\n")
            elif line == b".\r\n":
                client.sendall(b"999 what\r\n" if mode == "an unknown code" else b"250 taken\r\n")
            elif not line.startswith((b"EHLO", b"MAIL", b"RCPT")) and mode != "none":
                continue
            else:
                client.sendall(b"250 ok\r\n")
    except OSError:
        pass

mode = sys.argv[1]
server = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=serve, args=(mode, server), daemon=True).start()
text = open("p.yaml").read()
open("q.yaml", "w").write(text.replace("port: 1,", f"port: {server.getsockname()[1]},"))
begun = time.monotonic()
state = f"s-{mode.replace(' ', '-')}"
done = subprocess.run(["timeout", "-s", "INT", "100", "oms", "run", "q.yaml", "--mail", "smtp", "--state-dir", state, "--input", "in.ndjson"], capture_output=True, text=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
listed = subprocess.run(["oms", "runs", "list", "q.yaml", "--state-dir", state], capture_output=True, text=True).stdout
why = sorted({" ".join(line.split()[1:2] + line.split()[3:]) for line in listed.splitlines()})
print(f"{mode}: exit {done.returncode}, {why}, "
      f"{'little' if used.ru_maxrss < 200_000 else used.ru_maxrss} memory, {'little' if used.ru_utime + used.ru_stime < 15 else used.ru_utime} computing, {'soon' if time.monotonic() - begun < 60 else 'late'}")
