# SPDX-License-Identifier: GPL-2.0-only
"""tls-handoff metrics: OpenMetrics to the letter, and numbers that say what happened."""
import errno

from lib import CLIENT, OpensslServer, connect, listener, test, until
from openmetrics import Malformed, parse
from rig import BOB, begin, outcome, secure_pair, take_ticket, tcp_pair, tool
import rig

BROKEN = [
    "",
    "# EOF",
    "# TYPE a counter\n# HELP a b\na_total 1\n",
    "\n# EOF\n",
    "a_total 1\n# EOF\n",
    "# TYPE a counter\na_total 1\n# EOF\n",
    "# TYPE a counter\n# HELP a b\na 1\n# EOF\n",
    "# TYPE a counter\n# HELP a b\na_total -1\n# EOF\n",
    "# TYPE a counter\n# HELP a b\na_total 1\na_total 2\n# EOF\n",
    "# TYPE a counter\n# TYPE a counter\n# HELP a b\na_total 1\n# EOF\n",
    "# TYPE a counter\n# HELP a b\na_total 1\n# EOF\n# EOF\n",
    "# TYPE a count\n# HELP a b\na_total 1\n# EOF\n",
    "# TYPE a gauge\n# HELP a b\na{b=c} 1\n# EOF\n",
    '# TYPE a gauge\n# HELP a b\na{b="c",b="c"} 1\n# EOF\n',
    '# TYPE a gauge\n# HELP a b\na{b="c\\d"} 1\n# EOF\n',
    "# TYPE a gauge\n# UNIT a seconds\n# HELP a b\na 1\n# EOF\n",
    "# TYPE a gauge\n# HELP a b\na 1\n# TYPE b gauge\n# HELP b b\nb 1\n"
    "# TYPE a gauge\n# EOF\n",
    '# TYPE a histogram\n# HELP a b\na_bucket{le="1.0"} 1\na_count 1\na_sum 1\n# EOF\n',
    '# TYPE a histogram\n# HELP a b\na_bucket{le="1"} 1\na_bucket{le="+Inf"} 1\na_count 1\n'
    "a_sum 1\n# EOF\n",
    '# TYPE a histogram\n# HELP a b\na_bucket{le="1.0"} 2\na_bucket{le="+Inf"} 1\na_count 1\n'
    "a_sum 1\n# EOF\n",
    '# TYPE a histogram\n# HELP a b\na_bucket{le="+Inf"} 1\na_count 2\na_sum 1\n# EOF\n',
    "# TYPE a counter\n# HELP a b\n# TYPE a_total gauge\n# HELP a_total b\n# EOF\n",
]


def read(uid=0):
    return parse(tool("metrics", uid=uid))


def value(families, family, suffix="", **labels):
    return families[family].samples.get((suffix, tuple(sorted(labels.items()))), 0)


def total(families, family, **labels):
    return value(families, family, "_total", **labels)


@test
def the_reader_refuses_what_is_malformed():
    for text in BROKEN:
        try:
            parse(text)
        except Malformed:
            continue
        raise AssertionError(f"taken as good: {text!r}")
    parse('# TYPE a gauge\n# HELP a b\na{b="c\\"d\\\\"} 1\n# EOF\n')


@test
def the_text_is_openmetrics_for_everybody():
    families = read()
    assert value(families, "tls_handoff_up") == 1
    assert families["tls_handoff_build"].samples, "no version"
    assert families.keys() == read(uid=BOB).keys()


