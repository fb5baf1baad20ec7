// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-3-Clause
//! TLS for std's TCP sockets by the socket options of tls_handoff(7): no crate, no keys.

use std::ffi::{c_int, c_void};
use std::io::{Error, Result};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};

const IPPROTO_TCP: c_int = 6;
const TCP_ULP: c_int = 31;
const SOL_TLS_HANDOFF: c_int = 0x7453;
const PEER_NAME: c_int = 2;
const ACCEPT_READY: c_int = 12;
const START: c_int = 32;
const ERROR: c_int = 68;
const CLIENT: u32 = 1;
const SERVER: u32 = 2;

extern "C" {
    fn setsockopt(fd: c_int, level: c_int, name: c_int, value: *const c_void, size: u32) -> c_int;
    fn getsockopt(
        fd: c_int,
        level: c_int,
        name: c_int,
        value: *mut c_void,
        size: *mut u32,
    ) -> c_int;
}

fn set(fd: RawFd, level: c_int, name: c_int, value: &[u8]) -> Result<()> {
    // SAFETY: the kernel reads as many bytes as the slice has
    match unsafe { setsockopt(fd, level, name, value.as_ptr().cast(), value.len() as u32) } {
        0 => Ok(()),
        _ => Err(Error::last_os_error()),
    }
}

/// Why a connection failed, in words, or `error` if the kernel has none.
fn why(fd: RawFd, error: Error) -> Error {
    let mut words = [0u8; 256];
    let mut size = words.len() as u32;
    // SAFETY: the kernel writes at most `size` bytes, and there how many
    match unsafe {
        getsockopt(
            fd,
            SOL_TLS_HANDOFF,
            ERROR,
            words.as_mut_ptr().cast(),
            &mut size,
        )
    } {
        0 if size > 0 => Error::new(
            error.kind(),
            String::from_utf8_lossy(&words[..size as usize]),
        ),
        _ => error,
    }
}

fn start(fd: RawFd, role: u32) -> Result<()> {
    set(fd, SOL_TLS_HANDOFF, START, &role.to_ne_bytes()).map_err(|error| why(fd, error))
}

/// Does the handshake on a connected, blocking stream, in which the server must prove to
/// be `host`.
pub fn client(stream: &TcpStream, host: &str) -> Result<()> {
    let fd = stream.as_raw_fd();
    set(fd, IPPROTO_TCP, TCP_ULP, b"tls_handoff")?;
    set(fd, SOL_TLS_HANDOFF, PEER_NAME, host.as_bytes())?;
    start(fd, CLIENT)
}

/// Makes `accept()` return connections that have done the handshake.
pub fn server(listener: &TcpListener) -> Result<()> {
    let fd = listener.as_raw_fd();
    set(fd, IPPROTO_TCP, TCP_ULP, b"tls_handoff")?;
    set(fd, SOL_TLS_HANDOFF, ACCEPT_READY, &1u32.to_ne_bytes())?;
    start(fd, SERVER)
}
