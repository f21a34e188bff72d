"""The command `pybuild` for scripts of a test: `python -I -S command.py SOCKET WORD…` asks the server at SOCKET."""

import os
import socket
import sys

sys.path.insert(0, os.path.abspath(__file__).rsplit("/", 4)[0])

from tests.support.warm.asking import ask, exit_code

with socket.socket(socket.AF_UNIX) as client:
    client.connect(sys.argv[1])
    ask(client, sys.argv[2:], os.getcwd(), dict(os.environ), (0, 1, 2))
    told = b""
    while part := client.recv(64):
        told += part
code = exit_code(told)
if code < 0:
    os.kill(os.getpid(), -code)
sys.exit(code)
