"""Converts build files from one kind to another.

    convert_dockerfile    a parsed Dockerfile -> a file of the language
    python_source         `pythonsource`: a file of the language -> a Python module

`Surroundings` answers a conversion's questions about the context, addresses and images.
"""

from pybuild.lang.convert.dockerfile import Conversion, convert_dockerfile
from pybuild.lang.convert.surroundings import BaseImage, Repository, Surroundings

__all__ = ["BaseImage", "Conversion", "Repository", "Surroundings", "convert_dockerfile"]
