"""Tenants that hang, flood and lie."""
import os
import random
import signal
import socket
import subprocess
import sys
import time

from world import ROOT, PACKET, HELLO, LOOK, Gtmuxd, ends, jain, best_of, packet, seqpacket


def endless(r, work):
    """Before: five tenants that work. Then one of them hangs: until it is stopped, the others have what they had."""
    with Gtmuxd(work) as d:
        tenants = [d.load('t%d' % i, 5.5) for i in range(4)]
        other = d.load('good', 1.5)
        time.sleep(0.3)
        a, t0 = d.granted(), time.monotonic()
        time.sleep(1)
        b, t1 = d.granted(), time.monotonic()
        ends([other])
        bad = d.load('bad', 20, mode='endless')
        d.wait_for_tenants(5)
        c, t2 = d.granted(), time.monotonic()
        code = bad.wait(20)
        e, t3 = d.granted(), time.monotonic()
        out = ends(tenants)
        text = d.text()
        bad.communicate()
    before = sum(b['t%d' % i] - a['t%d' % i] for i in range(4)) / (t1 - t0)
    during = sum(e['t%d' % i] - c['t%d' % i] for i in range(4)) / (t3 - t2)
    r.check(code == -signal.SIGKILL and 'hung again after a reset' in text, 'bad: an endless batch is stopped',
            'after %.2f s (twice 0.2 s of engine time at a share of 1/5: about 2 s), exit code %d' % (t3 - t2, code))
    r.check(during >= 0.9 * before, 'bad: throughput of the others meanwhile',
            '%.1f %% of before, at least 90 %%' % (100 * during / before))
    r.check(all(t.get('begun') == t.get('done') for t in out), 'bad: and none of their requests is lost',
            '%s of %s' % (sum(t.get('done', 0) for t in out), sum(t.get('begun', 1) for t in out)))


def standstill(r, work):
    with Gtmuxd(work) as d:
        tenants = [d.load('t%d' % i, 3) for i in range(2)]
        d.wait_for_tenants(2)
        bad = d.load('bad', 20, mode='standstill')
        d.wait_for_tenants(3)
        at = time.monotonic()
        code = bad.wait(20)
        took = time.monotonic() - at
        out = ends(tenants)
        bad.communicate()
    r.check(code == -signal.SIGKILL and took < 0.5, 'bad: who does not give an engine back is stopped',
            'after %.3f s, bound 0.5 s (slices, 150 ms, 150 ms)' % took)
    longest = max(t['wait_max_us'] for t in out) / 1000
    r.check(longest < 400, 'bad: the longest wait of the others', '%.0f ms, bound 400 ms' % longest)


def flood_child(path, seconds):
    """Two seconds of every kind of nonsense; runs in a process of its own."""
    os.nice(19)  # it is about gtmuxd's time, not the processors'
    end, rng, sent = time.monotonic() + seconds, random.Random(1), 0
    spammer = seqpacket(path)
    spammer.sendall(packet(HELLO, 'spammer'))
    spammer.recv(4096)
    spammer.setblocking(False)
    while time.monotonic() < end:
        try:
            s = seqpacket(path)
            s.setblocking(False)
            for _ in range(rng.randrange(4)):
                choice = rng.randrange(4)
                if choice == 0:
                    s.send(rng.randbytes(rng.randrange(1, 600)))
                elif choice == 1:
                    s.send(packet(rng.randrange(9), rng.choice(['', 'x' * 48, '../..', 'spammer', 'a\nb'])))
                elif choice == 2:
                    s.send(packet(HELLO, 'x', 'nothing'))
                else:
                    s.send(rng.randbytes(PACKET.size))
                sent += 1
            s.close()
        except OSError:
            pass
        try:
            for _ in range(50):
                spammer.send(packet(LOOK))
                sent += 1
        except OSError:
            pass
    print(sent)


def flood(r, work):
    def run(d, with_flood):
        tenants = [d.load('t%d' % i, 3, work_us=20000) for i in range(4)]
        d.wait_for_tenants(4)
        before, at = d.granted(), time.monotonic()
        child = None
        if with_flood:
            child = subprocess.Popen([sys.executable, os.path.join(ROOT, 'tests', 'arbiter', 'run'), '--flood', d.socket], text=True,
                                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        time.sleep(2)
        after, took = d.granted(), time.monotonic() - at
        share = [(after['t%d' % i] - before['t%d' % i]) / took for i in range(4)]
        sent = int(child.communicate()[0] or 0) if child else 0
        return ends(tenants), share, sent

    def attempt():
        with Gtmuxd(work) as d:
            _, quiet, _ = run(d, False)
            loud, share, attempt.sent = run(d, True)
            attempt.alive = d.process.poll() is None
        attempt.jain = jain(share)
        attempt.lost = sum(t['begun'] - t['done'] for t in loud)
        return sum(share) / sum(quiet)  # gaps between two grants count

    value, runs = best_of(attempt, lambda v: v >= 0.95 and attempt.jain >= 0.99)
    r.check(value >= 0.95 and attempt.alive, 'bad: engine time of 4 tenants under a flood of packets',
            '%.1f %% of without, at least 95 %%; %d packets%s' % (100 * value, attempt.sent, runs))
    r.check(attempt.jain >= 0.99 and not attempt.lost, 'bad: and their shares', 'Jain %.5f, %d requests lost' % (
        attempt.jain, attempt.lost))


def malformed(r, work):
    with Gtmuxd(work) as d:
        for what, data in (('short', b'x'), ('long', b'x' * 600), ('wrong version', b'\x01\0\0\0\x07' + b'\0' * 283)):
            s = seqpacket(d.socket)
            s.send(data)
            s.settimeout(2)
            try:
                gone = s.recv(4096) == b''
            except ConnectionResetError:
                gone = True
            r.check(gone, 'bad: a packet that is %s ends the connection' % what, 'closed' if gone else 'open')
        child = subprocess.Popen([sys.executable, '-c', 'import sys; sys.argv=["x"]; sys.path.insert(0, %r)\n'
                                  'import socket, time\ns = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n'
                                  's.connect(%r); s.send(bytes.fromhex(%r)); s.recv(4096); s.send(b"x"); time.sleep(9)'
                                  % (ROOT, d.socket, packet(HELLO, 'liar').hex())])
        code = child.wait(20)
        r.check(code == -signal.SIGKILL, 'bad: a registered tenant that sends one is stopped', 'exit code %d' % code)
