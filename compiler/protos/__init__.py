"""BuildKit's messages and services, and those it shares with containerd and fsutil, as protobuf descriptions.

The `*_pb2` modules are generated from the `.proto` files beside them (`generate.py`), and belong to the extra
`pybuild[buildkit]`: nothing but what speaks gRPC imports them. Methods are found by `compiler.services`.
"""
