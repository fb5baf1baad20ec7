// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-3-Clause

// Package tlshandoff gives TCP connections TLS by the socket options of tls_handoff(7):
// no crypto/tls, no certificates and no keys in the program.
package tlshandoff

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// Of <linux/tcp.h> and <linux/tls_handoff.h>
const (
	tcpULP      = 31
	level       = 0x7453 // SOL_TLS_HANDOFF
	peerName    = 2
	acceptReady = 12
	start       = 32
	errorWords  = 68
	client      = 1
	server      = 2
)

// DialContext connects to "host:port" and does the TLS handshake, in which the server
// must prove to be host. It fits http.Transport.DialTLSContext.
func DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	var dialer net.Dialer
	dialer.SetMultipathTCP(false)
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	// The end of ctx wakes whoever waits on the connection
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	err = Client(conn.(*net.TCPConn), host)
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// Client does the handshake on a connection. Its write deadline holds.
func Client(conn *net.TCPConn, host string) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	failed := control(raw, func(fd int) error {
		if err := enable(fd); err != nil {
			return err
		}
		return os.NewSyscallError("setsockopt PEER_NAME",
			syscall.SetsockoptString(fd, level, peerName, host))
	})
	if failed != nil {
		return failed
	}
	// Go's sockets do not block: START says EINPROGRESS, and asked again when the socket
	// is writable, EISCONN or what went wrong.
	err = raw.Write(func(fd uintptr) bool {
		failed = syscall.SetsockoptInt(int(fd), level, start, client)
		return failed != syscall.EINPROGRESS && failed != syscall.EALREADY
	})
	if err != nil {
		return err
	}
	if failed == nil || failed == syscall.EISCONN {
		return nil
	}
	return fmt.Errorf("%s: %w", host, control(raw, func(fd int) error {
		if words := why(fd); words != "" {
			return errors.New(words)
		}
		return failed
	}))
}

// Listen returns a listener whose Accept returns connections that have done the
// handshake; those that fail in it are dropped.
func Listen(ctx context.Context, network, address string) (net.Listener, error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false) // Go's default for listeners, and no plain TCP
	listener, err := config.Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	raw, err := listener.(*net.TCPListener).SyscallConn()
	if err == nil {
		err = control(raw, func(fd int) error {
			if err := enable(fd); err != nil {
				return err
			}
			if err := syscall.SetsockoptInt(fd, level, acceptReady, 1); err != nil {
				return os.NewSyscallError("setsockopt ACCEPT_READY", err)
			}
			return os.NewSyscallError("setsockopt START",
				syscall.SetsockoptInt(fd, level, start, server))
		})
	}
	if err != nil {
		listener.Close()
		return nil, err
	}
	return listener, nil
}

func enable(fd int) error {
	return os.NewSyscallError("setsockopt TCP_ULP",
		syscall.SetsockoptString(fd, syscall.IPPROTO_TCP, tcpULP, "tls_handoff"))
}

func control(raw syscall.RawConn, do func(fd int) error) error {
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil {
		return err
	}
	return failed
}

// why is TLS_HANDOFF_ERROR: why the connection failed, in words.
func why(fd int) string {
	var words [256]byte
	size := uint32(len(words))
	_, _, errno := syscall.Syscall6(syscall.SYS_GETSOCKOPT, uintptr(fd), level, errorWords,
		uintptr(unsafe.Pointer(&words)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return ""
	}
	return string(words[:size])
}
