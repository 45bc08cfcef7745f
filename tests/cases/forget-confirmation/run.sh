# Only declared fields identify a customer, parked runs stay, and nothing is erased without a confirmation.
forget() { echo "--- forget $*"; oms forget renew.yaml --state-dir x "$@" 2>&1 < /dev/null; echo "exit $?"; }
oms run renew.yaml --state-dir x --input orders.ndjson > /dev/null 2>&1; echo "exit $?"
for word in EUR basic 1 "Mia" only.gifts@example.com nobody@example.com ""; do forget "$word" --yes; done
forget 9
forget 9 --dry-run
forget mia@example.com --dry-run --format json
oms runs list renew.yaml --state-dir x --format json | python3 -c 'import json, sys; print([run["key"] for run in json.load(sys.stdin)["runs"]])'
forget mia@work.example --yes
oms runs show renew.yaml --state-dir x NOPE 2>&1
oms runs cancel renew.yaml --state-dir x I2 2>&1
forget mia@work.example --yes
oms runs list renew.yaml --state-dir x --format json | python3 -c 'import json, sys; print([run["key"] for run in json.load(sys.stdin)["runs"]])'
for table in customers invoices notes; do oms db export renew.yaml --state-dir x $table; done
cat x/* 2> /dev/null | grep -aci "mia wong\|mia@work\|prefers spanish"
echo "--- undeclared"
sed 's/, x-customer: true//; s/, customer: true//' renew.yaml > undeclared.yaml
oms forget undeclared.yaml --state-dir x 8 --yes 2>&1; echo "exit $?"
echo "--- on a terminal"
for answer in n y; do
  python3 - $answer <<'PYTHON'
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp("oms", ["oms", "forget", "renew.yaml", "--state-dir", "x", "7"])
os.write(terminal, (sys.argv[1] + "\n").encode())
text = b""
try:
    while part := os.read(terminal, 4096):
        text += part
except OSError:  # the other end is closed
    pass
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
lines = [line for line in text.decode().split("\r\n") if line not in ("", sys.argv[1])]
print("\n".join(lines), "exit %d" % code, sep="\n")
PYTHON
done
