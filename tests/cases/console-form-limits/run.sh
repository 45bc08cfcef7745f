# Forms of the console: the server limits the size and the time of a form, and reads no form without a session.
oms serve p.yaml --state-dir s --listen 127.0.0.1:0 > said 2> log & server=$!
until grep -q console said; do sleep 0.05; done
python3 - "$(grep -o '127.0.0.1:[0-9]*' said | head -1 | cut -d: -f2)" <<'PYTHON'
import http.client, re, socket, sys, time
port = int(sys.argv[1])
def begin(path, length, body=b"", *lines):
    client = socket.create_connection(("127.0.0.1", port))
    head = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Content-Length: {length}", *lines]
    if not any(line.startswith("Content-Type") for line in lines):
        head.append("Content-Type: application/x-www-form-urlencoded")
    client.sendall("".join(f"{line}\r\n" for line in [*head, ""]).encode() + body)
    client.settimeout(40)
    return client
def answer(client):
    begun = time.monotonic()
    said = client.recv(1000).split(b"\r\n")[0].decode()
    return said + (" at once" if time.monotonic() - begun < 5 else " in time")
for path in ["login", "logout", "bills/runs", "bills/runs/K/cancel", "bills/parked/retry"]:
    print(path, answer(begin(f"/console/{path}", 10, b"x")))
page = http.client.HTTPConnection("127.0.0.1", port); page.request("GET", "/console/login"); response = page.getresponse()
cookie = response.getheader("Set-Cookie").split(";")[0]
csrf = re.search(r'name="csrf" value="([^"]*)"', response.read().decode()).group(1)
mine = f"Cookie: {cookie}"
print("too long", answer(begin("/console/login", 2_000_000, b"x" * 1000, mine)))
print("no form", answer(begin("/console/login", 2, b"{}", mine, "Content-Type: application/json")))
print("another form", answer(begin("/console/login", 8, b"x=1&y=22", mine)))
slow = begin("/console/login", 10, b"x", mine)
body = f"csrf={csrf}&key=nothing".encode()
print("a form", answer(begin("/console/login", len(body), body, mine)))
print("a slow one", answer(slow))
PYTHON
kill $server; wait $server; echo "exit $?"
