"""`pybuild serve`: BuildKit's daemon.

door        one process, many connections: services of BuildKit's clients (`door`, `control`, `sessions`)
zygote      forked before all else; forks a worker when the door asks (`zygote`)
worker      one a Solve: enters the build's namespaces, solves, exports, answers, ends (`worker`, `solving`)
"""
