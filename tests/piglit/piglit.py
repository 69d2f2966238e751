"""Debian's piglit: its tests by name, how one is run, and what it said."""
import ast
import concurrent.futures
import gzip
import json
import os
import re
import subprocess
import tempfile
import time
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.realpath(__file__))
GTMUX = os.path.join(os.path.dirname(os.path.dirname(HERE)), "build", "bin", "gtmux")
PIGLIT = "/usr/lib/x86_64-linux-gnu/piglit"
PROFILES = ("quick_gl", "quick_shader")
PLATFORM = "gbm"  # of the two that need no server the one with a window
ENV = dict(os.environ, PIGLIT_PLATFORM=PLATFORM, PIGLIT_SOURCE_DIR=PIGLIT, MESA_SHADER_CACHE_DISABLE="1", LC_ALL="C",
           LD_LIBRARY_PATH=os.path.join(PIGLIT, "lib"), LP_NUM_THREADS="1", MESA_DEBUG="silent")
DRIVERS = {"gtmux": {}, "llvmpipe": {"MESA_LOADER_DRIVER_OVERRIDE": "kms_swrast"}}
PASSES = ("pass", "warn")
GROUP = 25  # shader tests in one process
TIMEOUT = 60


class Test:
    """A row of a profile."""

    def __init__(self, row):
        self.name = row.attrib["name"]
        options = {o.attrib["name"]: o.attrib["value"] for o in row.iter("option")}
        words = ast.literal_eval(options["command"])
        self.program = words[0]
        self.shader = row.attrib["type"] == "shader"
        self.words = words[1:]
        self.extra = ["-auto"] + (["-fbo"] if self.shader or options.get("run_concurrent") == "True" else [])
        self.env = {e.attrib["name"]: e.attrib["value"] for e in row.iter("env")}
        needed = ast.literal_eval(options.get("require_platforms", "None"))
        excluded = ast.literal_eval(options.get("exclude_platforms", "None"))
        self.possible = ((not needed or PLATFORM in needed) and PLATFORM not in (excluded or ())
                         and os.access(os.path.join(PIGLIT, "bin", self.program), os.X_OK))


def load():
    """{profile: [Test]} of what can run without a window system, sorted by name."""
    tests = {}
    for profile in PROFILES:
        with gzip.open(os.path.join(PIGLIT, "tests", profile + ".xml.gz")) as f:
            rows = map(Test, ElementTree.parse(f).getroot())
        tests[profile] = sorted((t for t in rows if t.possible), key=lambda t: t.name)
    return tests


def execute(program, words, env, driver, timeout):
    """Exit code (None: took too long), what it said, seconds of processor time."""
    command = [GTMUX, "exec", "--threads=1", "--", os.path.join(PIGLIT, "bin", program), *words]
    with tempfile.TemporaryFile("w+", errors="replace") as out, tempfile.TemporaryFile("w+", errors="replace") as err:
        process = subprocess.Popen(command, env={**ENV, **DRIVERS[driver], **env}, cwd=PIGLIT, stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=err, start_new_session=True)
        code, used = wait(process, timeout)
        out.seek(0)
        err.seek(0)
        return code, out.read(), err.read()[-4000:], used


def wait(process, timeout):
    end = time.monotonic() + timeout
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, usage.ru_utime + usage.ru_stime
        if time.monotonic() > end:
            os.killpg(process.pid, 9)
            _, _, usage = os.wait4(process.pid, 0)
            process.returncode = -9
            return None, usage.ru_utime + usage.ru_stime
        time.sleep(0.005)


def reports(text):
    """What a program says in lines "PIGLIT: {...}"."""
    for line in text.splitlines():
        if line.startswith("PIGLIT: "):
            try:
                yield json.loads(line[8:])
            except ValueError:
                pass


def run_alone(test, driver, timeout):
    """(result, text, seconds)"""
    code, out, err, used = execute(test.program, [*test.words, *test.extra], test.env, driver, timeout)
    results = [r["result"] for r in reports(out) if "result" in r]
    if code is None or code < 0 or code >= 128:
        return "timeout" if code is None else "crash", out + err, used
    return results[-1] if results else "none", out + err, used


def run_shaders(tests, driver, timeout):
    """Shader tests of one program, together in one process; {name: (result, text, seconds)}. One that ends the process is
    found by where it ended; those behind it run in the next process."""
    done, rest = {}, tests
    while rest:
        code, out, err, used = execute(rest[0].program, [*(t.words[0] for t in rest), "-auto", "-fbo", "-report-subtests"],
                                       {}, driver, timeout)
        told = 0
        for test, part in zip(rest, re.split(r"^PIGLIT TEST: .*$", out, flags=re.M)[1:]):
            results = [r for report in reports(part) for r in report.get("subtest", {}).values()]
            if not results:
                break
            done[test.name] = (results[0], part, used / len(rest))
            told += 1
        rest = rest[told:]
        if rest:
            done[rest[0].name] = ("timeout" if code is None else "crash", out[-2000:] + err, used / (told + 1))
            rest = rest[1:]
    return done


def make_jobs(tests):
    """Lists of tests that one process runs."""
    jobs, shaders = [], {}
    for test in tests:
        if test.shader:
            shaders.setdefault(test.program, []).append(test)
        else:
            jobs.append([test])
    for same in shaders.values():
        jobs += [same[i:i + GROUP] for i in range(0, len(same), GROUP)]
    return jobs


def run_job(job):
    """{name: {driver: (result, text, seconds)}}"""
    results = {test.name: {} for test in job}
    for driver in DRIVERS:
        done = run_shaders(job, driver, TIMEOUT) if job[0].shader else \
            {job[0].name: run_alone(job[0], driver, TIMEOUT)}
        for name, result in done.items():
            results[name][driver] = result
    return results


def run(tests, at_once):
    """{name: {driver: (result, text, seconds)}} of all."""
    results = {}
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        for done in pool.map(run_job, make_jobs(tests)):
            results.update(done)
    return results
