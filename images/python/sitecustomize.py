"""Is looked for by site, before the program is looked at. It is not a module that a program sees: site takes the ImportError at the end
to mean that there is none, and goes on as without it.

With -X warm the interpreter was started ahead: it stops itself and goes on when there is a program. With -X warm=json,re it has
imported these modules by then, which saves the programs that use them the time. But then they win over files of the same name beside
the program, so there are none by default: whatever is imported here besides what every interpreter has by now, is such a module.
"""
import sys

if "warm" in sys._xoptions:
    import os

    if (modules := sys._xoptions.pop("warm")) is not True:
        for name in modules.split(","):
            __import__(name)
    sys.orig_argv[1:3] = []
    os.kill(os.getpid(), 19)  # SIGSTOP; the module signal would be one more
raise ImportError(name="sitecustomize")
