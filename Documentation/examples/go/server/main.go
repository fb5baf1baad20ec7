// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-3-Clause

// Says hello to everyone who comes over TLS: server PORT
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"

	"tlshandoff"
)

func hello(conn net.Conn) {
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 4096)); err == nil {
		io.WriteString(conn, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello\n")
	}
}

func serve(port string) error {
	listener, err := tlshandoff.Listen(context.Background(), "tcp", ":"+port)
	if err != nil {
		return err
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go hello(conn)
	}
}

func main() {
	err := fmt.Errorf("usage: server PORT")
	if len(os.Args) == 2 {
		err = serve(os.Args[1])
	}
	fmt.Fprintln(os.Stderr, "server:", err)
	os.Exit(1)
}
