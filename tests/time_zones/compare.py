"""Compares `date(t, zone)` with Python's `zoneinfo`, for every zone and every offset change from 2024 to 2030.

Python uses the package `tzdata` with the same release of the IANA database that is compiled into `oms`. For each offset change
and each adjacent local midnight, the script compares the instant itself, a second before it, and a second after it.
"""

import argparse
import json
import subprocess
import tempfile
from datetime import datetime, timedelta, timezone
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo, reset_tzpath

FIRST, LAST = datetime(2024, 1, 1, tzinfo=timezone.utc), datetime(2031, 1, 1, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)


def names():
    text = resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8")
    return sorted(text.split())


def changes(zone):
    """Yields each instant at which the offset of a zone changes, found by bisection."""
    step, at = timedelta(days=7), FIRST
    while at < LAST:
        until = at + step
        if at.astimezone(zone).utcoffset() != until.astimezone(zone).utcoffset():
            low, high = at, until
            while high - low > SECOND:
                middle = low + (high - low) // 2
                middle = middle.replace(microsecond=0)
                same = middle.astimezone(zone).utcoffset() == low.astimezone(zone).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            yield high
        at = until


def midnights(at, zone):
    """Yields the first instants of the local days around an instant."""
    local = at.astimezone(zone)
    for days in (0, 1):
        day = (local.replace(tzinfo=None, hour=0, minute=0, second=0) + timedelta(days=days))
        yield day.replace(tzinfo=zone).astimezone(timezone.utc)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--oms", required=True)
    oms = Path(parser.parse_args().oms).resolve()
    reset_tzpath(to=[])
    zones = {name: ZoneInfo(name) for name in names()}
    instants = {FIRST, LAST}
    found = 0
    for zone in zones.values():
        for change in changes(zone):
            found += 1
            for near in (change, *midnights(change, zone)):
                instants.update((near - SECOND, near, near + SECOND))
    assert found > 1000, f"found only {found} offset changes"
    values = "".join(
        f"      z{at}: ${{{{ date(order.at, \"{name}\") }}}}\n" for at, name in enumerate(zones)
    )
    pipeline = f"""oms: 1
name: zones
order:
  schema: {{ type: object, required: [id, at], properties: {{ id: {{ type: string }}, at: {{ type: string, format: date-time }} }} }}
  key: ${{{{ order.id }}}}
steps:
  days:
    uses: value.compute
    with:
      values:
{values.replace("      z", "        z")}
  store: {{ uses: object.put, with: {{ bucket: days, key: "${{{{ run.key }}}}", body: "${{{{ steps.days }}}}" }} }}
"""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "zones.yaml").write_text(pipeline)
        ordered = sorted(instants)
        lines = (
            json.dumps({"id": str(at), "at": instant.strftime("%Y-%m-%dT%H:%M:%SZ")})
            for at, instant in enumerate(ordered)
        )
        (folder / "orders.ndjson").write_text("\n".join(lines) + "\n")
        command = [oms, "run", "zones.yaml", "--input", "orders.ndjson", "--export", "out"]
        # The time zone database of the machine must not be used, so this path does not exist.
        environment = {"TZ": "Asia/Tokyo", "TZDIR": "/nonexistent"}
        subprocess.run(command, cwd=folder, check=True, env=environment, stdout=subprocess.DEVNULL)
        compared, wrong = 0, []
        for at, instant in enumerate(ordered):
            days = json.loads((folder / "out/objects/days" / str(at)).read_text())
            for position, (name, zone) in enumerate(zones.items()):
                expected = instant.astimezone(zone).date().isoformat()
                compared += 1
                if days[f"z{position}"] != expected:
                    wrong.append(f"{instant} in {name}: {days[f'z{position}']}, not {expected}")
    for line in wrong[:20]:
        print(line)
    print(f"{len(zones)} zones, {found} changes: {compared} days compared, {len(wrong)} differ")
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
