# SPDX-License-Identifier: GPL-2.0-only
"""The TPM disappears: a clear error on both sides. The last test, as it does not
come back."""
import errno
import os
import subprocess

from lib import (PKI, SERVER, kill, listener, nothing_left, start, take_over, test, until, words)


def serve(profile):
    """One handshake as the server with openssl s_client; errno, words, the client's output."""
    server, port = listener()
    client = subprocess.Popen(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", f"{PKI}/ca.pem"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    sock, _ = server.accept()
    server.close()
    with sock:
        take_over(sock, name=None, profile=profile)
        error = start(sock, SERVER)
        said = words(sock)
    output, _ = client.communicate(b"", timeout=60)
    return error, said, output.decode(errors="replace")


@test
def clear_error_on_both_sides():
    error, said, _ = serve("default")
    assert error == 0, said
    with open("/run/swtpm.pid") as file:
        pid = int(file.read())
    kill(pid)
    until(lambda: not os.path.exists(f"/proc/{pid}"), "swtpm ends")
    error, said, output = serve("default")
    assert error not in (0, errno.ETIMEDOUT), (error, said)
    assert "TPM" in said or "key" in said, said
    assert "alert internal error" in output or "alert number 80" in output, output
    nothing_left()


@test
def keys_in_files_still_work():
    error, said, _ = serve("soft")
    assert error == 0, said
    nothing_left()
