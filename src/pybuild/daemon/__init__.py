"""`pybuild serve`: BuildKit's daemon.

front process   one process, many connections: services of BuildKit's clients (`front_process`, `control`, `sessions`)
fork server     forked before all else; forks a worker when the front process wants one (`fork_server`)
worker          one a task: enters the build's namespaces, solves, exports, answers, ends (`worker`, `solving`)
"""
