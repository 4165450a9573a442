// SPDX-License-Identifier: Apache-2.0
// Requests to the gateway. The token is in this tab's session storage and in a header, never in a URL.
import {plain} from "./text.js";

const TOKEN = "gatehouse-token";
// More than the gateway takes (admin.call_timeout, 30 s), so that it says by itself what it waited for.
const PATIENCE_MS = 35000;

// Relative to the page: a proxy may have put something before all paths.
const BASE = new URL("../", location.href);

// What went wrong. kind: "away" (no answer), "token" (401), "forbidden" (403), "refused" (the rest).
export class ApiError extends Error {
	constructor(kind, text, {status = 0, problem = null} = {}) {
		super(text);
		this.kind = kind;
		this.status = status;
		this.problem = problem;
	}

	get reason() {
		return this.problem?.reason ?? "";
	}
}

export function token() {
	return sessionStorage.getItem(TOKEN);
}

// False: no header can have such characters, so it is no token.
export function setToken(text) {
	const trimmed = text.trim();
	if (!/^[\x21-\x7e]+$/.test(trimmed))
		return false;
	sessionStorage.setItem(TOKEN, trimmed);
	return true;
}

export function forgetToken() {
	sessionStorage.removeItem(TOKEN);
}

// "clients", ["ws", "a/b"] -> api/v1/clients/ws/a%2Fb
export function path(...names) {
	return "api/v1/" + names.map(encodeURIComponent).join("/");
}

// "." and ".." are taken out of each path by browsers, also as "%2E": nobody can ask for such a name here.
const isLost = (where) => where.split("/").some((part) => part === "." || part === "..");

function urlOf(where, query) {
	if (isLost(where))
		throw new ApiError("refused", "No browser can ask for a client or group that is called . or .., because it takes that out of " +
			"each address. curl --path-as-is can.");
	const url = new URL(where, BASE);
	for (const [name, value] of Object.entries(query ?? {}))
		if (value !== null && value !== undefined && value !== "")
			url.searchParams.set(name, value);
	return url;
}

function headersOf(type) {
	const headers = {};
	if (token() !== null)
		headers.Authorization = `Bearer ${token()}`;
	if (type !== null)
		headers["Content-Type"] = type;
	return headers;
}

// What a problem document says, with the value seen and the values allowed.
function textOf(status, problem) {
	if (problem === null)
		return `The gateway answered ${status}, without saying why.`;
	const seen = typeof problem.seen === "string" ? ` Seen: ${plain(problem.seen)}.` : "";
	const allowed = typeof problem.allowed === "string" ? ` Allowed: ${problem.allowed}.` : "";
	return `${problem.detail ?? problem.title ?? `Status ${status}.`}${seen}${allowed}`;
}

// One that begins or ends is as good as away, and so is a proxy that finds nobody behind it.
function kindOf(status, problem) {
	if (status === 401)
		return "token";
	if (status === 403)
		return "forbidden";
	const isAway = problem === null ? [502, 503, 504].includes(status) : ["starting", "stopping"].includes(problem.reason);
	return isAway ? "away" : "refused";
}

async function errorOf(response) {
	let problem = null;
	try {
		problem = await response.json();
	} catch {
		// A proxy's page, or nothing.
	}
	return new ApiError(kindOf(response.status, problem), textOf(response.status, problem), {status: response.status, problem});
}

function awayError(error, isOurs, patience) {
	if (isOurs)
		return error;
	const late = error.name === "TimeoutError";
	return new ApiError("away", late ? `There was no answer within ${patience / 1000} s.` :
		"The gateway does not answer.");
}

async function request(method, where, {query = null, body = null, type = null, patience = 0, signal}) {
	const url = urlOf(where, query);
	let response;
	try {
		response = await fetch(url, {
			method, body, signal, headers: headersOf(type), cache: "no-store", redirect: "error",
			credentials: "same-origin", referrerPolicy: "no-referrer",
		});
	} catch (error) {
		throw awayError(error, error.name === "AbortError", patience);
	}
	if (!response.ok)
		throw await errorOf(response);
	return response;
}

// The answer as JSON. options: query, body, type (of the body), signal, patience [ms].
export async function ask(method, where, {patience = PATIENCE_MS, signal = null, ...options} = {}) {
	const late = AbortSignal.timeout(patience);
	const either = signal === null ? late : AbortSignal.any([signal, late]);
	const response = await request(method, where, {...options, patience, signal: either});
	try {
		return await response.json();
	} catch (error) {
		throw awayError(error, error.name === "AbortError", patience);
	}
}

export const get = (where, query = null, signal = null) => ask("GET", where, {query, signal});
export const post = (where, value, options = {}) => ask("POST", where,
	{...options, body: JSON.stringify(value), type: "application/json"});

// An answer that does not end; response.body is read by the caller.
export const open = (where, query, signal) => request("GET", where, {query, signal});
