"""gtmux's commands, and programs that draw under gtmuxd."""
import fcntl
import hashlib
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from world import ROOT, BIN, REAL_CONFIG, Gtmuxd, ends


# ---- commands

def exposition(r, text):
    """The text is what Prometheus' text format allows, and its names are those of docs/operations.md."""
    helped, typed, sampled, broken = [], {}, set(), []
    for line in text.splitlines():
        m = (re.fullmatch(r'# HELP ([a-z0-9_]+) \S.*', line) or re.fullmatch(r'# TYPE ([a-z0-9_]+) (counter|gauge)', line) or
             re.fullmatch(r'([a-z0-9_]+)(\{[a-z]+="[^"\\\n]*"(?:,[a-z]+="[^"\\\n]*")*\})? [0-9.e+-]+', line))
        if not m:
            broken.append(line)
        elif line.startswith('# HELP'):
            helped.append(m.group(1))
        elif line.startswith('# TYPE'):
            typed[m.group(1)] = m.group(2)
        else:
            sampled.add(m.group(1))
            if m.group(1) not in typed:
                broken.append(line)
    broken += [n for n, kind in typed.items() if (kind == 'counter') != n.endswith('_total')]
    r.check(not broken and len(set(helped)) == len(helped) and set(helped) == set(typed) and sampled <= set(typed),
            'command: metrics are in the text format', broken[:3] or '%d lines' % text.count('\n'))
    with open(os.path.join(ROOT, 'docs', 'operations.md')) as f:
        section = re.search(r'\n## Metrics\n(.*?)\n## ', f.read(), re.S).group(1)
    documented = set(re.findall(r'`?(gtmux_[a-z0-9_]+)`?', '\n'.join(l for l in section.splitlines() if l.startswith('|'))))
    r.check(documented == set(typed), 'command: metrics are those of docs/operations.md', 'undocumented %s, gone %s' % (
        sorted(set(typed) - documented), sorted(documented - set(typed))))
    r.check('gtmux_engine_granted_seconds_total{tenant="a",engine="rcs0"}' in text, 'command: metrics of a tenant', 'there')


def commands(r, work):
    with Gtmuxd(work) as d:
        tenants = [d.load('a', 5, work_us=20000), d.load('b', 5, work_us=20000)]
        d.wait_for_tenants(2)
        p = d.gtmux('set', 'a', 'weight=300', 'fps=60')
        top = json.loads(d.gtmux('top', '--json').stdout or '{}')
        use = {t['name']: t['use_percent'].get('rcs0', 0) for t in top.get('tenants', [])}
        r.check(p.returncode == 0 and 70 <= use.get('a', 0) <= 80, 'command: set weight=300 changes the shares at once',
                'top says %s' % use)
        d.gtmux('pause', 'a')
        before = d.granted()
        time.sleep(0.5)
        after = d.granted()
        r.check(after['a'] - before['a'] < 0.02 and after['b'] - before['b'] > 0.45, 'command: pause',
                'a had %.3f s, b %.3f s of 0.5 s' % (after['a'] - before['a'], after['b'] - before['b']))
        d.gtmux('resume', 'a')
        time.sleep(0.3)
        r.check(d.granted()['a'] > after['a'] + 0.1, 'command: resume', 'a runs')
        text = d.gtmux('top', '--once').stdout
        r.check(text.count('\n') == 4 and 'standard' in text, 'command: top --once', text.splitlines()[0])
        exposition(r, d.gtmux('metrics').stdout)
        r.check('capped' in d.gtmux('profiles').stdout, 'command: profiles', 'lists them')
        for args, code in ((('set', 'a', 'weight=0'), 1), (('set', 'a', 'weight'), 2), (('set', 'nobody', 'cap=1'), 1),
                           (('set', 'a', 'colour=1'), 1), (('pause',), 2)):
            p = d.gtmux(*args)
            r.check(p.returncode == code and p.stderr, 'command: %s: exit code %d' % (' '.join(args), code),
                    p.stderr.strip().splitlines()[0][:100] if p.stderr else p.returncode)
        ends(tenants)
    r.check(d.gtmux('top', '--once').returncode == 1, 'command: top without gtmuxd', 'exit code 1')


