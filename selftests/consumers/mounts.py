#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""mounts.py FOLDER OPTIONS ADDRESS...: mounts the same export from each address at once,
in a thread each, on folders of FOLDER, and reads a file of each; prints what became of each
when it has."""
import ctypes
import itertools
import os
import sys
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
folder, options, addresses = sys.argv[1], sys.argv[2], sys.argv[3:]
barrier = threading.Barrier(len(addresses))
count = itertools.count(1)


def say(words):
    os.write(1, (words + "\n").encode())


def mount(address):
    where = os.path.join(folder, address)
    os.makedirs(where)
    barrier.wait()
    start = time.monotonic()
    data = f"{options},addr={address}"
    if libc.mount(b"server.test:/", where.encode(), b"nfs4", 0, data.encode()):
        error = os.strerror(ctypes.get_errno())
        say(f"{address}: {error} after {time.monotonic() - start:.1f} s")
        return
    try:
        with open(os.path.join(where, "words"), encoding="ascii") as words:
            if words.read() != "words\n":
                raise OSError("something else was read")
    except OSError as error:
        say(f"{address}: mounted, but {error}")
        return
    say(f"mounted {next(count)} after {time.monotonic() - start:.1f} s")


threads = [threading.Thread(target=mount, args=(address,)) for address in addresses]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
