# SPDX-License-Identifier: GPL-2.0-only
"""tls-handoff sessions: to root everything, to a user its own, and nobody is held up."""
import os
import resource
import socket
import struct

from lib import (CLIENT, SERVER, SOL_TLS_HANDOFF, OpensslServer, handshake_works, listener, test,
                 until)
from rig import (ALICE, BOB, become, begin, in_child, outcome, secure_pair, session_id, sessions,
                 take_ticket, tcp_pair, tool)
import rig

REKEY = 33

NLMSG_DONE = 3
STALLED = 600


def by_id(sock, *arguments, **keywords):
    wanted = session_id(sock)
    return [s for s in sessions(*arguments, **keywords) if s["session_id"] == wanted]


@test
def root_sees_who_talks_to_whom():
    client, server = secure_pair()
    with client, server:
        one, other = by_id(client)[0], by_id(server)[0]
        assert one["role"] == "client" and other["role"] == "server", (one, other)
        for session in (one, other):
            assert session["state"] == "established", session
            assert session["version"] == "1.3" and session["cipher"].startswith("AES-"), session
            assert session["auth"] == "x509" and session["resumed"] is False, session
            assert session["uid"] == 0 and session["user"] == "root", session
            assert session["pid"] == os.getpid(), session
            assert session["programs"] == [{"pid": os.getpid(), "command": "python3"}], session
            assert session["handshake_usec"] > 0 and session["age_msec"] > 0, session
            assert session["age_msec"] >= session["handshake_usec"] // 1000, session
            assert session["tx_generation"] == session["rx_generation"] == 0, session
            assert session["errno"] == 0 and session["error"] == "", session
        assert one["local"] == other["remote"] and one["remote"] == other["local"], (one, other)
        assert one["local"] == "127.0.0.1:%d" % client.getsockname()[1], one
        assert one["peer_name"] == "server.test" == other["server_name"], (one, other)
        assert one["peer_identity"].startswith("dns:"), one
    until(lambda: not sessions(), "the sessions are gone")
    assert tool("sessions") == "no sessions\n"


@test
def the_table_has_a_line_for_each_session():
    client, server = secure_pair()
    with client, server:
        lines = tool("sessions").splitlines()
        assert lines[0].split()[:4] == ["ID", "ROLE", "STATE", "PROTOCOL"], lines[0]
        assert len(lines) == 3, lines
        row = lines[1 if lines[1].startswith(f"{session_id(client)} ") else 2]
        for word in ("client", "established", "1.3", "root", "default", "0/0",
                     f"python3/{os.getpid()}"):
            assert word in row.split(), (word, row)
        ends = {lines[0].index(title) for title in ("STATE", "PROFILE", "PEER")}
        assert all(line[end - 1] == " " for line in lines for end in ends), lines


@test
def key_updates_are_seen_as_key_update_generations():
    client, server = secure_pair()
    with client, server:
        client.setsockopt(SOL_TLS_HANDOFF, REKEY, 0)
        client.sendall(b"x")
        assert server.recv(1) == b"x"
        until(lambda: by_id(client)[0]["tx_generation"] == 1, "the client has a new key")

        def has_followed():
            server.setblocking(False)
            try:
                server.recv(1)
            except BlockingIOError:
                pass
            return by_id(server)[0]["rx_generation"] == 1

        until(has_followed, "the server has followed")


@test
def resumption_is_shown_of_a_session():
    def once():
        client, server = secure_pair(listening=listening)
        with client, server:
            take_ticket(client)
            return by_id(client)[0]["resumed"], by_id(server)[0]["resumed"]

    with listener()[0] as listening:
        assert once() == (False, False)
        until(lambda: once() == (True, True), "a handshake is resumed")


@test
def a_failed_session_is_listed_with_its_reason():
    with OpensslServer("-rev", certificate="rogue") as server:
        sock = socket.create_connection(("127.0.0.1", server.port))
        with sock:
            begin(sock, CLIENT)
            assert outcome(sock) != 0
            session = by_id(sock)[0]
            assert session["state"] == "failed" and session["errno"] == 129, session
            assert "untrusted" in session["verify"] and session["error"], session
            assert session["alert_sent"] == "unknown_ca", session
            row = [line for line in tool("sessions").splitlines() if " failed " in line]
            assert len(row) == 1 and session["error"] in row[0], row


def users_list(uid):
    """What a user sees while it has a session of its own: (its id, the list)."""
    become(uid, uid)
    client, server = secure_pair()
    with client, server:
        return [session_id(client), session_id(server)], sessions()


@test
def a_user_sees_its_own_sessions_and_no_others():
    client, server = secure_pair()
    with client, server:
        own, seen = in_child(users_list, ALICE)
        assert sorted(s["session_id"] for s in seen) == sorted(own), (own, seen)
        assert {s["uid"] for s in seen} == {ALICE}, seen
        assert {s["user"] for s in seen} == {"handoff-alice"}, seen
        # and of those of root's that are open not one
        assert sessions(uid=BOB) == []
        assert tool("sessions", uid=BOB) == "no sessions\n"
        until(lambda: {s["uid"] for s in sessions()} == {0}, "the user's sessions are gone")


