"""Runs `oms run --mail smtp` with each kind of hostile mail server in `mail_servers.py`, and prints how the runs end and what they cost.

    python attacks_mail.py [--oms FILE] [--only TEXT]

Each kind serves four orders. The script checks for each kind

- the state and the cause of every run,
- how often each message was given to the server,
- the peak memory, the CPU time and the duration of `oms`.

Then the server behaves correctly, and `oms runs retry --all` must send exactly those mails that the server certainly did not accept.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mail_servers import DONE, KINDS, LARGE, STEP_TIMEOUT, TIMEOUT, UNKNOWN, Certificates, Kind, MailServer
from server import arguments

ORDERS = 4
# Number of kinds that run concurrently.
AT_ONCE = 10
# Number of attempts of the step.
ATTEMPTS = 2
# Limits for `oms` with any kind, also in a debug build: megabytes, CPU seconds, and seconds in addition to the timeouts.
MEMORY_MAX, CPU_MAX, SLACK = 200, 3, 8

PIPELINE = """
oms: 1
name: mails
order:
  schema:
    type: object
    required: [id, email, note]
    properties:
      id: {{ type: string }}
      note: {{ type: string }}
      email: {{ type: string, format: email, x-pii: true }}
  key: ${{{{ order.id }}}}
  max_bytes: 4194304
mail:
  from: "Shop <shop@example.com>"
  templates: templates
  smtp: {{ host: localhost, port: {port}, security: {security}, timeout_seconds: {timeout}, connections: {connections}{login} }}
steps:
  mail:
    uses: email.send
    with: {{ template: hello, to: "${{{{ order.email }}}}", data: {{ id: "${{{{ order.id }}}}", note: "${{{{ order.note }}}}" }} }}
    retry: {{ attempts: {attempts}, initial_ms: 100, max_ms: 100, multiplier: 1, jitter: none }}
    {step_timeout}
