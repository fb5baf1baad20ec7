# SPDX-License-Identifier: GPL-2.0-only
"""A peer that garbles, cuts, stalls or resets the handshake at some byte: each gives
one of the documented errors and a sentence, and nothing stays behind."""
import errno
import socket
import struct
import subprocess
import threading

from lib import (CLIENT, DEADLINE, FAILED, OpensslServer, PKI, SERVER, connect,
                 handshake_works, listener, nothing_left, start, state, take_over, test, words)

# Of what the peer sends: inside the record header, the hello, the encrypted part
OFFSETS = [0, 1, 3, 5, 9, 40, 76, 100, 130, 140, 200, 500]
# A garbled length makes us wait for bytes that never come
EXPECTED = {
    "garble": {errno.EPROTO, errno.EKEYREJECTED, errno.ECONNRESET, errno.ETIMEDOUT},
    "repeat": {errno.EPROTO, errno.EKEYREJECTED, errno.ECONNRESET},
    "close": {errno.ECONNRESET},
    "reset": {errno.ECONNRESET},
    "stall": {errno.ETIMEDOUT},
}


def relay(source, sink, offset, action):
    """Passes bytes on until OFFSET, where ACTION happens to them."""
    passed = 0
    try:
        while True:
            data = source.recv(65536)
            if not data:
                break
            if offset is not None and passed + len(data) > offset:
                at = offset - passed
                sink.sendall(data[:at])
                if action == "garble":
                    sink.sendall(bytes([data[at] ^ 0x55]) + data[at + 1:])
                    offset = None
                elif action == "close":
                    sink.shutdown(socket.SHUT_WR)
                    return
                elif action == "reset":
                    sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    # Wakes the other thread, which would keep the connection open
                    sink.shutdown(socket.SHUT_RD)
                    sink.close()
                    return
                elif action == "stall":
                    return
                elif action == "repeat":
                    sink.sendall(data[at:at + 1] + data[at:])
                    offset = None
            else:
                sink.sendall(data)
            passed += len(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Proxy:
    """Between our socket and a peer; what comes from the peer is broken at OFFSET."""

    def __init__(self, port, offset, action):
        server, self.port = listener()
        self.ours = connect(self.port)
        self.middle, _ = server.accept()
        server.close()
        self.peer = connect(port)
        self.threads = [
            threading.Thread(target=relay, args=(self.peer, self.middle, offset, action)),
            threading.Thread(target=relay, args=(self.middle, self.peer, None, None))]
        for thread in self.threads:
            thread.start()

    def __enter__(self):
        return self.ours

    def __exit__(self, *_):
        self.ours.close()
        for sock in (self.middle, self.peer):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self.threads:
            thread.join()
        self.middle.close()
        self.peer.close()


def broken(port, role, offset, action):
    with Proxy(port, offset, action) as sock:
        # Short where it may be what ends the handshake
        seconds = 3 if errno.ETIMEDOUT in EXPECTED[action] else DEADLINE
        take_over(sock, timeout_ms=seconds * 1000)
        error = start(sock, role)
        where = f"{action} at {offset}: {errno.errorcode.get(error, error)}"
        assert error in EXPECTED[action], where
        assert words(sock), where
        assert state(sock) == FAILED, where
        # Never plaintext again
        try:
            sock.send(b"plaintext")
            raise AssertionError(f"{where}: send() went through")
        except BrokenPipeError:
            pass


def server_that(action, offsets, *arguments):
    with OpensslServer("-quiet", "-rev", *arguments) as server:
        for offset in offsets:
            broken(server.port, CLIENT, offset, action)
    nothing_left()


def client_that(action, offsets):
    """openssl s_client, whose bytes are broken on their way to us, the server."""
    for offset in offsets:
        entrance, port = listener()
        client = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-quiet", "-CAfile",
             f"{PKI}/ca.pem"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        # The proxy connects to a port; here the client comes to us
        inner, inner_port = listener()

        def join():
            theirs, _ = entrance.accept()
            ours, _ = inner.accept()
            back = threading.Thread(target=relay, args=(ours, theirs, None, None))
            back.start()
            relay(theirs, ours, None, None)
            back.join()
            theirs.close()
            ours.close()

        joiner = threading.Thread(target=join)
        joiner.start()
        try:
            broken(inner_port, SERVER, offset, action)
        finally:
            client.kill()
            client.wait()
            joiner.join()
            entrance.close()
            inner.close()
    nothing_left()


@test
def server_garbles_tls13():
    server_that("garble", OFFSETS)


@test
def server_garbles_tls12():
    server_that("garble", [0, 5, 9, 40, 100, 500, 700], "-tls1_2")


@test
def server_closes():
    server_that("close", OFFSETS)


@test
def server_resets():
    server_that("reset", [0, 5, 100, 140, 500])


@test
def server_stalls():
    server_that("stall", [0, 5, 140])


@test
def server_repeats_a_byte():
    server_that("repeat", [0, 5, 100])


@test
def client_garbles():
    client_that("garble", [0, 1, 5, 9, 50, 200])


@test
def client_closes():
    client_that("close", [0, 4, 5, 100, 250])


@test
def client_stalls():
    client_that("stall", [0, 100])


@test
def noise_instead_of_a_server():
    server, port = listener()
    for seed in range(8):
        with connect(port) as sock:
            peer, _ = server.accept()
            # A fixed sequence of bytes, different each time
            noise = bytes((i * 131 + seed * 89 + (i >> 3)) & 0xff for i in range(4096))
            peer.sendall(noise if seed else b"HTTP/1.0 400 Bad Request\r\n\r\n")
            take_over(sock, timeout_ms=5000)
            error = start(sock, CLIENT)
            assert error in EXPECTED["garble"], (seed, errno.errorcode.get(error, error))
            assert words(sock)
            peer.close()
    server.close()
    nothing_left()
    handshake_works()
