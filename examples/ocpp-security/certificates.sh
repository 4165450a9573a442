#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes all that a gateway for chargers needs to be tried out: two authorities, what they sign, and
# the passwords of chargers. In earnest the keys of the authorities are kept elsewhere.
#
# Usage: certificates.sh DIRECTORY [CHARGER...]        (default: one charger, CP-1)
set -eu

directory=${1:?usage: certificates.sh DIRECTORY [CHARGER...]}
shift
[ $# -gt 0 ] || set -- CP-1
umask 077
mkdir -p "$directory"
cd "$directory"

# authority NAME TEXT: an authority, ten years.
authority()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
		-subj "/O=Example Charging/CN=$2" -addext basicConstraints=critical,CA:TRUE \
		-addext keyUsage=critical,keyCertSign,cRLSign -keyout "$1.key" -out "$1.pem"
}

# sign AUTHORITY NAME SUBJECT EXTENSIONS KEY...: a certificate and its key, one year.
sign()
{
	signer=$1 name=$2 subject=$3 extensions=$4
	shift 4
	openssl req -new -newkey "$@" -nodes -subj "$subject" -keyout "$name.key" -out "$name.csr"
	printf '%b' "$extensions" > "$name.ext"
	openssl x509 -req -in "$name.csr" -CA "$signer.pem" -CAkey "$signer.key" -CAcreateserial \
		-days 365 -extfile "$name.ext" -out "$name.pem"
	rm "$name.csr" "$name.ext"
}

# Whom chargers trust: the gateway's certificates, ECDSA and RSA side by side.
server='subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n'
authority authority "Example root"
sign authority gateway /CN=localhost "$server" ec -pkeyopt ec_paramgen_curve:prime256v1
sign authority gateway-rsa /CN=localhost "$server" rsa:2048

# Whom the gateway trusts: the chargers' certificates, with their ids as common names.
authority operator "Example operator"
: > chargers
for charger in "$@"; do
	sign operator "$charger" "/O=Example Charging/CN=$charger" 'extendedKeyUsage=clientAuth\n' \
		ec -pkeyopt ec_paramgen_curve:prime256v1
	# 20 random octets, as digits; a charger may send either.
	echo "$charger:$(openssl rand -hex 20)" >> chargers
done
