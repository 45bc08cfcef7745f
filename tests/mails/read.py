"""Parses every .eml file below a folder with Python's email package (policy.default), and compares it with the .html and .txt files beside it."""

import csv
import email
import email.policy
import io
import pathlib
import sys

count, attachments = 0, 0
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.eml")):
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    parts = list(message.walk())
    faults = [str(defect) for part in parts for defect in part.defects]
    for name, value in message.items():
        faults += [f"{name}: {defect}" for defect in value.defects]
        if "\n" in value or "\r" in value:
            faults.append(f"{name} has more than one line")
    for name in ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"):
        if len(message.get_all(name, [])) != 1:
            faults.append(f"{name} does not occur exactly once")
    attached = list(message.iter_attachments()) if message.get_content_type() == "multipart/mixed" else []
    wanted = "multipart/mixed" if attached else "multipart/alternative"
    if message.get_content_type() != wanted:
        faults.append(f"the content type is {message.get_content_type()}")
    for part in attached:
        rows = list(csv.reader(io.StringIO(part.get_content()), strict=True))
        if part.get_content_type() != "text/csv" or len({len(row) for row in rows}) != 1:
            faults.append(f"{part.get_filename()} is not a valid CSV table")
        attachments += 1
    for kind, suffix in (("plain", ".txt"), ("html", ".html")):
        body = message.get_body((kind,))
        expected = path.with_suffix(suffix).read_bytes().decode()
        said = body.get_content().replace("\r\n", "\n") if body else None
        if said is None or said.rstrip("\n") != expected.replace("\r\n", "\n").rstrip("\n"):
            faults.append(f"the part {kind} differs from the rendered file")
    if faults:
        sys.exit(f"{path}: {'; '.join(faults)}")
    count += 1
if count == 0:
    sys.exit("no mails found")
print(f"{count} mails and {attachments} attachments read by Python {sys.version.split()[0]}")
