"""`python -m pybuild` is the command `pybuild`."""

import sys

if __name__ == "__main__":
    # `-m` puts the working directory on the path: a `csv.py` there would run, whoever left it.
    if not sys.flags.safe_path:
        del sys.path[0]
    from pybuild import main

    main()
