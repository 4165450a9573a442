// SPDX-License-Identifier: Apache-2.0
//
// A charge point of the npm package ocpp-rpc, in strict mode: whatever goes either way is held
// against the schemas of its OCPP version.
//
// node charger.js URL IDENTITY SUBPROTOCOL [OPTIONS]
//
// OPTIONS is JSON: "password" in hexadecimal digits, "ca", "cert" and "key" files of PEM, "profile" a number.
//
// On standard input: [action, payload] in a line, to be called. On standard output, a JSON array in
// a line: ["open", subprotocol], ["answer", payload], ["error", code, message],
// ["called", action, payload], ["invalid", message], ["close", code], ["failed", message].

'use strict';
const fs = require('fs');
const readline = require('readline');
const { RPCClient } = require('ocpp-rpc');

const [endpoint, identity, subprotocol, given] = process.argv.slice(2);
const options = JSON.parse(given || '{}');
const wsOpts = {};
for (const name of ['ca', 'cert', 'key'])
	if (options[name])
		wsOpts[name] = fs.readFileSync(options[name]);

const client = new RPCClient({
	endpoint, identity, protocols: [subprotocol], strictMode: true, reconnect: false, wsOpts,
	...(options.password && { password: Buffer.from(options.password, 'hex') }),
});

// What it answers, by action. An error of this kind is the client's own.
const answers = {
	Reset: () => ({ status: 'Accepted' }),
	GetConfiguration: ({ params }) => ({
		configurationKey: params.key.map((key) => ({ key, readonly: false, value: '300' })),
	}),
	GetVariables: ({ params }) => ({
		getVariableResult: params.getVariableData.map(({ component, variable }) => ({
			attributeStatus: 'Accepted', attributeValue: '300', component, variable,
		})),
	}),
};

function tell(...what) {
	process.stdout.write(`${JSON.stringify(what)}\n`);
}

for (const [action, answer] of Object.entries(answers)) {
	client.handle(action, (call) => {
		tell('called', action, call.params);
		return answer(call);
	});
}
client.on('strictValidationFailure', ({ error }) => tell('invalid', error.message));
client.on('close', ({ code }) => {
	tell('close', code);
	process.exit(0);
});

async function run() {
	await client.connect();
	tell('open', client.protocol);
	readline.createInterface({ input: process.stdin }).on('line', (line) => {
		client.call(...JSON.parse(line)).then(
			(payload) => tell('answer', payload),
			(error) => tell('error', error.rpcErrorCode, error.message));
	}).on('close', () => client.close({ code: 1000 }));
}

run().catch((error) => {
	process.stdout.write(`${JSON.stringify(['failed', error.message])}\n`, () => process.exit(1));
});
