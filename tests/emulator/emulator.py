"""A local AWS emulator for tests: MiniStack with patches.

    python emulator.py --port 4566 --log calls.jsonl [--function-env NAME=VALUE]... [--enforce-iam]

It listens on 127.0.0.1 only, keeps everything in memory, and prints `ready http://127.0.0.1:<port>` once it
answers. It exits on SIGTERM, and with `--with-parent` also when its standard input is closed.

Region us-east-1, account 000000000000, access key `test`, secret `test`.

- `--log FILE`          logs every call of the AWS API as a line of JSON, see `patches/call_log.py`
- `--function-env N=V`  sets an environment variable of every function, e.g. AWS_ENDPOINT_URL_RDS_DATA=http://127.0.0.1:5000
- `--enforce-iam`       enforces identity, bucket, topic and queue policies, and verifies signatures
- `--ses-sandbox`       treats the account of SES as one in the sandbox, see `patches/ses_authorization.py`

Each file of `patches/` describes the change that it makes.
"""

import argparse
import os
import signal
import socket
import sys
import threading
import urllib.error
import urllib.request

ACCOUNT = "000000000000"
REGION = "us-east-1"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", metavar="FILE", help="append every API call to FILE")
    parser.add_argument("--function-env", metavar="NAME=VALUE", action="append", default=[])
    parser.add_argument("--enforce-iam", action="store_true")
    parser.add_argument("--ses-sandbox", action="store_true")
    parser.add_argument("--with-parent", action="store_true", help="exit when standard input is closed")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    for pair in args.function_env:
        if "=" not in pair:
            parser.error(f"--function-env: expected NAME=VALUE, found {pair}")
    return args


def configure(args: argparse.Namespace) -> None:
    """Sets the environment variables that MiniStack reads on import."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "LAMBDA_", "MINISTACK_"))]:
        del os.environ[name]  # the AWS configuration of the machine must not affect the emulator
    os.environ.update({
        "GATEWAY_PORT": str(args.port),
        "EDGE_PORT": str(args.port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{args.port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "DOCKER_HOST": "unix:///nonexistent",  # do not use containers
        "IOT_MTLS_ENABLED": "0",  # it would listen on port 8883
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "DEBUG" if args.verbose else "WARNING",
        "AUTH": "true" if args.enforce_iam else "false",
    })


def announce(port: int) -> None:
    """Prints `ready <url>` as soon as the emulator answers."""
    url = f"http://127.0.0.1:{port}"
    pause = threading.Event()
    while True:
        try:
            with urllib.request.urlopen(f"{url}/_ministack/health", timeout=2):
                print(f"ready {url}", flush=True)
                return
        except (urllib.error.URLError, OSError):
            pause.wait(0.05)


def end_with_parent() -> None:
    """Ends the process when the parent closes standard input."""
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    args = arguments()
    with socket.socket() as port:
        port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            port.bind(("127.0.0.1", args.port))
        except OSError as error:
            sys.exit(f"127.0.0.1:{args.port}: {error.strerror}")
    configure(args)
    sys.argv = sys.argv[:1]  # MiniStack also parses the command line

    import patches

    patches.apply(patches.Options(
        log=args.log,
        function_env=dict(pair.split("=", 1) for pair in args.function_env),
        enforce_iam=args.enforce_iam,
        ses_sandbox=args.ses_sandbox,
    ))
    threading.Thread(target=announce, args=(args.port,), daemon=True).start()
    if args.with_parent:
        threading.Thread(target=end_with_parent, daemon=True).start()

    from ministack.app import main as ministack

    ministack()


if __name__ == "__main__":
    main()
