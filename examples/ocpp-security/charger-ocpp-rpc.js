// SPDX-License-Identifier: Apache-2.0
//
// A charger of the npm package ocpp-rpc. It boots, sends a heartbeat and goes.
//
// node charger-ocpp-rpc.js PROFILE [NAME]

'use strict';
const { RPCClient } = require('ocpp-rpc');
const { profile, name, url, password, ca, cert, key } = require('./settings');

async function run() {
	const charger = new RPCClient({
		endpoint: url, identity: name, protocols: ['ocpp1.6'], strictMode: true, reconnect: false,
		...(password && { password: Buffer.from(password, 'hex') }), // the octets, as OCPP has it
		wsOpts: { ca, cert, key },
	});

	await charger.connect();
	console.log(`${name} is connected by profile ${profile}: ${charger.protocol}`);
	const boot = await charger.call('BootNotification', { chargePointVendor: 'Example', chargePointModel: 'One' });
	console.log(`boot: ${boot.status}`);
	await charger.call('Heartbeat', {});
	await charger.close();
}

run().catch((error) => {
	console.log(`not connected: ${error.message}`);
	process.exitCode = 1;
});
