"""gtmuxd, its tenants and the machine that they run on, for the cases of tests/arbiter. Python standard library only."""
import json
import os
import re
import socket
import struct
import subprocess
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BIN = os.path.join(ROOT, 'build', 'bin')
LOAD = os.path.join(BIN, 'arbiter', 'arbiter_load')
SLICE_US = 10000
TRIES = 3
TRIES_UNTIL = time.monotonic() + 35  # a busy machine gets fewer of them

CONFIG = '''
[gtmuxd]
profile = standard
exec-profile = standard
memory = 16384
tenants = 40
preempt-ms = 150
reset-ms = 150
hang-ms = 200
[profile standard]
slice-us = 10000
memory = 256
heads = 1
max-mode = 1920x1200
[profile double]
slice-us = 10000
weight = 200
[profile fourfold]
slice-us = 10000
weight = 400
[profile capped]
slice-us = 10000
cap = 30
[profile film]
slice-us = 10000
fps = 30
[profile huge]
memory = 16000
'''
# A program that draws is asked to leave between two tiles of the screen, and that can take longer.
REAL_CONFIG = CONFIG.replace('preempt-ms = 150', 'preempt-ms = 2000').replace('reset-ms = 150', 'reset-ms = 2000')

PACKET = struct.Struct('=8I48s48s160s')
HELLO, WELCOME, REFUSED, LOOK = 1, 2, 3, 4
TRACE = os.path.join(ROOT, 'tests', 'corpus', 'boot-6.12.trace')
REPLAY_GUEST = os.path.join(BIN, 'arbiter', 'replay_guest')


class Results:
    def __init__(self, only):
        self.only, self.passed, self.failed, self.skipped = only, 0, 0, 0

    def wants(self, name):
        return name.startswith(self.only)

    def check(self, ok, name, found):
        print('%-4s %s: %s' % ('ok' if ok else 'FAIL', name, found), flush=True)
        self.passed += bool(ok)
        self.failed += not ok

    def skip(self, name, found):
        print('skip %s: %s' % (name, found), flush=True)
        self.skipped += 1

    def timed(self, ok, machine_us, name, found):
        """A figure of time, on a machine that may be too late itself to judge."""
        if not ok and machine_us > SLICE_US / 4:
            self.skip(name, found + ': this machine is too busy')
        else:
            self.check(ok, name, found)


class Gtmuxd:
    """One gtmuxd in a directory of its own."""

    def __init__(self, work, config=CONFIG, **replace):
        self.dir = tempfile.mkdtemp(dir=work)
        self.socket = os.path.join(self.dir, 'gtmuxd.sock')
        for key, value in replace.items():
            config = re.sub(r'(?m)^%s = .*\n' % key, '', config)
            config = config.replace('[gtmuxd]', '[gtmuxd]\n%s = %s' % (key, value))
        self.config = os.path.join(self.dir, 'gtmuxd.conf')
        with open(self.config, 'w') as f:
            f.write(config)
        self.log = open(os.path.join(self.dir, 'log'), 'a+')
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.log.close()

    def start(self):
        self.process = subprocess.Popen([os.path.join(BIN, 'gtmuxd'), '--run-dir=' + self.dir, '--config=' + self.config],
                                        stderr=self.log)
        for _ in range(200):
            if os.path.exists(os.path.join(self.dir, 'gtmuxd.admin')) and self.text().count('ready'):
                return
            time.sleep(0.01)

    def stop(self):
        self.process.terminate()
        return self.process.wait(10)

    def kill(self):
        self.process.kill()
        self.process.wait()
        with open(self.log.name, 'w'):
            pass  # so that the next start is waited for

    def text(self):
        with open(self.log.name) as f:
            return f.read()

    def gtmux(self, *args):
        return subprocess.run([os.path.join(BIN, 'gtmux'), args[0], '--run-dir=' + self.dir, *args[1:]],
                              capture_output=True, text=True, timeout=60)

    def ask(self, **request):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(os.path.join(self.dir, 'gtmuxd.admin'))
            s.sendall(json.dumps(request).encode() + b'\n')
            data = b''
            while not data.endswith(b'\n'):
                more = s.recv(1 << 16)
                if not more:
                    break
                data += more
        return json.loads(data)

    def stats(self):
        return self.ask(cmd='stats')

    def granted(self):
        return {t['name']: t['engines'].get('rcs0', {}).get('granted_ns', 0) / 1e9 for t in self.stats()['tenants']}

    def window(self, n, seconds):
        """Engine time of n tenants over some time in which all of them are there."""
        self.wait_for_tenants(n)
        time.sleep(0.2)
        before = self.granted()
        time.sleep(seconds)
        after = self.granted()
        return {name: after[name] - before[name] for name in sorted(after)}

    def load(self, name, seconds, mode='saturate', **options):
        command = [LOAD, '--name=' + name, '--socket=' + self.socket, '--mode=' + mode, '--seconds=%g' % seconds]
        command += ['--%s=%s' % (k.replace('_', '-'), v) for k, v in options.items()]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait_for_tenants(self, n):
        for _ in range(500):
            if len(self.stats()['tenants']) == n:
                return True
            time.sleep(0.01)
        return False

    def exec(self, *command, **options):
        args = ['--%s=%s' % (k.replace('_', '-'), v) for k, v in options.items()]
        silent, self.other_end = os.pipe()  # kmscube ends when there is something to read
        return subprocess.Popen([os.path.join(BIN, 'gtmux'), 'exec', *args, '--', *command], stdin=silent,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=dict(os.environ, GTMUX_RUN_DIR=self.dir, MESA_SHADER_CACHE_DISABLE='1'))