def top_keys(r, work):
    """gtmux top on a terminal of 12 lines: what its keys do to tenants, and that it leaves the terminal as it was."""
    with Gtmuxd(work) as d:
        tenants = [d.load(name, 12, work_us=20000) for name in ('a', 'b', 'c')]
        d.wait_for_tenants(3)
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('4H', 12, 200, 0, 0))
        before = termios.tcgetattr(slave)
        top = subprocess.Popen([os.path.join(BIN, 'gtmux'), 'top', '--run-dir=' + d.dir, '--delay=0.2', '--sort=name'],
                               stdin=slave, stdout=slave, stderr=slave)
        seen = ['']

        def screen(wanted, seconds=3):
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                if select.select([master], [], [], 0.05)[0]:
                    seen[0] = (seen[0] + os.read(master, 65536).decode(errors='replace'))[-20000:]
                if re.search(wanted, seen[0].split('\x1b[H')[-1], re.S):
                    return True
            return False

        def press(keys, wanted):
            os.write(master, keys)
            return screen(wanted)

        def tenant(name):
            return next((t for t in d.stats()['tenants'] if t['name'] == name), None)

        try:
            r.check(screen('gtmux top: 3 tenants.*rcs0 \\d+ %.*sorted by name'), 'top: a picture', seen[0][-60:])
            r.check(press(b'\x1b[B', '\x1b\\[7mb ') and press(b' ', 'pause b: done') and tenant('b')['paused'],
                    'top: down and space pause the second', tenant('b')['paused'])
            screen('paused')
            r.check(press(b' ', 'resume b: done') and not tenant('b')['paused'], 'top: space lets it go on',
                    tenant('b')['paused'])
            press(b'+', 'set b weight=125: done')
            r.check(tenant('b')['weight'] == 125, 'top: + gives it weight', tenant('b')['weight'])
            r.check(press(b'u', 'sorted by use') and press(b'I', 'use, least first') and press(b'>', 'by memory, least') and
                    screen('\x1b\\[7mb '), 'top: sorted otherwise, it stays selected', 'yes')
            r.check(press(b'h', 'select a tenant') and press(b'x', '3 tenants'), 'top: help', 'shown')
            r.check(press(b'r', 'Reset what b') and press(b'y', 'reset b: done'), 'top: reset', 'asked, done')
            r.check(press(b'k', 'End the process of b') and press(b'n', '3 tenants') and tenant('b'), 'top: no kill without yes',
                    'b is there')
            press(b'\x1b[20~', 'End the process of b')
            r.check(press(b'y', '2 tenants') and not tenant('b'), 'top: F9 ends a tenant', '2 are left')
            os.write(master, b'q')
            code = top.wait(5)
            r.check(code == 0 and termios.tcgetattr(slave) == before, 'top: q ends it, the terminal is as it was', code)
            top = subprocess.Popen([os.path.join(BIN, 'gtmux'), 'top', '--run-dir=' + d.dir], stdin=slave, stdout=slave,
                                   stderr=slave)
            time.sleep(0.3)
            top.terminate()
            code = top.wait(5)
            r.check(code == 0 and termios.tcgetattr(slave) == before, 'top: so is it after SIGTERM', code)
        finally:
            top.kill()
            top.wait()
            os.close(master)
            os.close(slave)
            for p in tenants:
                p.terminate()
                p.communicate()


# ---- the software GPU at work

def pictures(path):
    out = {}
    for name in sorted(os.listdir(path)):
        with open(os.path.join(path, name), 'rb') as f:
            out[name] = hashlib.sha1(f.read()).hexdigest()
    return out


def real(r, work):
    """Programs that draw, side by side: the pictures are those that each draws alone."""
    with Gtmuxd(work, REAL_CONFIG) as d:
        options = {'mode': '640x480', 'frames': 12, 'threads': 1}
        alone = os.path.join(d.dir, 'alone')
        p = d.exec('kmscube', '-c', '14', png=alone, **options)
        p.communicate(timeout=60)
        r.check(p.returncode == 0 and len(pictures(alone)) == 12, 'real: kmscube under gtmuxd', '%d frames' % len(
            pictures(alone)))
        dirs = [os.path.join(d.dir, 'p%d' % i) for i in range(3)]
        programs = [d.exec('kmscube', '-c', '60', png=path, name='p%d' % i, **options) for i, path in enumerate(dirs)]
        looper = d.exec(os.path.join(BIN, 'arbiter', 'endless_batch'))
        codes = [p.wait(100) for p in programs]
        yields = d.stats()['engines'].get('rcs0', {})
        # A workload hangs only beside others, and on a fast machine they have ended.
        rival = d.load('rival', 3, work_us=1000) if looper.poll() is None else None
        text, err = looper.communicate(timeout=60)
        ends([rival] if rival else [])
        r.check(codes == [0, 0, 0] and all(pictures(path) == pictures(alone) for path in dirs),
                'real: three of them and an endless batch: all pictures are the same',
                'slices ended early: %d, overrun p50 %.1f ms, p99 %.1f ms' % (
                    yields.get('slices_ended', 0), yields.get('overrun_p50_us', 0) / 1000,
                    yields.get('overrun_p99_us', 0) / 1000))
        r.check(looper.returncode == 0, 'real: the endless batch was reset', text + err)
        for p in programs:
            p.communicate()
        p = d.exec('kmscube', '-c', '300', name='last', mode='640x480')
        q = d.exec('kmscube', '-c', '300', name='last2', mode='640x480')
        d.wait_for_tenants(2)
        time.sleep(0.3)
        d.kill()
        codes = [p.wait(100), q.wait(100)]
        r.check(codes == [0, 0], 'real: kill -9 of gtmuxd under kmscube', 'exit codes %s' % codes)
        for x in (p, q):
            x.communicate()
