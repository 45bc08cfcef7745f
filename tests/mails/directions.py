"""Checks identifiers in right-to-left mails: in the display order of the Unicode Bidirectional Algorithm (PyPI's `python-bidi`, which wraps Rust's
`unicode-bidi`), each must look the same as by itself. Arguments: the path of the program, a folder for files."""

import email
import email.policy
import html.parser
import json
import pathlib
import subprocess
import sys

from bidi import get_display

here = pathlib.Path(__file__).parent / "isolates"
program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
identifiers = (here / "identifiers.txt").read_text(encoding="utf-8").splitlines()
folder.mkdir(parents=True, exist_ok=True)
orders = folder / "orders.ndjson"
orders.write_text("".join(json.dumps({"key": f"K-{at}", "id": value}) + "\n" for at, value in enumerate(identifiers)))
MARKS = "\u2066\u2067\u2068\u2069"


class Paragraphs(html.parser.HTMLParser):
    """Collects the texts of an HTML page's title and paragraphs, with isolates for `bdi` elements, and every attribute."""

    def __init__(self):
        super().__init__()
        self.texts, self.attributes = [], []

    def handle_starttag(self, tag, attributes):
        self.attributes += [(tag, name, value or "") for name, value in attributes]
        if tag in ("p", "title"):
            self.texts.append("")
        if tag == "bdi":
            self.texts[-1] += "\u2068"

    def handle_endtag(self, tag):
        if tag == "bdi":
            self.texts[-1] += "\u2069"

    def handle_data(self, data):
        if self.texts:
            self.texts[-1] += data


def shown(text, direction):
    return "".join(char for char in get_display(text, base_dir=direction) if char not in MARKS)


def alone(value):
    """The display order of a value by itself, in its own direction (UAX #9, P2 and P3)."""
    right = next((char for char in value if char.isalpha()), "a")
    return shown(value, "R" if "\u0590" <= right <= "\u08ff" else "L")


compared, turned = 0, 0
for locale in ("ar", "he"):
    out = folder / locale
    command = [program, "render-email", "preview", str(here / "p.yaml"), "--order", str(orders), "--locale", locale, "--out", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for at, value in enumerate(identifiers):
        (path,) = out.glob(f"K-{at}.*.eml")
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        page = Paragraphs()
        page.feed(message.get_body(("html",)).get_content())
        plain = message.get_body(("plain",)).get_content()
        texts = [message["Subject"], *page.texts, *[line for line in plain.splitlines() if value in line and "]: https:" not in line]]
        texts += [text for tag, name, text in page.attributes if name == "title"]
        if len(texts) < 5:
            sys.exit(f"{path}: only {len(texts)} texts contain {value}")
        for text in texts:
            if text.count(f"\u2068{value}\u2069") < 1:
                sys.exit(f"{path}: {value} is not isolated in {text!r}")
            if alone(value) not in shown(text, "R"):
                sys.exit(f"{path}: {value} is shown as {shown(text, 'R')!r}")
            without = "".join(char for char in text if char not in MARKS)
            turned += alone(value) not in shown(without, "R")
            compared += 1
        for tag, name, text in page.attributes:
            if name != "title" and any(mark in text for mark in MARKS):
                sys.exit(f"{path}: {name} of {tag} contains direction marks: {text!r}")
if turned == 0:
    sys.exit("no identifier needs its isolates, so the test proves nothing")
print(f"{len(identifiers)} identifiers in {compared} texts are displayed correctly; without isolates, {turned} would not be")
