#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-only
// A program without TLS in Node. program.js HOST PORT net sends standard input and prints
// as much as comes back, program.js HOST PORT serve is an echo.
const net = require('net');
const fs = require('fs');

const [host, port, what] = process.argv.slice(2);

function client()
{
	const data = fs.readFileSync(0);
	const connection = net.connect({ host, port: Number(port) });
	let left = data.length;

	connection.on('connect', () => connection.write(data));
	connection.on('data', (part) => {
		process.stdout.write(part);
		left -= part.length;
		if (left === 0)
			connection.end();
	});
	connection.on('error', (error) => console.error(error.message));
	connection.on('close', () => {
		process.exitCode = left === 0 ? 0 : 1;
	});
}

if (what === 'serve')
	net.createServer((connection) => connection.pipe(connection)).listen(Number(port), host);
else
	client();
