#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Programs without TLS, one for each way to connect: program.py HOST PORT CASE... Most send
standard input and print what comes back, line for line. What takes long to import is
imported where it is used."""
import errno
import functools
import os
import select
import socket
import sys
import threading


@functools.cache
def standard_input():
    return sys.stdin.buffer.read()


def exchange(connection):
    """All of standard input to the peer, as much back to standard output."""
    data = standard_input()
    sender = threading.Thread(target=connection.sendall, args=(data,))
    sender.start()
    left = len(data)
    while left:
        part = connection.recv(65536)
        if not part:
            sys.exit(f"the peer ended with {left} bytes to come")
        left -= len(part)
        sys.stdout.buffer.write(part)
    sender.join()
    connection.close()


def blocking(host, port):
    exchange(socket.create_connection((host, port)))


def time_limit(host, port):
    """Python's time limits are non-blocking sockets and poll."""
    exchange(socket.create_connection((host, port), timeout=30))


def address(host, port):
    """A non-blocking socket, not connected, and where it is to go."""
    family, kind, protocol, _, where = socket.getaddrinfo(host, port,
                                                          type=socket.SOCK_STREAM)[0]
    connection = socket.socket(family, kind, protocol)
    connection.setblocking(False)
    return connection, where


def expect(what, wanted):
    if what != wanted:
        sys.exit(f"{errno.errorcode.get(what, what)} instead of {errno.errorcode[wanted]}")


def wait(connection, events):
    poll = select.poll()
    poll.register(connection, events)
    if not poll.poll(30000):
        sys.exit("nothing happened in 30 s")


def finish(connection):
    connection.setblocking(True)
    exchange(connection)


def connect_ex(host, port):
    """The classical way: EINPROGRESS, writable, SO_ERROR."""
    connection, where = address(host, port)
    expect(connection.connect_ex(where), errno.EINPROGRESS)
    wait(connection, select.POLLOUT)
    if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        sys.exit("SO_ERROR after writable")
    finish(connection)


def connect_repeated(host, port):
    """The other classical way: connect again until it says EISCONN."""
    connection, where = address(host, port)
    expect(connection.connect_ex(where), errno.EINPROGRESS)
    while (error := connection.connect_ex(where)) == errno.EALREADY:
        wait(connection, select.POLLOUT)
    expect(error, errno.EISCONN)
    finish(connection)


def asyncio_streams(host, port):
    import asyncio

    async def main():
        reader, writer = await asyncio.open_connection(host, port)
        data = standard_input()
        writer.write(data)
        sys.stdout.buffer.write(await reader.readexactly(len(data)))
        writer.close()
        await writer.wait_closed()

    asyncio.run(main())


def threads(host, port):
    """Eight at a time, each with a line of its own, and one for standard input."""
    def one(number):
        with socket.create_connection((host, port)) as connection:
            connection.sendall(b"%d abc\n" % number)
            if connection.recv(100) != b"cba %d\n" % number:
                os._exit(9)

    all_of_them = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in all_of_them:
        thread.start()
    blocking(host, port)
    for thread in all_of_them:
        thread.join()


def duplicate(host, port):
    """Another descriptor in another process is the same connection."""
    connection, where = address(host, port)
    connection.connect_ex(where)
    copy = connection.dup()
    connection.close()
    sys.stdout.flush()
    child = os.fork()
    if not child:
        wait(copy, select.POLLOUT)
        finish(copy)
        sys.stdout.flush()
        os._exit(0)
    copy.close()
    if os.waitpid(child, 0)[1]:
        sys.exit("the child failed")


def fast_open(host, port):
    """Data along with the SYN would be plaintext: refused, or only not sent early."""
    connection, where = address(host, port)
    try:
        connection.sendto(b"in plaintext", socket.MSG_FASTOPEN, where)
        sys.exit("MSG_FASTOPEN was taken")
    except OSError as error:
        expect(error.errno, errno.EOPNOTSUPP)
    connection.setsockopt(socket.SOL_TCP, 30, 1)    # TCP_FASTOPEN_CONNECT
    connection.setblocking(True)
    connection.connect(where)
    exchange(connection)


def serve(host, port):
    """An echo for one connection after the other."""
    with socket.create_server((host, port)) as listener:
        while True:
            connection, _ = listener.accept()
            while part := connection.recv(65536):
                connection.sendall(part)
            connection.close()


def asyncio_serve(host, port):
    import asyncio

    async def echo(reader, writer):
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
        writer.close()

    async def main():
        await (await asyncio.start_server(echo, host, port)).serve_forever()

    asyncio.run(main())


def memcached(host, port):
    with socket.create_connection((host, port)) as connection:
        connection.sendall(b"set colour 0 0 4\r\nblue\r\nget colour\r\nquit\r\n")
        while part := connection.recv(1000):
            sys.stdout.write(part.decode().replace("\r", ""))


def to_the_end(host, port):
    """Prints how the stream ends: by nothing, or by an error."""
    connection = socket.create_connection((host, port))
    try:
        while part := connection.recv(1000):
            os.write(1, part)
        print("the end: nothing")
    except OSError as error:
        print("the end:", errno.errorcode[error.errno])


def failures(host, port):
    """How a refused handshake looks to a blocking and to a non-blocking program."""
    connection, where = address(host, port)
    connection.setblocking(True)
    print("blocking:", errno.errorcode[connection.connect_ex(where)])
    try:
        connection.send(b"plaintext")
    except OSError as error:
        print("send:", errno.errorcode[error.errno])
    connection, where = address(host, port)
    expect(connection.connect_ex(where), errno.EINPROGRESS)
    wait(connection, select.POLLOUT)
    error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    print("non-blocking:", errno.errorcode.get(error, error))
    try:
        connection.send(b"plaintext")
    except OSError as error:
        print("send:", errno.errorcode[error.errno])


def refused(host, port):
    """Nobody listens there: as without us."""
    connection, where = address(host, port)
    print("non-blocking:", errno.errorcode[connection.connect_ex(where)])
    connection = socket.socket()
    print("blocking:", errno.errorcode[connection.connect_ex(where)])


def multipath(host, port):
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
    expect(connection.connect_ex((host, port)), errno.EOPNOTSUPP)
    print("refused")


def other_kinds(host, port):
    """UDP and AF_UNIX are none of our business, whatever the port."""
    one, other = socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM)
    one.bind((host, port))
    other.connect((host, port))
    other.send(b"datagram")
    print(one.recv(100).decode())
    one, other = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    one.bind("unix")
    one.listen()
    other.connect("unix")
    other.send(b"local")
    print(one.accept()[0].recv(100).decode())


def urllib_request(host, port):
    import urllib.request

    with urllib.request.urlopen(f"http://{host}:{port}/payload") as answer:
        sys.stdout.buffer.write(answer.read())


def main():
    for case in sys.argv[3:]:
        globals()[case](sys.argv[1], int(sys.argv[2]))


main()
