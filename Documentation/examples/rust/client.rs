// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-3-Clause
//! Fetches / from a web server over TLS: client HOST PORT

#[allow(dead_code)]
mod tls_handoff;

use std::io::{copy, stdout, Result, Write};
use std::net::TcpStream;

fn fetch(host: &str, port: &str) -> Result<()> {
    let mut stream = TcpStream::connect(format!("{host}:{port}"))?;
    tls_handoff::client(&stream, host)?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    copy(&mut stream, &mut stdout())?;
    Ok(())
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let done = match &args[..] {
        [_, host, port] => fetch(host, port).map_err(|error| error.to_string()),
        _ => Err("usage: client HOST PORT".to_string()),
    };
    if let Err(error) = done {
        eprintln!("client: {error}");
        std::process::exit(1);
    }
}
