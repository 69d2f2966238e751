"""Deaths and upgrades of gtmuxd, deaths of tenants, memory and admission."""
import os
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

from world import BIN, REAL_CONFIG, HELLO, WELCOME, Gtmuxd, ends, Vgpu, packet, seqpacket


# ---- survival

def kill_gtmuxd(r, work):
    with Gtmuxd(work) as d:
        tenants = [d.load('t%d' % i, 4.5) for i in range(4)]
        d.wait_for_tenants(4)
        time.sleep(1)
        d.kill()
        time.sleep(1)
        d.start()
        at = time.monotonic()
        back = d.wait_for_tenants(4)
        took = time.monotonic() - at
        out = ends(tenants)
    r.check(all(t.get('begun') == t.get('done') for t in out), 'survival: kill -9 of gtmuxd under load: requests lost',
            '%d of %d' % (sum(t['begun'] - t['done'] for t in out), sum(t['begun'] for t in out)))
    r.check(back and all(t['attached'] for t in out), 'survival: the tenants register with the next gtmuxd',
            'after %.2f s' % took)


def kill_tenant(r, work):
    with Gtmuxd(work) as d:
        tenants = [d.load('t%d' % i, 4) for i in range(3)]
        victim = d.load('victim', 20, work_us=1000000)
        d.wait_for_tenants(4)
        time.sleep(0.5)
        victim.kill()
        victim.communicate()
        a, at = d.granted(), time.monotonic()
        time.sleep(1)
        b, took = d.granted(), time.monotonic() - at
        out = ends(tenants)
    use = sum(b[n] - a[n] for n in a if n in b) / took
    r.check(use >= 0.95, 'survival: kill -9 of a tenant that has the engine',
            '%.1f %% of the next second is used by the others, at least 95 %%' % (100 * use))
    r.check(all(t.get('begun') == t.get('done') for t in out), 'survival: requests of the others that are lost',
            '%d of %d' % (sum(t['begun'] - t['done'] for t in out), sum(t['begun'] for t in out)))


def device_model(r, work):
    """gtmux-dm in its sandbox, which may connect to nobody."""
    with Gtmuxd(work) as d:
        log = open(os.path.join(d.dir, 'dm.log'), 'w+')
        dm = subprocess.Popen([os.path.join(BIN, 'gtmux-dm'), '--name=guest', '--run-dir=' + d.dir, '--sandbox=on',
                               *(['--user=nobody'] if os.geteuid() == 0 else []),
                               '--vfio-user=' + os.path.join(d.dir, 'vfio')], stderr=log)
        try:
            r.check(d.wait_for_tenants(1), 'survival: a dm registers when it starts', d.stats()['tenants'][:1])
            d.kill()
            d.start()
            r.check(d.wait_for_tenants(1), 'survival: a dm in its sandbox registers with the next gtmuxd', 'yes')
            d.gtmux('set', 'guest', 'weight=250')
            d.stop()
            d.start()
            back = d.wait_for_tenants(1) and d.stats()['tenants'][0]['weight']
            r.check(back == 250, 'survival: what was set is set after an upgrade of gtmuxd', 'weight %s' % back)
            r.check(dm.poll() is None, 'survival: and the dm has lived through it', 'runs')
        finally:
            dm.terminate()
            code = dm.wait(20)
        r.check(code == 0, 'survival: the dm ends as ever', 'exit code %d' % code)
        log.close()


