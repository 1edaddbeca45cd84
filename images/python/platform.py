"""What the standard distribution gives a program, a line each.

Without arguments: all that there is here, and every name in sys.stdlib_module_names. With the name of such a list: what of it is not there.
"""
import codecs
import contextlib
import ctypes.util
import curses
import encodings
import encodings.aliases
import hashlib
import importlib
import io
import locale
import mimetypes
import os
import pkgutil
import socket
import sqlite3
import ssl
import sys
import unicodedata
import warnings
import zoneinfo

warnings.simplefilter("ignore")

# These talk, open windows or replace built-in functions when they are imported.
TALKATIVE = {"antigravity", "this", "idlelib.idle", "turtledemo"}


def importable(name):
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            importlib.import_module(name)
        return True
    except (Exception, SystemExit):
        return False


def modules_in(directory, prefix=""):
    for info in pkgutil.iter_modules([directory], prefix):
        # test: the interpreter's own. idlelib and turtledemo are programs.
        if info.name in ("test", "idlelib", "turtledemo", "sitecustomize") or info.name.endswith(".__main__"):
            continue
        yield info.name
        if info.ispkg:
            yield from modules_in(os.path.join(directory, info.name.split(".")[-1]), info.name + ".")


def names_of_modules():
    names = set(sys.stdlib_module_names) | set(sys.builtin_module_names)
    for directory in sys.path:
        if directory.startswith(sys.prefix) and "dist-packages" not in directory:
            names.update(modules_in(directory))
    return names - TALKATIVE


def words(file):
    with open(file) as f:
        return {line.split()[0] for line in f if line.strip() and not line.startswith("#")}


def terminals():
    found = set()
    for top in ("/usr/share/terminfo", "/usr/lib/terminfo", "/lib/terminfo"):
        for _, _, files in os.walk(top):
            found.update(files)
    return found


def check(test, *args):
    try:
        return bool(test(*args))
    except Exception:
        return False


def sqlite(query):
    return {row[0] for row in sqlite3.connect(":memory:").execute(query)}


SQLITE = {"module": sqlite("pragma module_list"), "function": sqlite("select distinct name from pragma_function_list"), "option": sqlite("pragma compile_options")}

ALIASES = encodings.aliases.aliases
MIME_TYPES = set(mimetypes.MimeTypes([f for f in mimetypes.knownfiles if os.path.exists(f)]).types_map[1])

# For each kind all names that are here, and whether one is.
KINDS = {
    "encoding": (lambda: set(ALIASES) | set(ALIASES.values()) | set(modules_in(os.path.dirname(encodings.__file__))), lambda n: codecs.lookup(n)),
    "hash": (lambda: hashlib.algorithms_available | hashlib.algorithms_guaranteed, lambda n: hashlib.new(n)),
    "zone": (zoneinfo.available_timezones, zoneinfo.ZoneInfo),
    "locale": (lambda: {"C", "POSIX", "C.UTF-8", "C.utf8"}, lambda n: locale.setlocale(locale.LC_ALL, n)),
    "service": (lambda: words("/etc/services"), socket.getservbyname),
    "protocol": (lambda: words("/etc/protocols"), lambda n: socket.getprotobyname(n) >= 0),
    "mime-type": (lambda: MIME_TYPES, lambda n: n in MIME_TYPES),
    "terminal": (terminals, lambda n: not curses.setupterm(n)),
    "cipher": (lambda: {c["name"] for c in ssl.create_default_context().get_ciphers()},
               lambda n: n in {c["name"] for c in ssl.create_default_context().get_ciphers()}),
    "library": (lambda: {"c", "m", "z", "ssl", "crypto", "sqlite3", "ncursesw", "readline", "ffi", "expat", "lzma", "bz2", "gdbm", "uuid"}, ctypes.util.find_library),
    "sqlite-module": (lambda: SQLITE["module"], lambda n: n in SQLITE["module"]),
    "sqlite-function": (lambda: SQLITE["function"], lambda n: n in SQLITE["function"]),
    "sqlite-option": (lambda: SQLITE["option"], lambda n: n in SQLITE["option"]),
    "unicode": (lambda: {unicodedata.unidata_version}, lambda n: n == unicodedata.unidata_version),
    "module": (names_of_modules, importable),
}


def main():
    if len(sys.argv) < 2:
        for kind, (names, there) in KINDS.items():
            for name in sorted(names()):
                if name in sys.stdlib_module_names or check(there, name):
                    print(kind, name)
        return
    for line in open(sys.argv[1]):
        kind, name = line.rstrip("\n").split(" ", 1)
        if not check(KINDS[kind][1], name):
            print(kind, name)


if __name__ == "__main__":
    main()
