# SPDX-License-Identifier: GPL-2.0-only
"""What these tests share: one tlshd, users, connections whose both ends are handed off,
and tls-handoff run by somebody."""
import ctypes
import errno
import json
import os
import re
import select
import socket
import struct
import subprocess
import tempfile

from lib import (CLIENT, DEADLINE, INFO, PKI, PROFILE, SERVER, SOL_TLS_HANDOFF, START, TCP_ULP,
                 connect, listener, take_over, until)

# Numbers that no other user has; "member" is in the group by the user database only
ALICE, BOB, MEMBER = 41001, 41002, 41003
GROUP = 41100
PR_SET_DUMPABLE = 4
CGROUPS = "cgroup2"  # where they are mounted, below the daemon's folder

CONF = f"""
[profile default]
certificate = {PKI}/peer.pem
private_key = {PKI}/peer.key
truststore = {PKI}/ca.pem
allow = user:root user:handoff-alice user:handoff-bob

[profile alices]
truststore = {PKI}/ca.pem
allow = user:handoff-alice

[profile groups]
truststore = {PKI}/ca.pem
allow = group:handoff-group

[profile cgroups]
truststore = {PKI}/ca.pem
allow = cgroup:/handoff/web

[profile open]
certificate = {PKI}/peer.pem
private_key = {PKI}/peer.key
truststore = {PKI}/ca.pem
"""

daemon = None  # the one that runs


def add_users():
    """To files that the run has for itself."""
    with open("/etc/group", "a") as file:
        file.write(f"handoff-group:x:{GROUP}:handoff-member\n")
    with open("/etc/passwd", "a") as file:
        for name, uid in (("alice", ALICE), ("bob", BOB), ("member", MEMBER)):
            file.write(f"handoff-{name}:x:{uid}:{uid}::/:/usr/sbin/nologin\n")


class Daemon:
    """tlshd, with its configuration, control socket and log in a folder of its own."""

    def __init__(self):
        global daemon
        self.folder = tempfile.mkdtemp()
        os.chmod(self.folder, 0o755)
        os.environ["TLSHD_RUNTIME_DIR"] = self.folder
        self.conf = os.path.join(self.folder, "tlshd.conf")
        self.log_path = os.path.join(self.folder, "log")
        self.process = None
        with open("/etc/passwd") as file:
            if "handoff-alice" not in file.read():
                add_users()
        self.configure("")
        os.mkdir(os.path.join(self.folder, CGROUPS))
        subprocess.run(["mount", "-t", "cgroup2", "none", os.path.join(self.folder, CGROUPS)],
                       check=True)
        daemon = self

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        subprocess.run(["umount", os.path.join(self.folder, CGROUPS)], check=False)

    def configure(self, more):
        with open(self.conf, "w") as file:
            file.write(CONF + more)

    def start(self):
        ready = self.log().count("tlshd: ready")
        with open(self.log_path, "a") as log:
            self.process = subprocess.Popen(["tlshd", "-s", "-v", "-c", self.conf],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(lambda: self.log().count("tlshd: ready") > ready, "tlshd is ready")

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
        self.process = None

    def log(self):
        try:
            with open(self.log_path, errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def lines(self, pattern):
        return [line for line in self.log().splitlines() if re.search(pattern, line)]

    def cgroup(self, path):
        """The folder of a control group, which is made."""
        full = os.path.join(self.folder, CGROUPS, path.lstrip("/"))
        os.makedirs(full, exist_ok=True)
        return full


def become(uid, gid, groups=()):
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    # so that /proc/self is still its own
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1)


def tool(*arguments, uid=0, status=0):
    """What tls-handoff prints, run by that user."""
    result = subprocess.run(["tls-handoff", *arguments], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, timeout=2 * DEADLINE, check=False,
                            preexec_fn=(lambda: become(uid, uid)) if uid else None)
    assert result.returncode == status, (result.returncode, result.stdout[-300:], result.stderr)
    return result.stdout if status == 0 else result.stdout + result.stderr


def sessions(*arguments, uid=0):
    return json.loads(tool("sessions", "--json", *arguments, uid=uid))


def in_child(function, *arguments):
    """The result of the function in a process of its own."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = {"result": function(*arguments)}
        except Exception as error:  # the parent says so
            answer = {"error": f"{type(error).__name__}: {error}"}
        os.write(write, json.dumps(answer).encode())
        os._exit(0)
    os.close(write)
    data = b""
    while chunk := os.read(read, 65536):
        data += chunk
    os.close(read)
    os.waitpid(pid, 0)
    answer = json.loads(data)
    assert "error" not in answer, answer["error"]
    return answer["result"]


def tcp_pair(listening=None):
    """Two ends; to the same listening socket, tickets of the last one are good."""
    own = listening or listener()[0]
    client = connect(own.getsockname()[1])
    server, _ = own.accept()
    if own is not listening:
        own.close()
    return client, server


def begin(sock, role, profile="default", name="server.test", timeout_ms=None):
    """START, which does not wait for its end."""
    take_over(sock, name if role == CLIENT else None, profile, timeout_ms)
    sock.setblocking(False)
    try:
        sock.setsockopt(SOL_TLS_HANDOFF, START, role)
    except BlockingIOError:
        pass


def outcome(sock):
    """0 or the errno with which the handshake ended."""
    poll = select.poll()  # there may be more descriptors than select() takes
    poll.register(sock, select.POLLOUT)
    if not poll.poll(DEADLINE * 1000):
        raise AssertionError("the handshake did not end")
    error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    sock.setblocking(True)
    return error


def secure_pair(profile="default", listening=None):
    """Both ends of a connection after the handshake."""
    client, server = tcp_pair(listening)
    begin(server, SERVER, profile)
    begin(client, CLIENT, profile)
    for sock in (client, server):
        error = outcome(sock)
        assert error == 0, errno.errorcode[error]
    return client, server


def session_id(sock):
    return struct.unpack("=Q", sock.getsockopt(SOL_TLS_HANDOFF, INFO, 8))[0]


def take_ticket(sock):
    """Reads as far as the server's first ticket, which comes when it likes."""
    def has_read():
        sock.setblocking(False)
        try:
            sock.recv(64)
        except BlockingIOError:
            pass
        sock.setblocking(True)
        info = sock.getsockopt(SOL_TLS_HANDOFF, INFO, 56)
        return struct.unpack_from("=Q", info, 48)[0] > 0  # records_diverted

    until(has_read, "a ticket comes")


def listen_tls(profile, role=SERVER):
    """A listening socket with START on it."""
    sock, port = listener()
    sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls_handoff")
    sock.setsockopt(SOL_TLS_HANDOFF, PROFILE, profile.encode())
    sock.setsockopt(SOL_TLS_HANDOFF, START, role)
    return sock, port
