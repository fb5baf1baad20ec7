# SPDX-License-Identifier: GPL-2.0-only
"""Who may use which profile: users, groups, control groups, owners of listening sockets.
Refused is who gets EACCES before a byte was sent; allowed, whom the peer hears."""
import ctypes
import errno
import os
import re
import select
import socket

from lib import CLIENT, DEADLINE, ERROR, SERVER, SOL_TLS_HANDOFF, connect, listener, test, until
from rig import (ALICE, BOB, GROUP, MEMBER, become, begin, in_child, listen_tls, outcome,
                 secure_pair, session_id, tcp_pair)
import rig

CLONE_NEWUSER = 0x10000000
# A ClientHello that is cut off: it is answered with an alert.
HELLO = bytes.fromhex("1603010009" "01000005" "0303000000")


def is_heard(peer):
    """Whether the peer gets a byte, not the end."""
    if not select.select([peer], [], [], DEADLINE)[0]:
        raise AssertionError("the peer hears nothing")
    try:
        return peer.recv(1) != b""
    except ConnectionResetError:
        return False


def verdict(sock, peer):
    """(0 or errno, the sentence)"""
    if is_heard(peer):
        return 0, ""
    sock.setblocking(False)
    return outcome(sock), words(sock)


def client_verdict(profile):
    """Of the caller as a client."""
    client, peer = tcp_pair()
    with client, peer:
        begin(client, CLIENT, profile)
        return verdict(client, peer)


def server_verdict(profile):
    """As a server, of which a peer wants something."""
    peer, server = tcp_pair()
    with peer, server:
        begin(server, SERVER, profile)
        peer.sendall(HELLO)
        return verdict(server, peer)


def words(sock):
    return sock.getsockopt(SOL_TLS_HANDOFF, ERROR, 512).decode()


def as_user(uid, judge, profile, gid=None, groups=()):
    def child():
        become(uid, uid if gid is None else gid, groups)
        return judge(profile)

    return in_child(child)


def expect_allowed(result):
    assert result[0] == 0, result


def expect_refused(result, profile, uid):
    assert result[0] == errno.EACCES, result
    assert f'"{profile}"' in result[1] and f"uid {uid} " in result[1], result


@test
def a_user_by_name():
    expect_allowed(as_user(ALICE, client_verdict, "alices"))
    expect_refused(as_user(BOB, client_verdict, "alices"), "alices", BOB)
    # The list is complete.
    expect_refused(as_user(0, client_verdict, "alices"), "alices", 0)


@test
def a_group_that_the_caller_runs_with():
    expect_allowed(as_user(BOB, client_verdict, "groups", gid=GROUP))
    expect_refused(as_user(BOB, client_verdict, "groups"), "groups", BOB)


@test
def a_group_that_the_user_database_gives_the_user():
    expect_allowed(as_user(MEMBER, client_verdict, "groups"))
    # A supplementary group that only the process has is not seen.
    expect_refused(as_user(BOB, client_verdict, "groups", groups=[GROUP]), "groups", BOB)


def in_cgroup(path, uid=ALICE):
    folder = rig.daemon.cgroup(path)

    def child():
        with open(os.path.join(folder, "cgroup.procs"), "w") as file:
            file.write(str(os.getpid()))
        become(uid, uid)
        return client_verdict("cgroups")

    return in_child(child)


@test
def a_control_group_and_those_below_it():
    expect_allowed(in_cgroup("/handoff/web"))
    expect_allowed(in_cgroup("/handoff/web/worker"))
    expect_refused(in_cgroup("/handoff/website"), "cgroups", ALICE)
    expect_refused(in_cgroup("/handoff"), "cgroups", ALICE)
    expect_refused(in_cgroup("/other/handoff/web"), "cgroups", ALICE)
    expect_refused(as_user(0, client_verdict, "cgroups"), "cgroups", 0)


@test
def without_allow_everybody_is_a_client_and_root_serves():
    expect_allowed(as_user(BOB, client_verdict, "open"))
    expect_refused(as_user(BOB, server_verdict, "open"), "open", BOB)
    expect_allowed(as_user(0, server_verdict, "open"))
    expect_allowed(as_user(BOB, server_verdict, "default"))


