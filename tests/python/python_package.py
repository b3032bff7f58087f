#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the tests of the Python package share: the package of this source tree with the library of this build, and how a
test ends. Run as a test itself, it imports the package."""

import ast
import importlib
import os
import pathlib
import sys
import traceback

SKIP = 77  # CTest's word for "not tested here"
ROOT = pathlib.Path(os.environ.get("FANIN_SOURCE_DIR", pathlib.Path(__file__).resolve().parent.parent.parent))


def skip(why):
    print("skipped: " + why)
    sys.stdout.flush()
    os._exit(SKIP)  # not by an exception: it may be asked for in the middle of an import


def fanin():
    """The package. An instrumented library needs its runtime in the interpreter, which has none."""
    if os.environ.get("FANIN_SANITIZE"):
        skip("the library was built with sanitizers")
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(ROOT / "python"))
    build = os.environ.get("FANIN_BUILD_DIR")
    if build and "FANIN_LIBRARY" not in os.environ:
        os.environ["FANIN_LIBRARY"] = os.path.join(build, "libfanin.so")
    return importlib.import_module("fanin")


def need(name):
    """A module that the machine may lack."""
    try:
        return importlib.import_module(name)
    except ImportError as e:
        return skip("%s cannot be imported (%s)" % (name, e))


def run(functions):
    """Calls every function whose name begins with test_, and says which failed. For the end of a script."""
    tests = [(name, function) for name, function in functions.items() if name.startswith("test_") and callable(function)]
    failed = []
    for name, function in tests:
        try:
            function()
        except Exception:
            traceback.print_exc()
            failed.append(name)
    print("%d of %d tests passed%s" % (len(tests) - len(failed), len(tests),
                                       "; failed: " + ", ".join(failed) if failed else ""))
    return 1 if failed or not tests else 0


def raises(kind, text, function, *arguments, **named):
    """The exception that the call must raise, with `text` in its message."""
    try:
        function(*arguments, **named)
    except kind as e:
        if text not in str(e):
            raise AssertionError("%r is not in the message %r" % (text, str(e))) from e
        return e
    raise AssertionError("no %s was raised" % getattr(kind, "__name__", kind))


def check_syntax():
    """Every module in the syntax of the oldest Python that pyproject.toml promises."""
    count = 0
    for path in sorted((ROOT / "python").rglob("*.py")):
        ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 9))
        count += 1
    assert count > 5
    return count


if __name__ == "__main__":
    print("fanin %s, %d modules" % (fanin().__version__, check_syntax()))
