"""`python -m pybuild` is the command `pybuild`."""

from pybuild import main

if __name__ == "__main__":
    main()