def upgrade(r, work):
    """SIGUSR2: another program in the same process, with the same sockets, while tenants work and others come."""
    with Gtmuxd(work) as d:
        tenants = [d.load('t%d' % i, 3.5) for i in range(4)]
        d.wait_for_tenants(4)
        d.gtmux('set', 't0', 'weight=250')
        with open(d.config) as f:
            good = f.read()
        with open(d.config, 'w') as f:
            f.write(good + '[nonsense]\n')
        d.process.send_signal(signal.SIGUSR2)
        for _ in range(100):
            if 'no upgrade' in d.text():
                break
            time.sleep(0.02)
        r.check('no upgrade' in d.text() and len(d.stats()['tenants']) == 4,
                'survival: no upgrade to a gtmuxd that does not like the configuration', d.text().strip().splitlines()[-1][-120:])
        with open(d.config, 'w') as f:
            f.write(good + '[profile new]\n')
        ended, refused = threading.Event(), []

        def knock():
            while not ended.is_set():
                try:
                    seqpacket(d.socket).close()
                except OSError as e:
                    refused.append(str(e))
                time.sleep(0.002)

        knocker = threading.Thread(target=knock)
        knocker.start()
        before = d.stats()['uptime_s']
        d.process.send_signal(signal.SIGUSR2)
        at = time.monotonic()
        while d.text().count('gtmuxd: info: ready') < 2 and time.monotonic() < at + 5:
            time.sleep(0.01)
        took = time.monotonic() - at
        back = d.wait_for_tenants(4)
        all_back = time.monotonic() - at
        ended.set()
        knocker.join()
        stats, alive = d.stats(), d.process.poll() is None
        weight = next((t['weight'] for t in stats['tenants'] if t['name'] == 't0'), None)
        out = ends(tenants)
        r.check(alive and stats['uptime_s'] < before and 'new' in d.gtmux('profiles').stdout,
                'survival: upgrade of gtmuxd in place', 'the same process, ready after %.0f ms' % (1000 * took))
        r.check(back and weight == 250 and not refused, 'survival: its tenants are back, as they were set, and nobody was refused',
                'after %.2f s, weight %s, %d refused' % (all_back, weight, len(refused)))
        r.check(all(t.get('begun') == t.get('done') for t in out), 'survival: requests lost by the upgrade', '%d of %d' % (
            sum(t['begun'] - t['done'] for t in out), sum(t['begun'] for t in out)))
        code = d.stop()
        r.check(code == 0 and not os.path.exists(d.socket), 'survival: at its end the sockets are removed', 'exit code %d' % code)


def activation(r, work):
    """As systemd starts it: sockets that are there already, and a word when it is ready."""
    path = tempfile.mkdtemp(dir=work)
    tenants, admin = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET), socket.socket(socket.AF_UNIX)
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(os.path.join(path, 'notify'))
    notify.settimeout(5)
    for s, name in ((tenants, 'gtmuxd.sock'), (admin, 'gtmuxd.admin')):
        s.bind(os.path.join(path, name))
        s.listen(8)
    early = seqpacket(os.path.join(path, 'gtmuxd.sock'))  # before there is a gtmuxd
    early.send(packet(HELLO, 'early'))
    fds = {3: os.dup(tenants.fileno()), 4: os.dup(admin.fileno())}
    high = {k: os.dup2(v, 200 + k) for k, v in fds.items()}
    p = subprocess.Popen(['bash', '-c', 'exec 3<&203 4<&204 203<&- 204<&-; export LISTEN_PID=$$ LISTEN_FDS=2; exec "$0" "$@"',
                          os.path.join(BIN, 'gtmuxd'), '--run-dir=' + path, '--quiet'], pass_fds=list(high.values()),
                         env=dict(os.environ, NOTIFY_SOCKET=os.path.join(path, 'notify'), WATCHDOG_USEC='300000'))
    try:
        word = notify.recv(100)
        early.settimeout(5)
        kind = struct.unpack_from('=I', early.recv(4096))[0]
        r.check(b'READY=1' in word and kind == WELCOME, 'survival: sockets of systemd, a tenant that came before gtmuxd',
                'admitted')
        words = [notify.recv(100) for _ in range(3)]
        p.send_signal(signal.SIGSTOP)
        time.sleep(0.1)
        notify.setblocking(False)
        try:
            while notify.recv(100):
                pass
        except BlockingIOError:
            pass
        time.sleep(0.4)
        try:
            quiet = not notify.recv(100)
        except BlockingIOError:
            quiet = True
        p.send_signal(signal.SIGCONT)
        r.check(words == [b'WATCHDOG=1'] * 3 and quiet, 'survival: the watchdog hears of a gtmuxd that works, and only of one',
                '%d words, none while it is stopped' % len(words))
    finally:
        p.terminate()
        code = p.wait(10)
        for fd in list(fds.values()) + list(high.values()):
            os.close(fd)
        for s in (tenants, admin, notify, early):
            s.close()
    r.check(code == 0 and os.path.exists(os.path.join(path, 'gtmuxd.sock')), 'survival: it leaves them for the next one',
            'exit code %d' % code)


