"""The functions' runtime API without Nagle's algorithm.

Stock: each answer to a function waits for a delayed acknowledgement, twice 40 ms an invocation.
Real Lambda: no such pause.
"""

import socketserver


def apply(_options) -> None:
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True