@test
def handshakes_are_counted_with_their_duration():
    before = read()
    client, server = secure_pair()
    with client, server:
        after = read()
        for role in ("client", "server"):
            done = sum(total(after, "tls_handoff_handshakes", role=role, result=kind) -
                       total(before, "tls_handoff_handshakes", role=role, result=kind)
                       for kind in ("full", "resumed"))
            assert done == 1, (role, done)
            durations = sum(
                value(after, "tls_handoff_handshake_duration_seconds", suffix, role=role,
                      kind=kind) -
                value(before, "tls_handoff_handshake_duration_seconds", suffix, role=role,
                      kind=kind)
                for kind in ("full", "resumed") for suffix in ("_count",))
            assert durations == 1, (role, durations)
            established = sum(number for (_, labels), number
                              in after["tls_handoff_sessions"].samples.items()
                              if ("state", "established") in labels and ("role", role) in labels
                              and ("version", "1.3") in labels)
            assert established == 1, (role, established)
        assert value(after, "tls_handoff_established_sessions") == 2
        assert total(after, "tls_handoff_established") == \
            total(before, "tls_handoff_established") + 2


@test
def failures_and_alerts_are_counted_by_reason():
    before = read()
    with OpensslServer("-rev", certificate="rogue") as server, connect(server.port) as sock:
        begin(sock, CLIENT)
        assert outcome(sock) == errno.EKEYREJECTED
    client, peer = tcp_pair()
    with client, peer:
        begin(client, CLIENT, profile="alices")
        assert outcome(client) == errno.EACCES
    after = read()
    for reason in ("EKEYREJECTED", "EACCES"):
        grown = total(after, "tls_handoff_handshake_failures", role="client", reason=reason) - \
            total(before, "tls_handoff_handshake_failures", role="client", reason=reason)
        assert grown == 1, (reason, grown)
    grown = total(after, "tls_handoff_alerts", direction="sent", alert="unknown_ca") - \
        total(before, "tls_handoff_alerts", direction="sent", alert="unknown_ca")
    assert grown == 1, grown


@test
def resumption_and_signatures_are_counted():
    tool("tickets", "flush")
    before = read()

    def once():
        client, server = secure_pair(listening=listening)
        with client, server:
            take_ticket(client)
        return total(read(), "tls_handoff_resumptions", role="client") > \
            total(before, "tls_handoff_resumptions", role="client")

    with listener()[0] as listening:
        until(once, "a handshake is resumed")
    after = read()
    assert total(after, "tls_handoff_resumptions", role="server") > \
        total(before, "tls_handoff_resumptions", role="server")
    assert total(after, "tls_handoff_tickets_issued") > total(before, "tls_handoff_tickets_issued")
    assert total(after, "tls_handoff_signatures", result="done") > \
        total(before, "tls_handoff_signatures", result="done")
    resumed = "resumed"
    assert total(after, "tls_handoff_handshakes", role="server", result=resumed) > \
        total(before, "tls_handoff_handshakes", role="server", result=resumed)


@test
def labels_do_not_grow_with_peers_profiles_or_users():
    def kinds():
        return {(name, key) for name, family in read().items() for key in family.samples}

    def some(number):
        client, peer = tcp_pair()
        with client, peer:
            begin(client, CLIENT, profile=f"profile-{number}", name=f"peer-{number}.test")
            assert outcome(client) == errno.ENOENT

    some(0)
    before = kinds()
    for number in range(1, 6):
        some(number)
    assert kinds() == before, kinds() ^ before
    assert len(before) < 400, len(before)
    assert "peer-" not in tool("metrics") and "profile-" not in tool("metrics")


@test
def limits_are_shown_in_metrics_and_status():
    with open("/proc/sys/net/tls_handoff/max_pending_per_user") as file:
        limit = int(file.read())
    assert value(read(), "tls_handoff_max_pending_handshakes", of="user") == limit
    assert f"{limit} of one user" in tool("status"), tool("status")


@test
def tlshd_that_has_ended_is_seen():
    rig.daemon.stop()
    try:
        text = tool("metrics", status=4)
        exposition, _, message = text.partition("# EOF\n")
        families = parse(exposition + "# EOF\n")
        assert value(families, "tls_handoff_up") == 0 and "no tlshd" in message, message
        assert total(families, "tls_handoff_started") > 0
    finally:
        rig.daemon.start()
