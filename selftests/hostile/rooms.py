# SPDX-License-Identifier: GPL-2.0-only
"""What each room knows, looked up in its memory: application data is in no daemon,
the secrets of a session are in the session handler and nowhere else."""
import os

from lib import (CLIENT, OpensslServer, connect, nothing_left, one_pid, start, take_over, test,
                 until, words)


def memory_has(pid, needle):
    """Whether the writable memory of a process has these bytes."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            fields = line.split()
            if "w" not in fields[1] or "[v" in line:
                continue
            begin, end = (int(x, 16) for x in fields[0].split("-"))
            for at in range(begin, end, 1 << 20):
                try:
                    memory.seek(at)
                    # With an overlap, as a needle may lie across two pieces
                    if needle in memory.read(min((1 << 20) + len(needle), end - at)):
                        return True
                except OSError:
                    break
    return False


def rooms():
    return {name: one_pid(name) for name in ("tlshd", "tlshd-session", "tlshd-keys")}


@test
def application_data_is_in_no_daemon():
    # Made at run time, so that it is in no file that a daemon could have read
    marker = b"marker-" + os.urandom(12).hex().encode()
    with OpensslServer("-quiet", "-rev") as server, connect(server.port) as sock:
        take_over(sock)
        assert start(sock, CLIENT) == 0, words(sock)
        for _ in range(200):
            sock.sendall(marker * 30 + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                answer += sock.recv(65536)
        assert answer[:-1][::-1] == marker * 30
        # The search works: this process has it
        assert memory_has(os.getpid(), marker)
        for name, pid in rooms().items():
            assert not memory_has(pid, marker), f"application data in {name}"
            assert not memory_has(pid, marker[::-1]), f"application data in {name}"
    nothing_left()


@test
def secrets_are_in_the_session_handler_alone():
    keylog = "/tmp/keylog"
    with OpensslServer("-quiet", "-rev", "-tls1_3", "-keylogfile", keylog) as server, \
            connect(server.port) as sock:
        take_over(sock)
        assert start(sock, CLIENT) == 0, words(sock)
        sock.sendall(b"abc\n")
        assert sock.recv(16) == b"cba\n"

        def traffic_secrets():
            with open(keylog) as file:
                lines = [line.split() for line in file if line[0] != "#"]
            found = {line[0]: line[2] for line in lines}
            return found if "SERVER_TRAFFIC_SECRET_0" in found else None

        secrets = until(traffic_secrets, "openssl's key log")
        os.unlink(keylog)
        where = rooms()
        for label in ("CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"):
            secret = bytearray.fromhex(secrets[label])
            assert memory_has(where["tlshd-session"], secret), f"no {label} to find at all"
            assert not memory_has(where["tlshd"], secret), f"{label} in tlshd"
            assert not memory_has(where["tlshd-keys"], secret), f"{label} in tlshd-keys"
        # What only the handshake needed is wiped when it is over
        for label in ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"):
            secret = bytearray.fromhex(secrets[label])
            for name, pid in where.items():
                assert not memory_has(pid, secret), f"{label} in {name}"
    nothing_left()
