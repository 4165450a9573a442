// SPDX-License-Identifier: Apache-2.0
//
// What both chargers of this example need: node charger-....js PROFILE [NAME [KEYS [PLAIN_PORT TLS_PORT]]]

'use strict';
const fs = require('fs');
const path = require('path');

const [profile = '2', name = 'CP-1', keys = path.join(__dirname, 'keys'), plain = '8160', tls = '8163'] =
	process.argv.slice(2);

function file(one) {
	const full = path.join(keys, one);

	if (fs.existsSync(full))
		return fs.readFileSync(full);
	console.error(`${full} is not there: certificates.sh ${keys} ${name} makes it`);
	return process.exit(1);
}

/* As hexadecimal digits, which stand for octets. */
function password() {
	const line = file('chargers').toString().split('\n').find((one) => one.startsWith(`${name}:`));

	if (line === undefined) {
		console.error(`${path.join(keys, 'chargers')} has no line for ${name}: certificates.sh ${keys} ${name} writes one`);
		process.exit(1);
	}
	return line.slice(name.length + 1).trim();
}

module.exports = {
	profile: Number(profile),
	name,
	url: profile === '1' ? `ws://127.0.0.1:${plain}/profile1` : `wss://localhost:${tls}/profile${profile}`,
	password: profile === '3' ? undefined : password(),
	ca: profile === '1' ? undefined : file('authority.pem'),
	cert: profile === '3' ? file(`${name}.pem`) : undefined,
	key: profile === '3' ? file(`${name}.key`) : undefined,
};
