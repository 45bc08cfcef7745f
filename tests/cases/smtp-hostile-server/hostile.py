"""Runs `oms` with a kind of mail server from `tests/serve/mail_servers.py`, and prints the outcome."""
import os, resource, subprocess, sys, time

sys.path.insert(0, f"{os.environ['ROOT']}/tests/serve")
from mail_servers import KINDS, MailServer

name = sys.argv[1]
server = MailServer(KINDS[name])
text = open("p.yaml").read()
open("q.yaml", "w").write(text.replace("port: 1,", f"port: {server.port},"))
begun = time.monotonic()
state = f"s-{name.replace(' ', '-')}"
done = subprocess.run(["timeout", "-s", "INT", "100", "oms", "run", "q.yaml", "--mail", "smtp", "--state-dir", state, "--input", "in.ndjson"], capture_output=True, text=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
listed = subprocess.run(["oms", "runs", "list", "q.yaml", "--state-dir", state], capture_output=True, text=True).stdout
why = sorted({" ".join(line.split()[1:2] + line.split()[3:]) for line in listed.splitlines()})
print(f"{name}: exit {done.returncode}, {why}, "
      f"{'little' if used.ru_maxrss < 200_000 else used.ru_maxrss} memory, {'little' if used.ru_utime + used.ru_stime < 15 else used.ru_utime} computing, {'soon' if time.monotonic() - begun < 60 else 'late'}")
