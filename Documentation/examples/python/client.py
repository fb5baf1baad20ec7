# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-3-Clause
# The same in Python: a plain socket, no ssl module.
import socket, sys

host, port = sys.argv[1:]
s = socket.create_connection((host, port))
s.setsockopt(socket.IPPROTO_TCP, 31, b"tls_handoff")    # TCP_ULP
s.setsockopt(0x7453, 2, host.encode())                  # TLS_HANDOFF_PEER_NAME
try:
    s.setsockopt(0x7453, 32, 1)                         # TLS_HANDOFF_START, client
except OSError as e:                                    # TLS_HANDOFF_ERROR: why, in words
    sys.exit(s.getsockopt(0x7453, 68, 256).decode() or e)
s.sendall(b"GET / HTTP/1.0\r\n\r\n")
while data := s.recv(65536):
    sys.stdout.buffer.write(data)
