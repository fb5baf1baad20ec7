#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""mounts.py FOLDER OPTIONS ADDRESS...: mounts the same export from each address, all at once, on
folders of FOLDER, and reads a file of each. Prints what became of each when it has."""
import concurrent.futures
import ctypes
import os
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
folder, options, addresses = sys.argv[1], sys.argv[2], sys.argv[3:]


def mount(address):
    where = os.path.join(folder, address)
    os.makedirs(where)
    start = time.monotonic()
    data = f"{options},addr={address}"
    if libc.mount(b"server.test:/", where.encode(), b"nfs4", 0, data.encode()):
        result = os.strerror(ctypes.get_errno())
    else:
        try:
            with open(os.path.join(where, "words"), encoding="ascii") as words:
                result = "mounted" if words.read() == "words\n" else "something else was read"
        except OSError as error:
            result = f"mounted, but {error}"
    os.write(1, f"{address}: {result} after {time.monotonic() - start:.1f} s\n".encode())


with concurrent.futures.ThreadPoolExecutor(len(addresses)) as pool:
    list(pool.map(mount, addresses))
