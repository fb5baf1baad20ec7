# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-3-Clause
# A web server of the standard library, over TLS: server.py PORT serves this folder.
import http.server, socket, sys

server = http.server.ThreadingHTTPServer(("", int(sys.argv[1])),
                                         http.server.SimpleHTTPRequestHandler)
server.socket.setsockopt(socket.IPPROTO_TCP, 31, b"tls_handoff")    # TCP_ULP
server.socket.setsockopt(0x7453, 12, 1)     # TLS_HANDOFF_ACCEPT_READY
server.socket.setsockopt(0x7453, 32, 2)     # TLS_HANDOFF_START, server
server.serve_forever()
