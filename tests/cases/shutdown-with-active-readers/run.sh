# A client reads the database, or reads an export slowly: the process still ends, and the log stays small.
for n in $(seq 2000); do echo "{\"id\":\"A$n\",\"amount\":\"1\"}"; done > in.ndjson
oms run p.yaml --state-dir s --input in.ndjson > /dev/null 2>&1
python3 - <<'PYTHON'
import os, sqlite3, subprocess, time
reader = sqlite3.connect("s/oms.db"); reader.execute("begin"); reader.execute("select count(*) from oms_runs").fetchone()
open("one.json", "w").write('{"id":"B","amount":"1"}')
begun = time.monotonic()
code = subprocess.run(["oms", "run", "p.yaml", "--state-dir", "s", "--input", "one.json"], capture_output=True).returncode
print("beside a reader: exit", code, "soon" if time.monotonic() - begun < 20 else "late")
reader.close()
export = subprocess.Popen(["oms", "db", "export", "p.yaml", "--state-dir", "s", "bills"], stdout=subprocess.PIPE)
first = export.stdout.read(10)
code = subprocess.run(["oms", "run", "p.yaml", "--state-dir", "s", "--input", "one.json"], capture_output=True).returncode
log = os.path.exists("s/oms.db-wal") and os.path.getsize("s/oms.db-wal")
print("beside a slow export: exit", code, "with a log" if log else "and no log is left")
print(len((first + export.stdout.read()).splitlines()), "rows of one moment")
PYTHON
