# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-3-Clause
# A client with asyncio, whose sockets do not block: async_client.py HOST PORT
import asyncio, errno, socket, sys

async def start(s, role):
    """TLS_HANDOFF_START is like connect(2): asked again when writable, it says how it went."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            s.setsockopt(0x7453, 32, role)
        except BlockingIOError:                 # EINPROGRESS, EALREADY
            writable = loop.create_future()
            loop.add_writer(s, writable.set_result, None)
            try:
                await writable
            finally:
                loop.remove_writer(s)
        except OSError as e:
            if e.errno == errno.EISCONN:        # done
                return
            raise OSError(e.errno, s.getsockopt(0x7453, 68, 256).decode() or e.strerror)

async def open_tls(host, port):
    """As asyncio.open_connection(), with TLS."""
    loop = asyncio.get_running_loop()
    family, kind, protocol, _, address = (
        await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))[0]
    s = socket.socket(family, kind, protocol)
    try:
        s.setblocking(False)
        await loop.sock_connect(s, address)
        s.setsockopt(socket.IPPROTO_TCP, 31, b"tls_handoff")
        s.setsockopt(0x7453, 2, host.encode())
        await start(s, 1)
        return await asyncio.open_connection(sock=s)
    except BaseException:
        s.close()
        raise

async def main(host, port):
    reader, writer = await asyncio.wait_for(open_tls(host, port), 60)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    while data := await reader.read(65536):
        sys.stdout.buffer.write(data)
    writer.close()

try:
    asyncio.run(main(*sys.argv[1:]))
except OSError as e:
    sys.exit(e.strerror)
