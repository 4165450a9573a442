// SPDX-License-Identifier: Apache-2.0
// Numbers and times for people. null and undefined: not known.

const UNKNOWN = "–";

const isKnown = (value) => typeof value === "number" && Number.isFinite(value);

// 12,345
export function count(value) {
	return isKnown(value) ? Math.round(value).toLocaleString("en-US") : UNKNOWN;
}

// Three digits or more.
function short(value) {
	const text = value.toFixed(Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);
	return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

function scaled(value, step, names) {
	let at = 0;
	while (Math.abs(value) >= step * 0.9995 && at < names.length - 1) {
		value /= step;
		at++;
	}
	return {text: short(value), unit: names[at]};
}

// 12.3 k
export function brief(value) {
	if (!isKnown(value))
		return UNKNOWN;
	if (Math.abs(value) < 10000)
		return Number.isInteger(value) ? count(value) : short(value);
	const {text, unit} = scaled(value, 1000, ["", " k", " M", " G", " T"]);
	return text + unit;
}

// 12.3 MiB
export function bytes(value) {
	if (!isKnown(value))
		return UNKNOWN;
	const {text, unit} = scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]);
	return `${text} ${unit}`;
}

export const perSecond = (value) => isKnown(value) ? `${brief(value)}/s` : UNKNOWN;
export const bytesPerSecond = (value) => isKnown(value) ? `${bytes(value)}/s` : UNKNOWN;
export const percent = (share) => isKnown(share) ? `${short(share * 100)} %` : UNKNOWN;

// 2 d 3 h; 4 m 5 s; 6.7 s; 8 ms; 9 µs
export function duration(seconds) {
	if (!isKnown(seconds))
		return UNKNOWN;
	if (seconds === 0)
		return "0 s";
	if (seconds < 0.001)
		return `${short(seconds * 1e6)} µs`;
	if (seconds < 1)
		return `${short(seconds * 1e3)} ms`;
	if (seconds < 60)
		return `${short(seconds)} s`;
	const whole = Math.floor(seconds);
	const [days, hours] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24];
	const minutes = Math.floor(whole / 60) % 60;
	if (days > 0)
		return hours > 0 ? `${days} d ${hours} h` : `${days} d`;
	if (hours > 0)
		return minutes > 0 ? `${hours} h ${minutes} m` : `${hours} h`;
	return whole % 60 > 0 ? `${minutes} m ${whole % 60} s` : `${minutes} m`;
}

const two = (number) => String(number).padStart(2, "0");

// 23:59:58, of this browser's zone
export function clock(ms, withParts = false) {
	const date = new Date(ms);
	const text = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
	return withParts ? `${text}.${String(date.getMilliseconds()).padStart(3, "0")}` : text;
}

// 2026-11-30 23:59:58
export function dateTime(ms) {
	const date = new Date(ms);
	if (Number.isNaN(date.getTime()))
		return UNKNOWN;
	return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(ms)}`;
}

// A value of the limits table in its own unit.
export function inUnit(value, unit) {
	if (!isKnown(value))
		return UNKNOWN;
	if (unit === "bytes")
		return bytes(value);
	if (unit === "bytes/s")
		return bytesPerSecond(value);
	return unit === "" ? count(value) : `${count(value)} ${unit}`;
}

// Round numbers from 0 to at least `most`, about `wanted` steps. Of bytes, round ones of 1024.
export function ticks(most, wanted = 4, isBytes = false) {
	const top = most > 0 ? most : 1;
	const base = isBytes ? 1024 : 10;
	let unit = Math.pow(base, Math.floor(Math.log(top / wanted) / Math.log(base)));
	if (!isBytes && unit < 1 && most >= 1 && top / wanted < 1)
		unit = Math.max(unit, 0.1);
	const steps = isBytes ? [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024] : [1, 2, 5, 10];
	const step = unit * (steps.find((factor) => top / (unit * factor) <= wanted) ?? base);
	const found = [];
	for (let at = 0; at <= Math.ceil(top / step - 1e-9); at++)
		found.push(at * step);
	return found;
}

// Round times between two, in ms: at full seconds, minutes, quarters of this browser's zone.
export function timeTicks(from, to, wanted = 5) {
	const steps = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600].map((s) => s * 1000);
	const step = steps.find((one) => (to - from) / one <= wanted) ?? 7200000;
	const offset = new Date(from).getTimezoneOffset() * 60000;
	const found = [];
	for (let at = Math.ceil((from - offset) / step) * step + offset; at <= to; at += step)
		found.push(at);
	return found;
}
