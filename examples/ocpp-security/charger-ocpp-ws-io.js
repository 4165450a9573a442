// SPDX-License-Identifier: Apache-2.0
//
// A charger of the npm package ocpp-ws-io. It boots, sends a heartbeat and goes.
//
// node charger-ocpp-ws-io.js PROFILE [NAME]

'use strict';
const { OCPPClient } = require('ocpp-ws-io');
const { profile, name, url, password, ca, cert, key } = require('./settings');

async function run() {
	const charger = new OCPPClient({
		endpoint: url, identity: name, protocols: ['ocpp1.6'], strictMode: true, reconnect: false, logging: false,
		securityProfile: profile,
		...(password && { password }), // it sends text, so the digits; the gateway takes both
		...(ca && { tls: { ca, cert, key } }),
	});

	charger.on('error', () => {}); // connect() tells of it
	await charger.connect();
	console.log(`${name} is connected by profile ${profile}: ${charger.protocol}`);
	const boot = await charger.call('ocpp1.6', 'BootNotification',
		{ chargePointVendor: 'Example', chargePointModel: 'One' });
	console.log(`boot: ${boot.status}`);
	await charger.call('ocpp1.6', 'Heartbeat', {});
	await charger.close();
}

run().catch((error) => {
	console.log(`not connected: ${error.message}`);
	process.exitCode = 1;
});