"""


class Cost:
    """Runs a command and measures its memory and time with wait4(2)."""

    def __init__(self, command: list, folder: Path, environment: dict, limit: float):
        begun = time.monotonic()
        with open(folder / "stderr", "ab") as log:
            process = subprocess.Popen([str(word) for word in command], cwd=folder, env=environment, stdout=log, stderr=log)
        while True:
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > begun + limit:
                process.kill()
                _, status, used = os.wait4(process.pid, 0)
                break
            time.sleep(0.02)
        # The process is gone, so `subprocess` must not wait for it.
        process.returncode = self.code = os.waitstatus_to_exitcode(status)
        self.seconds = time.monotonic() - begun
        self.cpu, self.memory = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


class Attack:
    """A server of one kind, and a pipeline that sends mails through it."""

    def __init__(self, oms: Path, folder: Path, name: str, kind: Kind, certificates: Certificates):
        self.oms, self.folder, self.name, self.kind = oms.absolute(), folder, name, kind
        self.server = MailServer(kind, certificates)
        self.environment = os.environ | {"SSL_CERT_FILE": str(folder.parent / "ca.pem"), "MAIL_PASSWORD": "secret"}
        self.cost, self.faults = None, []

    def write(self) -> None:
        templates = self.folder / "templates/hello"
        templates.mkdir(parents=True)
        (templates / "body.html.hbs").write_text('<html lang="en"><head><title>x</title></head><body><p>Hello {{id}}</p><p>{{note}}</p></body></html>\n')
        (templates / "subject.hbs").write_text("Order {{id}}\n")
        kind = self.kind
        (self.folder / "p.yaml").write_text(PIPELINE.format(
            port=self.server.port, security=kind.security, timeout=TIMEOUT, connections=kind.connections, attempts=ATTEMPTS,
            login=", user: orders, password: { env: MAIL_PASSWORD }" if kind.login else "", step_timeout=f"timeout_seconds: {STEP_TIMEOUT}" if kind.step_timeout else ""))
        note = "word " * (LARGE // 5) if kind.large else "x"
        orders = [{"id": f"A{at}", "email": f"a{at}@example.com", "note": note} for at in range(ORDERS)]
        (self.folder / "in.ndjson").write_text("".join(f"{json.dumps(order)}\n" for order in orders))

    def call(self, *words, limit: float = 60) -> Cost:
        command = [self.oms, *words[:2], "p.yaml", *words[2:]] if words[0] == "runs" else [self.oms, words[0], "p.yaml", *words[1:]]
        return Cost([*command, "--state-dir", "state"], self.folder, self.environment, limit)

    def ends(self) -> Counter:
        """Counts the runs by state and cause."""
        command = [self.oms, "runs", "list", "p.yaml", "--state-dir", "state", "--format", "json"]
        listed = json.loads(subprocess.run(command, cwd=self.folder, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout)
        return Counter(" ".join(filter(None, (run["state"], run.get("cause")))) for run in listed["runs"])

    def expect(self, what: str, expected, found) -> None:
        if expected != found:
            self.faults.append(f"{what}: expected {expected!r}, found {found!r}")

    def most(self, what: str, most: float, found: float) -> None:
        if found > most:
            self.faults.append(f"{what}: at most {most:.3g}, found {found:.3g}")

    def run(self) -> "Attack":
        try:
            self.write()
            longest = max(ATTEMPTS * TIMEOUT, STEP_TIMEOUT) + SLACK
            self.cost = self.call("run", "--mail", "smtp", "--input", "in.ndjson", limit=3 * longest)
            found = self.ends()
            self.expect("the runs", {self.kind.ends: ORDERS}, dict(found))
            self.expect("the exit code", 0 if self.kind.ends == DONE else 1, self.cost.code)
            recipients = [f"a{at}@example.com" for at in range(ORDERS)]
            self.expect("how often each message was given to the server", [self.kind.given] * ORDERS, [self.server.given[name] for name in recipients])
            self.most("megabytes of memory", MEMORY_MAX, self.cost.memory)
            self.most("CPU seconds", CPU_MAX, self.cost.cpu)
            self.most("seconds", longest, self.cost.seconds)
            self.server.become_correct()
            self.call("runs", "retry", "--all", "--mail", "smtp")
            # `oms` must not send a mail again that the server may have accepted.
            again = 0 if self.kind.ends in (DONE, UNKNOWN) else 1
            self.expect("the mails that a retry sends", [again] * ORDERS, [self.server.given[name] for name in recipients])
            self.expect("the runs after a retry", {UNKNOWN if self.kind.ends == UNKNOWN else DONE: ORDERS}, dict(self.ends()))
            self.expect("a panic", False, b"panicked" in (self.folder / "stderr").read_bytes())
        except (OSError, subprocess.SubprocessError, ValueError) as failure:
            self.faults.append(repr(failure))
        finally:
            self.server.close()
        return self



def report(attack: Attack) -> None:
    cost = attack.cost
    used = f"{cost.memory:4.0f} MB {cost.cpu:5.2f} s of CPU {cost.seconds:5.1f} s" if cost else "did not run"
    print(f"{'FAIL ' if attack.faults else 'ok   '} {attack.name:40} {attack.kind.ends:24} {used}", flush=True)
    for fault in attack.faults:
        print(f"      {fault}", flush=True)
    if attack.faults and (attack.folder / "stderr").exists():
        for line in (attack.folder / "stderr").read_text(errors="replace").splitlines()[-12:]:
            print(f"      | {line[:300]}", flush=True)


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--only", default="", help="only the kinds whose name contains this text")
    args = parser.parse_args()
    kinds = {name: kind for name, kind in KINDS.items() if args.only in name}
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        certificates = Certificates()
        certificates.authority.cert_pem.write_to_path(f"{folder}/ca.pem")
        attacks = []
        for at, (name, kind) in enumerate(kinds.items()):
            (Path(folder) / str(at)).mkdir()
            attacks.append(Attack(args.oms, Path(folder) / str(at), name, kind, certificates))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for attack in pool.map(Attack.run, attacks):
                report(attack)
    failed = sum(bool(attack.faults) for attack in attacks)
    costs = [attack.cost for attack in attacks if attack.cost]
    most = f"at most {max(cost.memory for cost in costs):.0f} MB, {max(cost.cpu for cost in costs):.1f} s of CPU, {max(cost.seconds for cost in costs):.1f} s"
    print(f"attacks: {len(attacks)} kinds of mail servers, {failed} failed; {most}; {time.monotonic() - begun:.0f} s in total", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