def ends(loads):
    """What the programs printed, one after the other."""
    out = []
    for p in loads:
        text, err = p.communicate(timeout=60)
        out.append(json.loads(text) if p.returncode == 0 and text else {'code': p.returncode, 'err': err, 'held_s': 0})
    return out


def jain(values):
    return sum(values) ** 2 / (len(values) * sum(v * v for v in values))


def best_of(attempt, good):
    """(value that counts, all values as text)."""
    values = []
    for _ in range(TRIES):
        values.append(attempt())
        if good(values[-1]) or time.monotonic() > TRIES_UNTIL:
            break
    best = next((v for v in values if good(v)), values[-1])
    return best, '' if len(values) == 1 else ' (runs: %s)' % ', '.join('%.4g' % v for v in values)


class Machine:
    """How late the machine wakes somebody who sleeps 5 ms at a time."""

    def __enter__(self):
        self.late, self.end = [], False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end = True
        self.thread.join()
        self.late.sort()
        self.p99_us = 1e6 * self.late[len(self.late) * 99 // 100]

    def run(self):
        while not self.end:
            start = time.monotonic()
            time.sleep(0.005)
            self.late.append(time.monotonic() - start - 0.005)


class Vgpu:
    """A gtmux-dm in its sandbox, and a recorded boot of i915 that is played to it by a guest that can work then."""

    def __init__(self, d, name, log, *options):
        self.socket = os.path.join(d.dir, name + '.vfio')
        self.dm = subprocess.Popen([os.path.join(BIN, 'gtmux-dm'), '--name=' + name, '--run-dir=' + d.dir, '--sandbox=on',
                                    *(['--user=nobody'] if os.geteuid() == 0 else []), *options,
                                    '--vfio-user=' + self.socket], stderr=log)
        self.guest = None

    def boot(self):
        self.guest = subprocess.Popen([REPLAY_GUEST, self.socket, TRACE], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      text=True)

    def tell(self, line):
        self.guest.stdin.write(line + '\n')
        self.guest.stdin.flush()

    def hear(self, word):
        line = self.guest.stdout.readline()
        return json.loads(line[len(word):]) if line.startswith(word + ' ') else None

    def does(self, line):
        self.tell(line)
        return self.hear('worked') or {}

    def end(self):
        if self.guest:
            self.guest.stdin.close()
            self.guest.wait(20)
        self.dm.terminate()
        return self.dm.wait(30)


def packet(kind, name='', profile='', arg=0):
    return PACKET.pack(kind, 1, arg, 0, 1, 64, 64, 0, name.encode(), profile.encode(), b'')


def seqpacket(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(path)
    return s
