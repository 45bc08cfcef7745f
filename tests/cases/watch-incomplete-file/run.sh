# A writer pauses for longer than the watcher waits, after a whole line and within a line, and continues in a file that was already moved.
mkdir w
oms run p.yaml --state-dir s --watch w > said 2> log & watcher=$!
until [ -S s/control.sock ] || [ -f s/oms.db ]; do sleep 0.05; done
python3 - <<'PYTHON'
import os, sqlite3, time
def count():
    try:
        return sqlite3.connect("file:s/oms.db?mode=ro", uri=True).execute("select count(*) from oms_runs").fetchone()[0]
    except sqlite3.Error:
        return 0
def until(what, reached):
    for _ in range(600):
        if reached():
            return
        time.sleep(0.05)
    print("late:", what)
def order(key):
    return f'{{"id":"{key}","amount":"1"}}\n'
with open("w/a.ndjson", "w") as a:
    a.writelines(order(f"A{n}") for n in range(50)); a.flush()
    until("moved", lambda: os.path.exists("w/done/a.ndjson"))
    a.writelines(order(f"A{n}") for n in range(50, 100)); a.flush()
    until("the rest", lambda: count() == 100)
print(count(), sorted(os.listdir("w/done")))
with open("w/a.ndjson", "w") as a:
    a.writelines(order(f"B{n}") for n in range(5)); a.write(order("B5")[:8]); a.flush()
    until("refused", lambda: os.path.exists("w/refused/a.ndjson"))
    a.write(order("B5")[8:]); a.writelines(order(f"B{n}") for n in range(6, 10)); a.flush()
    until("the rest of it", lambda: count() == 110)
print(count(), sorted(os.listdir("w/done")), sorted(os.listdir("w/refused")))
PYTHON
kill -INT $watcher; wait $watcher; echo "exit $?"
