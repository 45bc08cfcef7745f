"""Checks the shell scripts in GitHub workflows with ShellCheck.

    python scripts.py WORKFLOW...
"""

import subprocess
import sys
from pathlib import Path

import yaml


def main() -> int:
    count, failed = 0, False
    for file in sys.argv[1:]:
        for job, description in yaml.safe_load(Path(file).read_text(encoding="utf-8"))["jobs"].items():
            for step in description["steps"]:
                if "run" not in step:
                    continue
                # GitHub runs a script with `bash -e`.
                done = subprocess.run(["shellcheck", "--shell=bash", "-"], input="set -e; " + step["run"], capture_output=True, text=True)
                count += 1
                if done.returncode != 0:
                    failed = True
                    print(f"{file}: {job}: {step['name']}\n{done.stdout}{done.stderr}", file=sys.stderr)
    print(f"{count} scripts were checked")
    return 1 if failed or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
