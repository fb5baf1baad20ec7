# SPDX-License-Identifier: GPL-2.0-only
"""tls-handoff status: whether module and daemons are well."""
import errno
import json
import os
import signal

from lib import CLIENT, handshake_works, test, until
from rig import ALICE, BOB, become, begin, in_child, outcome, secure_pair, sessions, tcp_pair, tool
import rig


def status(uid=0):
    return json.loads(tool("status", "--json", uid=uid))


def name_of(pid):
    with open(f"/proc/{pid}/comm") as file:
        return file.read().strip()


@test
def names_processes_versions_and_counts():
    client, server = secure_pair()
    with client, server:
        now = status()
        tlshd = now["tlshd"]
        assert now["module"]["loaded"] and now["module"]["sockets"] == 2, now
        assert tlshd["running"] and tlshd["registered"] and tlshd["usable"], tlshd
        assert tlshd["same_namespace"], tlshd
        assert tlshd["pid"] == rig.daemon.process.pid, tlshd
        assert name_of(tlshd["session_handler_pid"]) == "tlshd-session", tlshd
        assert name_of(tlshd["key_holder_pid"]) == "tlshd-keys", tlshd
        versions = {tlshd["version"], tlshd["session_handler_version"],
                    tlshd["key_holder_version"]}
        assert len(versions) == 1 and tool("--version").split()[1] in versions, versions
        assert now["sessions"]["established"] == 2, now
        lines = tool("status").splitlines()
        assert len(lines) <= 24, lines
        assert any("registered with the kernel" in line for line in lines), lines
    assert status(uid=BOB)["tlshd"]["pid"] == tlshd["pid"]


@test
def a_reload_that_failed_is_seen_and_its_mistake_only_by_root():
    rig.daemon.configure("\n[profile broken]\ncrl = /nonexistent\n")
    assert "/nonexistent" in tool("reload", status=1)
    tlshd = status()["tlshd"]
    assert tlshd["last_reload_result"] == "failed" and tlshd["reloads_failed"] == 1, tlshd
    assert "/nonexistent" in tlshd["last_reload_mistake"], tlshd
    assert "/nonexistent" in tool("status")
    theirs = status(uid=BOB)["tlshd"]
    assert theirs["last_reload_result"] == "failed", theirs
    assert theirs["last_reload_mistake"] == "", theirs
    rig.daemon.configure("")
    generation = tlshd["generation"]
    tool("reload")
    tlshd = status()["tlshd"]
    assert tlshd["last_reload_result"] == "done" and tlshd["reloads"] == 2, tlshd
    assert tlshd["generation"] > generation, tlshd


def refused(uid):
    def child():
        become(uid, uid)
        client, peer = tcp_pair()
        with client, peer:
            begin(client, CLIENT, profile="cgroups")
            return outcome(client)

    assert in_child(child) == errno.EACCES


@test
def the_last_errors_are_shown_to_whom_they_concern():
    refused(ALICE)
    refused(BOB)
    for uid in (ALICE, BOB):
        errors = status(uid=uid)["errors"]
        assert errors and {e["uid"] for e in errors} == {uid}, errors
        assert errors[0]["errno"] == "EACCES" and "cgroups" in errors[0]["error"], errors
    uids = [e["uid"] for e in status()["errors"]]
    assert uids[:2] == [BOB, ALICE], uids
    assert "EACCES" in tool("status")


@test
def a_session_handler_that_was_killed_is_replaced_in_the_status():
    handshake_works()
    pid = status()["tlshd"]["session_handler_pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: status()["tlshd"]["usable"] and
          status()["tlshd"]["session_handler_pid"] not in (0, pid), "another one is there")
    handshake_works()


@test
def without_tlshd_the_exit_status_is_4_and_root_asks_the_kernel():
    client, server = secure_pair()
    with client, server:
        rig.daemon.process.kill()
        rig.daemon.process.wait()
        rig.daemon.process = None
        text = tool("status", status=4)
        assert "none answers" in text and "no tlshd is running" in text, text
        assert "2 established" in text, text
        assert len(sessions()) == 2
        assert "no tlshd" in tool("sessions", uid=ALICE, status=4)
    rig.daemon.start()
    handshake_works()
