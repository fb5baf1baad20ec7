// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-3-Clause
// Says hello to everyone who comes:
//	tls-handoff run --server-ports 8443 -- node server.js 8443
require('node:http').createServer((request, response) => response.end('hello\n'))
	.listen(process.argv[2]);
