"""A mail server that accepts mail after AUTH LOGIN, or only from a host with a domain. Arguments: the file for its port, the mode."""
import base64, socket, ssl, sys, threading

CHALLENGES = {"Username": ("Username:", "Password:"), "User": ("User:", "Pass:"), "other words": ("Benutzer", "Kennwort"), "nothing": ("", "")}


def talk(mode, client):
    lines = client.makefile("rb")

    def say(*words):
        client.sendall(b"".join(word.encode() + b"\r\n" for word in words))

    def ask(challenge):
        say("334 " + base64.b64encode(challenge.encode()).decode())
        return base64.b64decode(lines.readline()).decode()

    say("220 mail.example.com")
    while line := lines.readline().decode().strip():
        verb, _, rest = line.partition(" ")
        if verb == "EHLO" and mode == "domain" and rest.startswith("["):
            say("550 5.7.1 a fully qualified domain is required")
        elif verb == "EHLO":
            say("250-mail.example.com", "250 AUTH LOGIN" if mode in CHALLENGES else "250 SIZE 1000000")
        elif verb == "AUTH":
            given = tuple(ask(challenge) for challenge in CHALLENGES[mode])
            say("235 ok" if given == ("orders", "secret") else "535 5.7.8 wrong")
        elif verb == "DATA":
            say("354 go on")
            while lines.readline() not in (b".\r\n", b""):
                pass
            say("250 accepted")
        else:
            say("250 ok")


def accept(mode, server):
    while True:
        client, _ = server.accept()
        threading.Thread(target=attempt, args=(mode, client), daemon=True).start()


def attempt(mode, client):
    try:
        if mode == "tls":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain("server.pem", "server.key")
            client = context.wrap_socket(client, server_side=True)
        talk(mode, client)
    except OSError:
        pass


port_file, mode = sys.argv[1:]
server = socket.create_server(("127.0.0.1", 0))
open(port_file, "w").write(str(server.getsockname()[1]))
accept(mode, server)
