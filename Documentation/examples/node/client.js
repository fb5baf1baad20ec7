// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-3-Clause
// Fetches / from a web server. Node gives no access to setsockopt(2), so this program
// knows nothing of TLS and is started by one that does:
//	tls-handoff run -- node client.js www.example 443
const http = require('node:http');
const net = require('node:net');

// Connecting includes the handshake now; 250 ms for each address may be too short
net.setDefaultAutoSelectFamilyAttemptTimeout(5000);

const [host, port] = process.argv.slice(2);
http.get({ host, port, agent: false }, (response) => response.pipe(process.stdout))
	.on('error', (error) => {
		console.error(`client: ${error.message}`);
		process.exitCode = 1;
	});
