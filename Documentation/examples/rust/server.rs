// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-3-Clause
//! Says hello to everyone who comes over TLS: server PORT

#[allow(dead_code)]
mod tls_handoff;

use std::io::{Read, Result, Write};
use std::net::{TcpListener, TcpStream};

fn hello(mut stream: TcpStream) -> Result<()> {
    if stream.read(&mut [0; 4096])? > 0 {
        stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello\n")?;
    }
    Ok(())
}

fn serve(port: &str) -> Result<()> {
    let listener = TcpListener::bind(format!("[::]:{port}"))?;
    tls_handoff::server(&listener)?;
    loop {
        let (stream, peer) = listener.accept()?;
        std::thread::spawn(move || {
            hello(stream).unwrap_or_else(|error| eprintln!("server: {peer}: {error}"))
        });
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let Err(error) = (match &args[..] {
        [_, port] => serve(port).map_err(|error| error.to_string()),
        _ => Err("usage: server PORT".to_string()),
    }) else {
        return;
    };
    eprintln!("server: {error}");
    std::process::exit(1);
}