@test
def root_of_a_user_namespace_is_who_made_it():
    def child(judge, profile, mapped):
        become(ALICE, ALICE)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWUSER) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        if mapped:
            with open("/proc/self/uid_map", "w") as file:
                file.write(f"0 {ALICE} 1")
        assert os.getuid() == (0 if mapped else 65534), os.getuid()
        return judge(profile)

    # Whatever number it has there, mapped or not
    for mapped in (True, False):
        expect_refused(in_child(child, server_verdict, "open", mapped), "open", ALICE)
        expect_allowed(in_child(child, client_verdict, "alices", mapped))


def accepted_outcome(listening, port):
    """The verdict on a connection that is accepted."""
    with connect(port) as peer:
        server, _ = listening.accept()
        with server:
            peer.sendall(HELLO)
            return verdict(server, peer)


@test
def a_listening_sockets_owner_is_who_started_it():
    """Root has started it, somebody else accepts."""
    listening, port = listen_tls("open")

    def child():
        become(BOB, BOB)
        return accepted_outcome(listening, port)

    with listening:
        expect_allowed(in_child(child))


@test
def who_may_not_serve_may_not_by_a_listening_socket():
    """A user that is refused has started it; that root accepts is no help."""
    def child():
        become(BOB, BOB)
        listening, port = listen_tls("open")
        with listening:
            return accepted_outcome(listening, port)

    expect_refused(in_child(child), "open", BOB)
    # The same socket, accepted by root
    listening, port = listener()
    with listening:
        def start_it():
            become(BOB, BOB)
            listening.setsockopt(socket.IPPROTO_TCP, 31, b"tls_handoff")
            listening.setsockopt(SOL_TLS_HANDOFF, 1, b"open")
            listening.setsockopt(SOL_TLS_HANDOFF, 32, SERVER)

        in_child(start_it)
        expect_refused(accepted_outcome(listening, port), "open", BOB)


@test
def a_refusal_is_one_line_that_names_user_process_and_profile():
    def child():
        with open("/proc/self/comm", "w") as file:
            file.write("a\033[2J\nb")
        become(BOB, BOB)
        return os.getpid(), client_verdict("alices")

    pid, result = in_child(child)
    expect_refused(result, "alices", BOB)
    lines = until(lambda: rig.daemon.lines(f"pid {pid}, "), "a line about it")
    assert len(lines) == 1, lines
    assert re.search(rf"session \d+: client handshake failed: profile alices, .*uid {BOB}, "
                     rf"pid {pid}, command a\\x1b\[2J\\x0ab: EACCES: ", lines[0]), lines[0]


@test
def a_user_that_is_refused_often_does_not_fill_the_log():
    def child():
        become(MEMBER, MEMBER)
        return [client_verdict("alices")[0] for _ in range(25)]

    before = len(rig.daemon.lines(f"uid {MEMBER}, pid .*EACCES"))
    assert in_child(child) == [errno.EACCES] * 25
    # Another user's line comes after all of them.
    expect_refused(as_user(BOB, client_verdict, "cgroups"), "cgroups", BOB)
    until(lambda: rig.daemon.lines(f"profile cgroups, .*uid {BOB}, pid .*EACCES"), "a line")
    lines = rig.daemon.lines(f"uid {MEMBER}, pid .*EACCES")
    assert 10 <= len(lines) - before <= 20, len(lines)
    assert any("are not logged for some seconds" in line for line in lines), lines


@test
def a_handshake_is_one_line_with_the_sockets_session_id():
    client, server = secure_pair()
    with client, server:
        for sock, role in ((client, "client"), (server, "server")):
            pattern = f"session {session_id(sock)}: "
            lines = until(lambda: rig.daemon.lines(pattern), "a line about it")
            assert len(lines) == 1, lines
            assert f"{role} handshake done: profile default, peer 127.0.0.1:" in lines[0], lines


@test
def names_in_the_log_have_no_control_characters():
    client, peer = tcp_pair()
    with client, peer:
        begin(client, CLIENT, profile="a\033[2J\nb")
        assert outcome(client) == errno.ENOENT
        number = session_id(client)
        assert "a\\x1b[2J\\x0ab" in words(client), words(client)
    lines = until(lambda: rig.daemon.lines(f"session {number}: "), "a line about it")
    assert len(lines) == 1 and "profile a\\x1b[2J\\x0ab, " in lines[0], lines
