"""Is imported by site, before the program is looked at.

What the interpreter is made of is exempt from garbage collection: it stays until the end anyway, and to look through it then would take
as long as all else that happens at the end.

With -X warm the interpreter was started ahead: it stops itself and goes on when there is a program. With -X warm=json,re it has
imported these modules by then, which saves the programs that use them the time. But then they win over files of the same name beside
the program, so there are none by default.
"""
import gc
import sys

if "warm" in sys._xoptions:
    import os
    import signal

    if (modules := sys._xoptions.pop("warm")) is not True:
        for name in modules.split(","):
            __import__(name)
        del name
    del modules
    sys.orig_argv[1:3] = []
    os.kill(os.getpid(), signal.SIGSTOP)
gc.freeze()
