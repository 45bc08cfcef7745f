# Addresses that cannot receive mail, that programs treat as an option, or that look like a different address.
python3 - <<'PYTHON'
import json, subprocess
addresses = ["a@example.com", "josé@example.com", "иван@почта.рф", "a@xn--e1afmkfd.xn--p1ai", "o'neil+x@mail.example.co.uk",
    "a@example.com|id", "a@[127.0.0.1]", "a@localhost", "-oQ/tmp/x@example.com", "аdmin@example.com", "аре@example.com", "a@exаmple.com",
    "a@127.0.0.1", "a@example.123", "a@-example.com", "a@example..com", "a@example.com."]
subprocess.run(["oms", "run", "p.yaml", "--state-dir", "s", "--input", "/dev/null"], capture_output=True)
for number, address in enumerate(addresses):
    row = json.dumps({"id": str(number), "email": address}, ensure_ascii=False)
    open("in.ndjson", "w").write(row + "\n")
    imported = subprocess.run(["oms", "db", "import", "p.yaml", "--state-dir", "s", "people", "in.ndjson"], capture_output=True).returncode
    ran = subprocess.run(["oms", "run", "p.yaml", "--state-dir", f"s{number}", "--input", "in.ndjson"], capture_output=True).returncode
    print(["taken", "refused"][imported], ["taken", "refused"][ran], address)
PYTHON
