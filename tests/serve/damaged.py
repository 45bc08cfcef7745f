"""Runs commands and the server on damaged copies of a state: nothing panics or hangs. If only one run is damaged, the others complete.

    python damaged.py [--oms FILE] [--copies N] [--seed N]

Half of the copies have a damaged value in one run; there, the other runs must complete. The other copies have damaged bytes or missing rows
anywhere; there, every command must exit by itself with a documented exit code.
"""

import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from server import ROOT, Closed, Failed, Server, arguments, check, run_test, until

CASE = ROOT / "tests/cases/damaged-runs"
RUNS = 8
# Seconds after which a command counts as hanging.
HANGS = 40
# Exit codes: success, findings, usage error, environment.
CODES = {0, 1, 2, 4}


def mail_server() -> int:
    """Starts a mail server that accepts everything and returns its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def talk(client: socket.socket) -> None:
        try:
            with client, client.makefile("rb") as lines:
                client.sendall(b"220 here\r\n")
                data = False
                for line in lines:
                    if data:
                        if line == b".\r\n":
                            data = False
                            client.sendall(b"250 taken\r\n")
                    elif line.upper().startswith(b"DATA"):
                        data = True
                        client.sendall(b"354 go on\r\n")
                    else:
                        client.sendall(b"250 ok\r\n")
        except OSError:
            pass

    def listen() -> None:
        while True:
            client, _ = listener.accept()
            threading.Thread(target=talk, args=(client,), daemon=True).start()

    threading.Thread(target=listen, daemon=True).start()
    return listener.getsockname()[1]


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Damaged:
    def __init__(self, oms: Path, folder: Path):
        self.oms, self.folder = oms, folder
        self.pipeline = folder / "p.yaml"
        shutil.copytree(CASE / "t", folder / "t")
        self.write(closed_port())
        self.none = folder / "none.ndjson"
        self.none.write_text("")

    def write(self, port: int) -> None:
        text = (CASE / "p.yaml").read_text().replace("port: 1,", f"port: {port},")
        # Retry soon, and with practically no limit on the number of attempts.
        self.pipeline.write_text(text.replace("attempts: 5", "attempts: 99").replace("3600000", "1500"))

    def call(self, state: Path, *words) -> subprocess.CompletedProcess:
        command = [str(word) for word in [self.oms, *words]]
        command[3:3] = ["--state-dir", str(state)]
        try:
            done = subprocess.run(command, capture_output=True, timeout=HANGS)
        except subprocess.TimeoutExpired:
            raise Failed(f"{' '.join(command)} hangs") from None
        if done.returncode not in CODES or b"panicked" in done.stderr:
            raise Failed(f"{' '.join(command)}: exit {done.returncode}: {done.stderr[-2000:].decode(errors='replace')}")
        return done

    def original(self) -> Path:
        """Creates a state with runs that wait for a mail server."""
        state, orders = self.folder / "original", self.folder / "in.ndjson"
        orders.write_text("".join(f'{{"id":"A{at}","email":"a{at}@example.com"}}\n' for at in range(RUNS)))
        words = [self.oms, "run", self.pipeline, "--state-dir", state, "--mail", "smtp", "--input", orders]
        process = subprocess.Popen([str(word) for word in words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def waits() -> bool:
            try:
                database = sqlite3.connect(f"file:{state}/oms.db?mode=ro", uri=True)
                return database.execute("select count(*) from oms_runs where state = 'waiting'").fetchone()[0] == RUNS
            except sqlite3.Error:
                return False

        until("the waiting runs", waits)
        process.kill()
        process.wait()
        return state


def one_value(database: sqlite3.Connection, chance: random.Random) -> None:
    """Damages the stored data of one run only."""
    run = database.execute("select id, body from oms_runs where key = 'A3'").fetchone()
    events = database.execute("select seq, events from oms_journal where run = ?", [run[0]]).fetchall()
    seq, text = chance.choice(events)
    cut = chance.randrange(len(text))
    at = chance.randrange(len(run[1]))
    chance.choice([
        lambda: database.execute("update oms_journal set events = ? where run = ? and seq = ?", [text[:cut], run[0], seq]),
        lambda: database.execute("update oms_journal set events = ? where run = ? and seq = ?", [text[:cut] + chance.choice('{}[]",:0a') + text[cut + 1 :], run[0], seq]),
        lambda: database.execute("delete from oms_journal where run = ? and seq = ?", [run[0], seq]),
        lambda: database.execute("update oms_journal set events = '[]' where run = ? and seq = ?", [run[0], seq]),
        lambda: database.execute("insert into oms_journal select run, seq + 1000, events from oms_journal where run = ? and seq = ?", [run[0], seq]),
        lambda: database.execute("update oms_runs set body = ? where id = ?", [run[1][:at], run[0]]),
        lambda: database.execute("update oms_runs set body = ? where id = ?", [run[1][:at] + bytes([chance.randrange(256)]) + run[1][at + 1 :], run[0]]),
        lambda: database.execute("update oms_runs set bundle = ? where id = ?", [chance.choice([0, -1, 99, 2**62]), run[0]]),
        lambda: database.execute("update oms_runs set state = ? where id = ?", [chance.choice(["", "parked", "completed", "in_progress", "nonsense"]), run[0]]),
        lambda: database.execute("update oms_runs set wait_until = ? where id = ?", [chance.choice([-(2**63), 2**63 - 1, None]), run[0]]),
        lambda: database.execute("update oms_runs set digest = ? where id = ?", [chance.choice([b"", b"x" * 32, b"x" * 100]), run[0]]),
        lambda: database.execute("update oms_runs set cause = ?, caught = ? where id = ?", [",,\x00,x" * 50, chance.choice([-1, 2**62, None]), run[0]]),
        lambda: database.execute("update oms_runs set accepted_at = ?, updated_at = ? where id = ?", [2**63 - 1, -(2**63), run[0]]),
    ])()


def anything(state: Path, chance: random.Random) -> None:
    """Damages random data of the database."""
    path = state / "oms.db"
    if chance.random() < 0.5:
        database = sqlite3.connect(path)
        table = chance.choice([name for (name,) in database.execute("select name from sqlite_schema where type = 'table'")])
        try:
            columns = [row[1] for row in database.execute(f'select * from pragma_table_info("{table}")')]
            column = chance.choice(columns)
            chance.choice([
                lambda: database.execute(f'delete from "{table}" where abs(random()) % 2 = 0'),
                lambda: database.execute(f'update "{table}" set "{column}" = substr("{column}", 1, length("{column}") / 2)'),
                lambda: database.execute(f'update "{table}" set "{column}" = null'),
                lambda: database.execute(f'drop table "{table}"'),
                lambda: database.execute(f'alter table "{table}" rename column "{column}" to other'),
            ])()
            database.commit()
        except sqlite3.Error:
            pass
        database.close()
        return
    sqlite3.connect(path).execute("pragma wal_checkpoint(truncate)").fetchall()
    content = bytearray(path.read_bytes())
    for _ in range(chance.choice([1, 10, 1000])):
        content[chance.randrange(len(content))] = chance.randrange(256)
    if chance.random() < 0.2:
        del content[chance.randrange(len(content)) :]
    path.write_bytes(content)


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--copies", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = Server(args.oms, folder, folder / "p.yaml")

        def everything() -> None:
            damaged = Damaged(args.oms, folder)
            original = damaged.original()
            damaged.write(mail_server())
            causes = {}
            for copy in range(args.copies):
                chance = random.Random(args.seed * 1_000_003 + copy)
                state = folder / f"copy-{copy}"
                shutil.copytree(original, state, ignore=shutil.ignore_patterns("*.sock"))
                if one := copy % 2 == 0:
                    database = sqlite3.connect(state / "oms.db")
                    one_value(database, chance)
                    database.commit()
                    database.close()
                else:
                    anything(state, chance)
                try:
                    found = each(damaged, server, state, one)
                except Failed as failed:
                    raise Failed(f"copy {copy}: {failed}") from None
                causes[found] = causes.get(found, 0) + 1
                shutil.rmtree(state)
            for cause, count in sorted(causes.items()):
                print(f"      {count} with {cause}", flush=True)
            print(f"damaged: {args.copies} copies, no panic, no hang; if one run was damaged, the others completed", flush=True)

        return run_test(server, everything)


def each(damaged: Damaged, server: Server, state: Path, one: bool) -> str:
    call, pipeline = damaged.call, damaged.pipeline
    # `oms run` waits until it is interrupted if a run never ends.
    command = ["timeout", "-s", "INT", "3", damaged.oms, "run", pipeline, "--state-dir", state, "--mail", "smtp", "--input", damaged.none]
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, timeout=HANGS)
    except subprocess.TimeoutExpired:
        raise Failed("`oms run` hangs") from None
    if done.returncode not in CODES | {124, 130} or b"panicked" in done.stderr:
        raise Failed(f"`oms run`: exit {done.returncode}: {done.stderr[-2000:].decode(errors='replace')}")
    cause = f"exit {done.returncode}"
    if one:
        database = sqlite3.connect(state / "oms.db")
        others = dict(database.execute("select key, state from oms_runs where key <> 'A3'"))
        if set(others.values()) != {"completed"} or len(others) != RUNS - 1:
            raise Failed(f"the other runs: {others}; {done.stderr[-1000:].decode(errors='replace')}")
        cause = "A3 {} {}".format(*database.execute("select state, coalesce(cause, '') from oms_runs where key = 'A3'").fetchone())[:60]
        database.close()
    server.state = state
    server.start("--mail", "smtp", wait=False)
    line = server.process.stdout.readline()
    if line.startswith("PUT "):
        server.port = int(line.split(":")[2].split("/")[0])
        statuses = set()
        for path in ["/healthz", "/metrics", "/console/mails/", "/console/mails/runs", "/console/mails/runs/A3", "/console/mails/parked", "/mails/A3"]:
            try:
                statuses.add(server.ask("GET", path).status)
            except (Closed, ConnectionError):
                # An unreadable database may stop the server. The exit code is checked below.
                if one:
                    raise Failed(f"the server closed the connection at {path}") from None
        if not statuses <= {200, 303, 404, 500, 503}:
            raise Failed(f"the statuses of the server: {statuses}")
        if one:
            for words in (["runs", "retry", pipeline, "A3"], ["runs", "list", pipeline]):
                call(state, *words)
            answer = server.ask("PUT", "/mails/NEW", b'{"id":"NEW","email":"new@example.com"}')
            if answer.status != 201:
                raise Failed(f"a new order beside a damaged run: {answer.status}")
    if server.lives():
        code = server.stop(timeout=HANGS)
    else:
        code = server.process.wait(HANGS)
        server.process.stdout.close()
    if code not in CODES or "panicked" in server.log.read_text(errors="replace"):
        raise Failed(f"the server: exit {code}: {server.log.read_text(errors='replace')[-2000:]}")
    for words in (["runs", "show", pipeline, "A3"], ["runs", "retry", pipeline, "--all", "--mail", "smtp"], ["runs", "cancel", pipeline, "A3"],
                  ["forget", pipeline, "a3@example.com", "--yes"], ["mail", "list", pipeline], ["db", "export", pipeline, "bills"],
                  ["db", "backup", pipeline, state / "copy.db"]):
        call(state, *words)
    return cause


if __name__ == "__main__":
    sys.exit(main())
