# SPDX-License-Identifier: Apache-2.0
"""Starts moto's server with what AWS's clients need of it and moto lacks: python3 startmoto.py -H 127.0.0.1 -p PORT."""

import sys

import moto
from moto.ecs.models import Container
from moto.server import main

if not moto.__version__.startswith("5.2."):
    sys.exit(f"moto is {moto.__version__}: what is changed here was tried with 5.2; look whether it is still needed")

init = Container.__init__


def init_with_strings(self, *args, **kwargs):
    """The API has a container's cpu and memory as strings, moto as numbers, which the Go SDK refuses."""
    init(self, *args, **kwargs)
    for name in ("cpu", "memory"):
        setattr(self, name, str(getattr(self, name) or 0))


Container.__init__ = init_with_strings

main(sys.argv[1:])
