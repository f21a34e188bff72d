"""Protobuf descriptions of BuildKit's messages and services, and of those it shares with containerd and fsutil.

The `*_pb2` modules are generated from the `.proto` files beside them (`generate.py`). They need the extra
`pybuild[buildkit]`, and only code that speaks gRPC imports them. `compiler.services` finds the methods.
"""