def raw_list(uid):
    """All that the control socket gives a user, as bytes."""
    become(uid, uid)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control:
        control.connect(os.path.join(rig.daemon.folder, "control"))
        control.send(b"sessions")
        data = b""
        while piece := control.recv(65536):
            data += piece
    return data.hex()


@test
def not_a_byte_of_anothers_session_is_sent():
    client, server = tcp_pair()
    with client, server:
        begin(client, CLIENT, name="secret.name.test")
        until(lambda: by_id(client), "the session is listed")
        data = bytes.fromhex(in_child(raw_list, BOB))
        assert data.startswith(b"ok\n") and len(data) < 64, data
        assert b"secret.name.test" in bytes.fromhex(in_child(raw_list, 0))


@test
def filters_choose_by_state_user_profile_and_peer():
    client, server = secure_pair()
    stalled, silent = tcp_pair()
    with client, server, stalled, silent:
        begin(stalled, CLIENT, profile="open", name="other.test")
        until(lambda: by_id(stalled), "the stalled one is listed")
        ours = {session_id(client), session_id(server)}

        def ids(*arguments):
            return {s["session_id"] for s in sessions(*arguments)}

        assert ids("--state", "established") == ours
        assert ids("--state", "handshake") == {session_id(stalled)}
        assert ids("--state", "failed") == set()
        assert ids("--profile", "open") == {session_id(stalled)}
        assert ids("--profile", "ope") == set()
        assert ids("--user", "root") == ours | {session_id(stalled)}
        assert ids("--user", "0", "--profile", "default") == ours
        assert ids("--user", "handoff-alice") == set()
        assert ids("--peer", "other.test") == {session_id(stalled)}
        assert ids("--peer", "OTHER.test") == {session_id(stalled)}
        assert ids("--peer", "127.0.0.1") == ours | {session_id(stalled)}
        assert ids("--peer", "127.0.0.1:%d" % client.getpeername()[1]) == {session_id(client)}
        assert ids("--peer", "127.0.0") == set()


def netlink_messages(pieces):
    """The types of the messages in a list of pieces."""
    for piece in pieces:
        while piece:
            length, kind = struct.unpack_from("=IH", piece)
            assert 16 <= length <= len(piece), (length, len(piece))
            yield kind
            piece = piece[(length + 3) & ~3:]


@test
def a_reader_that_waits_holds_no_handshake_up():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, max(8192, limit[1])))
    pairs = []
    try:
        for _ in range(STALLED):
            pair = tcp_pair()
            pairs.append(pair)
            begin(pair[1], SERVER, timeout_ms=600000)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control:
            control.connect(os.path.join(rig.daemon.folder, "control"))
            control.send(b"sessions")
            # it says nothing more until it is read
            client, server = secure_pair()
            with client, server:
                assert len(sessions()) == STALLED + 2, len(sessions())
            pieces = []
            while piece := control.recv(65536):
                pieces.append(piece)
        assert pieces[0] == b"ok\n", pieces[0]
        kinds = list(netlink_messages(pieces[1:]))
        assert kinds[-1] == NLMSG_DONE and kinds.count(NLMSG_DONE) == 1, kinds[-3:]
        assert len(kinds) - 1 >= STALLED, len(kinds)
        assert max(map(len, pieces)) <= 32768, max(map(len, pieces))
        assert len(sessions("--state", "handshake")) == STALLED
    finally:
        for pair in pairs:
            for sock in pair:
                sock.close()
    until(lambda: not sessions(), "the sessions are gone")


def flood():
    """As nobody: what is not a request, requests without end, and many connections."""
    become(65534, 65534)
    path = os.path.join(rig.daemon.folder, "control")
    answers = set()
    held = []
    for i in range(300):
        control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            control.connect(path)
            control.send(os.urandom(1 + i % 200) if i % 3 else b"sessions")
            if i % 2:
                answers.add(control.recv(65536)[:5])
        except OSError:
            pass
        if i % 5:
            control.close()
        else:
            held.append(control)
    return sorted(a.decode(errors="replace") for a in answers)


def descriptors():
    return len(os.listdir(f"/proc/{rig.daemon.process.pid}/fd"))


@test
def a_flood_of_a_users_requests_harms_nobody():
    before = descriptors()
    answers = in_child(flood)
    assert set(answers) <= {"error", "ok\n", ""}, answers
    handshake_works()
    until(lambda: not sessions(), "the sessions are gone")
    assert "established" in tool("status")
    until(lambda: descriptors() <= before, f"{descriptors()} descriptors, there were {before}")


@test
def what_changes_something_is_roots_alone():
    generation = rig.daemon.log().count("configuration reloaded")
    for command in (["reload"], ["tickets", "flush"], ["tickets", "rotate"]):
        assert "only root may do this" in tool(*command, uid=ALICE, status=1)
    assert "tickets issued" in tool("tickets", uid=ALICE)
    assert rig.daemon.log().count("configuration reloaded") == generation
    tool("tickets", "flush")
