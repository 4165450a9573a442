// SPDX-License-Identifier: Apache-2.0
// What strangers wrote (ids, reasons, bodies, log lines), made harmless to read: characters that are
// not seen, or that turn the writing around, are shown by their number.

const ODD = new RegExp(String.raw`[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f` +
	String.raw`\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e0fff}]` +
	String.raw`|(?<!\p{Extended_Pictographic})\ufe0f`, "gu"); // of an emoji, fe0f has its place
// In a name, which has one line, also what looks like the blank that it is not.
const ODD_IN_LINE = /[\t\n\u00a0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000]/g;

const name = (character) =>
	"U+" + character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");

// The parts of `text`: [{text, odd}], where `odd` is the number of a character instead of it.
// `isLine`: there are no line breaks and tabs in it as well.
export function parts(text, isLine = true) {
	const whole = String(text);
	const found = [];
	let at = 0;
	const marks = [...whole.matchAll(ODD), ...(isLine ? whole.matchAll(ODD_IN_LINE) : [])]
		.sort((a, b) => a.index - b.index);
	for (const mark of marks) {
		if (mark.index > at)
			found.push({text: whole.slice(at, mark.index), odd: false});
		found.push({text: name(mark[0]), odd: true});
		at = mark.index + mark[0].length;
	}
	if (at < whole.length)
		found.push({text: whole.slice(at), odd: false});
	return found;
}

// The same as plain text, for attributes and titles.
export function plain(text, longest = 300) {
	const shown = parts(text).map((part) => part.odd ? `<${part.text}>` : part.text).join("");
	return shown.length > longest ? shown.slice(0, longest) + "…" : shown;
}

// Bytes of base64 as text if they are UTF-8 that can be read, else null.
export function decoded(base64) {
	const bytes = bytesOf(base64);
	try {
		const text = new TextDecoder("utf-8", {fatal: true, ignoreBOM: true}).decode(bytes);
		return parts(text, false).some((part) => part.odd) ? null : text;
	} catch {
		return null;
	}
}

export function bytesOf(base64) {
	return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

// "48 65 6c 6c 6f" or "48656c6c6f" as bytes; null: it is not hexadecimal.
export function fromHex(text) {
	const digits = text.replace(/[\s:]/g, "");
	if (digits.length % 2 !== 0 || /[^0-9a-f]/i.test(digits))
		return null;
	return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function toHex(bytes, most = 64) {
	const shown = Array.from(bytes.slice(0, most), (byte) => byte.toString(16).padStart(2, "0"));
	return shown.join(" ") + (bytes.length > most ? " …" : "");
}
