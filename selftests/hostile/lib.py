# SPDX-License-Identifier: GPL-2.0-only
"""What these tests share: KTAP, sockets with tls_handoff,
the processes of the three rooms, openssl as the peer."""
import errno
import os
import select
import signal
import socket
import subprocess
import time

SOL_TLS_HANDOFF = 0x7453
TCP_ULP = 31
PROFILE, PEER_NAME, TIMEOUT, START = 1, 2, 10, 32
INFO, ERROR = 64, 68
CLIENT, SERVER = 1, 2
IDLE, HANDSHAKE, ESTABLISHED, CLOSED, FAILED = range(5)
PKI = "/etc/tlshd/pki"
DEADLINE = 30  # seconds that one wait may take on a slow machine
GAUGES = ["HandoffCurrSockets", "HandoffCurrPending", "HandoffCurrEstablished",
          "HandoffCurrSessionFds"]

tests = []


def test(function):
    """Adds a test; its name is the folder's, the module's and the function's."""
    path = os.path.splitext(os.path.abspath(function.__code__.co_filename))[0]
    folder, module = path.split(os.sep)[-2:]
    tests.append((f"{folder}.{module}.{function.__name__}", function))
    return function


def run(patterns):
    """Runs the tests whose name has one of the patterns in it, or all."""
    chosen = [t for t in tests if not patterns or any(p in t[0] for p in patterns)]
    failed = 0
    print(f"KTAP version 1\n1..{len(chosen)}", flush=True)
    for number, (name, function) in enumerate(chosen, 1):
        try:
            function()
            print(f"ok {number} {name}", flush=True)
        except Exception as error:  # whatever it is, it is this test's failure
            failed += 1
            where = error.__traceback__
            while where.tb_next:
                where = where.tb_next
            print(f"# {type(error).__name__}: {error} (line {where.tb_lineno})")
            print(f"not ok {number} {name}", flush=True)
    return 1 if failed or not chosen else 0


def until(condition, what, seconds=DEADLINE):
    """Waits for condition() to be true; what it returned."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        select.select([], [], [], 0.02)


def stat(name):
    """A counter of /proc/net/tls_handoff_stat."""
    with open("/proc/net/tls_handoff_stat") as file:
        for line in file:
            key, value = line.split()
            if key == name:
                return int(value)
    raise AssertionError(f"no counter {name}")


def nothing_left():
    """No socket, handshake or session fd is still there."""
    for gauge in GAUGES:
        until(lambda: stat(gauge) == 0, f"{gauge} is {stat(gauge)}")


def take_over(sock, name="server.test", profile=None, timeout_ms=None):
    """The options before START."""
    sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls_handoff")
    if name:
        sock.setsockopt(SOL_TLS_HANDOFF, PEER_NAME, name.encode())
    if profile:
        sock.setsockopt(SOL_TLS_HANDOFF, PROFILE, profile.encode())
    if timeout_ms:
        sock.setsockopt(SOL_TLS_HANDOFF, TIMEOUT, timeout_ms)


def start(sock, role):
    """START, and the end of the handshake; 0 or the errno. Without blocking: Python holds
    its lock in setsockopt(), and the threads that play the peer would stand still."""
    sock.setblocking(False)
    try:
        sock.setsockopt(SOL_TLS_HANDOFF, START, role)
        error = 0
    except OSError as failure:
        error = failure.errno
    if error == errno.EINPROGRESS:
        if not select.select([], [sock], [], DEADLINE)[1]:
            raise AssertionError("the handshake did not end")
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    sock.setblocking(True)
    return error


def words(sock):
    """The sentence of TLS_HANDOFF_ERROR."""
    return sock.getsockopt(SOL_TLS_HANDOFF, ERROR, 256).decode()


def state(sock):
    """tls_handoff_info.state"""
    return sock.getsockopt(SOL_TLS_HANDOFF, INFO, 256)[12]


def listener():
    """A listening socket and its port."""
    sock = socket.create_server(("127.0.0.1", 0))
    return sock, sock.getsockname()[1]


def connect(port):
    """A blocking TCP connection to loopback."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.settimeout(None)
    return sock


def pids(name):
    """Of the processes with this program name."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.path.basename(os.readlink(f"/proc/{entry}/exe")) == name:
                found.append(int(entry))
        except OSError:
            pass
    return found


def one_pid(name):
    return until(lambda: pids(name) if len(pids(name)) == 1 else None,
                 f"one process {name}, there are {pids(name)}")[0]


def kill(pid):
    os.kill(pid, signal.SIGKILL)


class OpensslServer:
    """openssl s_server on a port of its own; serves one connection after the other."""

    def __init__(self, *arguments, certificate="peer"):
        probe, self.port = listener()
        probe.close()
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-accept", str(self.port), "-cert",
             f"{PKI}/{certificate}.pem", "-key", f"{PKI}/{certificate}.key", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self.listens, "openssl s_server listens")

    def listens(self):
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def handshake_works():
    """One whole handshake against openssl: the daemons are well, or will be soon: after
    a crash they are started again with a delay, and until then START gives ESRCH."""
    with OpensslServer("-quiet", "-rev") as server:
        until(lambda: echoes(server.port), "handshakes work")


def echoes(port):
    with connect(port) as sock:
        take_over(sock)
        error = start(sock, CLIENT)
        if error == errno.ESRCH:
            return False
        assert error == 0, f"{errno.errorcode[error]}: {words(sock)}"
        sock.sendall(b"abc\n")
        answer = sock.recv(16)
        assert answer == b"cba\n", answer
        return True
