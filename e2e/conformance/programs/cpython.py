# SPDX-License-Identifier: Apache-2.0
"""Runs one module of CPython's test suite as python -m test does, and writes what became of each test to a file, a line a test, as it
happens: what was written stays when the process is killed. plan.json says which module and which of its tests."""
import json
import os
import sys

REPORT = os.path.abspath("report")
open_, write, close, getpid = os.open, os.write, os.close, os.getpid  # tests patch os
dumps = json.dumps


def put(pid=getpid(), **line):
    if getpid() != pid:  # a child that a test forked
        return
    fd = open_(REPORT, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    write(fd, (dumps(line) + "\n").encode())
    close(fd)


def watch(plan):
    from test import support
    from test.libregrtest import main, single
    from test.libregrtest.testresult import RegressionTestResult

    skip, only = set(plan["skip"]), set(plan["only"])
    running = {}

    def name(test):
        return test.id() if hasattr(test, "id") else str(test)

    def worse(test, state, detail=""):
        order = ["pass", "skip", "fail"]
        if running.get("id") != name(test):  # a class or module, not a test
            put(id=name(test), state=state, detail=detail)
        elif order.index(state) > order.index(running["state"]):
            running.update(state=state, detail=detail)

    class Result(RegressionTestResult):
        def startTest(self, test):
            running.clear()
            running.update(id=name(test), state="pass", detail="")
            put(begin=name(test))
            super().startTest(test)

        def stopTest(self, test):
            super().stopTest(test)
            put(**running)
            running.clear()

        def addError(self, test, err):
            worse(test, "fail", "%s: %s" % (err[0].__name__, err[1]))
            super().addError(test, err)

        addFailure = addError

        def addSubTest(self, test, subtest, err):
            if err is not None:
                worse(test, "fail", "%s: %s" % (err[0].__name__, err[1]))
            super().addSubTest(test, subtest, err)

        def addSkip(self, test, reason):
            worse(getattr(test, "test_case", test), "skip", reason)
            super().addSkip(test, reason)

        def addUnexpectedSuccess(self, test):
            worse(test, "fail", "unexpected success")
            super().addUnexpectedSuccess(test)

    def get_test_runner(stream, verbosity, capture_output=False):
        runner = single_runner(stream, verbosity, capture_output)
        if verbosity:
            runner.resultclass = Result
        else:
            runner.result.__class__ = Result
        return runner

    single_runner, single.get_test_runner = single.get_test_runner, get_test_runner
    match_test = single.match_test
    single.match_test = lambda test: match_test(test) and test.id() not in skip and (not only or test.id() in only)
    run_single_test = main.run_single_test

    def run(test_name, runtests):
        result = run_single_test(test_name, runtests)
        whole = {"SKIPPED": "skip", "RESOURCE_DENIED": "skip", "UNCAUGHT_EXC": "fail"}.get(result.state)
        if whole:
            put(id=test_name + " (module)", state=whole, detail=result.state)
        put(done=test_name)
        return result

    main.run_single_test = run


if __name__ == "__main__":
    with open("plan.json") as f:
        plan = json.load(f)
    watch(plan)
    from test.libregrtest.main import main
    sys.argv = ["test", "-v", "--timeout", str(plan["timeout"]), plan["module"]]
    main()
