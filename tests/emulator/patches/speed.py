"""The runtime API of functions without Nagle's algorithm.

Stock: each answer to a function waits for a delayed acknowledgement, which costs 40 ms twice per invocation.
AWS: there is no such delay.
"""

import socketserver


def apply(_options) -> None:
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True
