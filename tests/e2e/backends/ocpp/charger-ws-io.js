// SPDX-License-Identifier: Apache-2.0
//
// The same as charger.js, of the npm package ocpp-ws-io.
//
// node charger-ws-io.js URL IDENTITY SUBPROTOCOL [OPTIONS]

'use strict';
const fs = require('fs');
const readline = require('readline');
const { OCPPClient } = require('ocpp-ws-io');

const [endpoint, identity, subprotocol, given] = process.argv.slice(2);
const options = JSON.parse(given || '{}');
const tls = {};
for (const name of ['ca', 'cert', 'key'])
	if (options[name])
		tls[name] = fs.readFileSync(options[name]);

const client = new OCPPClient({
	endpoint, identity, protocols: [subprotocol], strictMode: true, reconnect: false, logging: false,
	securityProfile: options.profile || 0,
	// It sends a password as text; so these are the digits, where charger.js sends their octets.
	...(options.password && { password: options.password }),
	...(options.ca && { tls }),
});

function tell(...what) {
	process.stdout.write(`${JSON.stringify(what)}\n`);
}

client.handle(subprotocol, 'Reset', (call) => {
	tell('called', 'Reset', call.params);
	return { status: 'Accepted' };
});
client.on('close', ({ code }) => {
	tell('close', code);
	process.exit(0);
});
client.on('error', () => {}); // connect() tells of it

async function run() {
	await client.connect();
	tell('open', client.protocol);
	readline.createInterface({ input: process.stdin }).on('line', (line) => {
		client.call(subprotocol, ...JSON.parse(line)).then(
			(payload) => tell('answer', payload),
			(error) => tell('error', error.rpcErrorCode, error.message));
	}).on('close', () => client.close({ code: 1000 }));
}

run().catch((error) => {
	process.stdout.write(`${JSON.stringify(['failed', error.message])}\n`, () => process.exit(1));
});
