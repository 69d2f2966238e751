"""Carries out the commands of docs/xen.md in a dom0. Python standard library only."""
import ast
import os
import re

GUIDE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "xen.md")
BLOCK = re.compile(r"^```(append|run)(?: (\S+))?\n(.*?)^```$", re.M | re.S)


def blocks():
    """(kind, file, text) of each marked block, in order."""
    with open(GUIDE, encoding="utf-8") as f:
        return [(kind, name, text) for kind, name, text in BLOCK.findall(f.read())]


def settings(text):
    """{key: value} of lines in the syntax of xl.cfg, which for what is used here is Python's."""
    pairs = (line.split("=", 1) for line in text.splitlines() if line.strip())
    return {key.strip(): ast.literal_eval(value.strip()) for key, value in pairs}


def follow(host, checks, guests):
    """guests: {name of its file: XenGuest that has what every guest has}."""
    found = blocks()
    checks(sum(kind == "run" for kind, _, _ in found) >= 6, "the guide has commands", f"{len(found)} blocks")
    host.check("mkdir -p /tmp/guide")
    for kind, name, text in found:
        if kind == "append":
            guests[name].add(settings(text))
            host.check(f"cp {host.write(name, guests[name].text())} /tmp/guide/")
            continue
        rc, out = host.run(f"cd /tmp/guide\nset -e\n{text}", 90)
        checks(rc == 0, text.strip().splitlines()[0], out.strip()[-300:] if rc else "")
