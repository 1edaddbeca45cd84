"""Is imported by site, before the program is looked at.

What the interpreter is made of is exempt from garbage collection: it stays until the end anyway, and to look through it then would take
as long as all else that happens at the end.

With -X warm the interpreter was started ahead: it stops itself and goes on when there is a program.
"""
import gc
import sys

if "warm" in sys._xoptions:
    import os
    import signal

    del sys._xoptions["warm"]
    sys.orig_argv[1:3] = []
    os.kill(os.getpid(), signal.SIGSTOP)
gc.freeze()