# ---- memory

def memory(r, work):
    """Work that reaches more pages than the quota has is stopped as hung work is; what comes next has its quota again."""
    with Gtmuxd(work, REAL_CONFIG + '[profile tight]\nmemory = 8\n') as d, \
            open(os.path.join(d.dir, 'dm.log'), 'w+') as log:
        vgpus = [Vgpu(d, 'hog', log, '--profile=tight'), Vgpu(d, 'other', log)]
        try:
            d.wait_for_tenants(2)
            for v in vgpus:
                v.boot()
                v.hear('booted')
            hog, other = vgpus
            work = hog.does('pages 1000')
            r.check(work.get('right') == 1000 and not work['lost'], 'memory: 4 of 8 MiB', '%d of 1000 pages written' % work.get(
                'right', 0))
            work = hog.does('pages 4000')
            log.seek(0)
            line = [text for text in log if 'quota of 8 MiB' in text]
            r.check(work.get('lost') == 1 and work['right'] < 2048 and line, 'memory: 16 of 8 MiB are not to be had',
                    '%d of 4000 pages written; log: %s' % (work.get('right', 0), line[0].strip() if line else 'nothing'))
            seen = {t['name']: t for t in d.stats()['tenants']}
            r.check(seen['hog']['memory_refusals'] > 0 and not seen['other']['memory_refusals'],
                    'memory: gtmuxd is told', '%.1f MiB of %.0f, %d refusals; heap %.1f MiB' % (
                        seen['hog']['memory_bytes'] / 2**20, seen['hog']['memory_quota_bytes'] / 2**20,
                        seen['hog']['memory_refusals'], seen['hog']['heap_bytes'] / 2**20))
            found = [v.does('work 4 1000').get('right') for v in vgpus]
            r.check(found == [4000, 4000], 'memory: after its reset the guest works again, and so does the other', '%s' % found)
            d.gtmux('set', 'hog', 'memory=64')
            time.sleep(0.1)
            work = hog.does('pages 4000')
            r.check(work.get('right') == 4000, 'memory: set memory=64', '%d of 4000 pages written' % work.get('right', 0))
        finally:
            codes = [v.end() for v in vgpus]
        r.check(codes == [0, 0], 'memory: the device models end', 'exit codes %s' % codes)


# ---- admission

def admission(r, work):
    def refused(d, why, **options):
        p = d.load(options.pop('name', 'late'), 1, **options)
        text = ends([p])[0].get('err', '')
        r.check(p.returncode != 0 and why in text, 'admission: ' + why, text.strip()[:150])

    with Gtmuxd(work, tenants=3) as d:
        d.gtmux('profiles')
        first = [d.load('one', 4, mode='interactive'), d.load('two', 4, mode='interactive', profile='standard')]
        d.wait_for_tenants(2)
        refused(d, 'there is no profile', profile='nothing')
        refused(d, 'is there already', name='one')
        refused(d, 'of GPU memory are taken', profile='huge')
        third = d.load('three', 2, mode='interactive')
        d.wait_for_tenants(3)
        refused(d, 'which is the limit')
        p = subprocess.run([os.path.join(BIN, 'gtmux-dm'), '--name=dm', '--run-dir=' + d.dir, '--profile=standard',
                            '--mode=1920x1200', '--mode=1024x768', '--vfio-user=' + os.path.join(d.dir, 's')],
                           capture_output=True, text=True, timeout=20)
        r.check(p.returncode == 2 and 'allows 1 heads' in p.stderr, 'admission: a dm with too many monitors does not start',
                p.stderr.strip()[-150:])
        ends(first + [third])
        dm = Vgpu(d, 'dm', subprocess.DEVNULL, '--profile=standard', '--mode=1024x768')
        try:
            d.wait_for_tenants(1)
            codes = [d.gtmux('head', 'dm', *a).returncode for a in (('0', 'mode=1920x1200'), ('0', 'mode=2048x1152'), ('1', 'on'),
                                                                    ('0', 'off'), ('1', 'on'))]
            r.check(codes == [0, 1, 1, 0, 0], 'admission: gtmux head keeps to the profile', 'exit codes %s' % codes)
        finally:
            dm.end()
