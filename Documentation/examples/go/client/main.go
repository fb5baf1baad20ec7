// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-3-Clause

// Fetches / from a web server over TLS: client HOST PORT
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"tlshandoff"
)

func fetch(host, port string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := tlshandoff.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err = io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return err
	}
	_, err = io.Copy(os.Stdout, conn)
	return err
}

func main() {
	err := fmt.Errorf("usage: client HOST PORT")
	if len(os.Args) == 3 {
		err = fetch(os.Args[1], os.Args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}
