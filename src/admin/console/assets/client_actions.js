// SPDX-License-Identifier: Apache-2.0
// What can be done to one client: send, call, close, groups, block. Each says what came of it.
import {ask, path, post} from "./api.js";
import {confirmed} from "./dialog.js";
import {el, labelled, newId, select, setText} from "./dom.js";
import {bytes, count} from "./format.js";
import {fromHex} from "./text.js";

const CODES = [["1000", "1000: done"], ["1001", "1001: going away"], ["1008", "1008: policy"],
	["1011", "1011: internal error"], ["1012", "1012: restart, come back"], ["1013", "1013: try again later"], ["other", "another"]];
const REASON_MAX = 123; // bytes: what a close frame has room for

const CALL_MS = 3610000; // more than admin.call_timeout can be: how long a call may take is for the gateway to say

const byteLength = (text) => new TextEncoder().encode(text).length;

// A form with a line for what came of it.
function form(title, fields, button, run, {isDangerous = false} = {}) {
	const told = el("p", {class: "outcome", role: "status"});
	const id = newId("action");
	const submit = el("button", {type: "submit", class: isDangerous ? "danger" : "main"}, button);
	const element = el("form", {class: "action", "aria-labelledby": id}, el("h3", {id}, title), fields,
		el("div", {class: "row"}, submit, told));
	element.addEventListener("submit", async (event) => {
		event.preventDefault();
		submit.disabled = true;
		told.className = "outcome";
		setText(told, "…");
		try {
			setText(told, await run() ?? "");
		} catch (error) {
			told.classList.add("bad");
			setText(told, error.message);
		}
		submit.disabled = false;
	});
	return element;
}

export class Actions {
	constructor(app, route, id, onChange) {
		Object.assign(this, {app, route, id, onChange});
		const rpc = app.node?.routes.find((one) => one.name === route)?.rpc ?? null;
		this.element = el("section", {class: "card", "aria-labelledby": "actions"}, el("h2", {id: "actions"}, "Do something"),
			el("div", {class: "actions"}, this.#send(), rpc === null ? null : this.#call(rpc), this.#group(),
				this.#close(), this.#block()));
	}

	update(client) {
		this.client = client;
	}

	#path(...rest) {
		return path("clients", this.route, this.id, ...rest);
	}

	#send() {
		const text = el("textarea", {rows: "3", spellcheck: "false"});
		const type = select([["text", "text"], ["hex", "binary, in hexadecimal"]], "text");
		return form("Send a message", [labelled("Message", text), labelled("Type", type)], "Send", async () => {
			const isText = type.value === "text";
			const body = isText ? text.value : fromHex(text.value);
			if (body === null)
				throw new Error("This is not hexadecimal: pairs of the digits 0 to 9 and a to f are.");
			const result = await ask("POST", this.#path("messages"),
				{body, query: {type: isText ? "text" : "binary"},
					type: isText ? "text/plain; charset=utf-8" : "application/octet-stream"});
			this.onChange();
			return `Delivered to its queue: ${bytes(result.bytes)}.`;
		});
	}

	// In the framing of the route: OCPP-J has actions with a payload, JSON-RPC methods with parameters.
	#call(rpc) {
		const names = rpc === "ocpp-j" ? {what: "action", with: "payload"} : {what: "method", with: "params"};
		const action = el("input", {type: "text", autocomplete: "off", spellcheck: "false", required: true});
		const payload = el("textarea", {rows: "3", spellcheck: "false"}, "{}");
		const answer = el("pre", {hidden: true, tabindex: "0", "aria-label": "The answer"});
		return form(`Call (${rpc})`, [labelled(rpc === "ocpp-j" ? "Action" : "Method", action),
			labelled(rpc === "ocpp-j" ? "Payload, JSON" : "Parameters, JSON", payload), answer], "Call", async () => {
			let value;
			try {
				value = JSON.parse(payload.value === "" ? "{}" : payload.value);
			} catch (error) {
				throw new Error(`This is not JSON: ${error.message}`);
			}
			answer.hidden = true;
			const result = await post(this.#path("call"), {[names.what]: action.value, [names.with]: value}, {patience: CALL_MS});
			answer.hidden = false;
			setText(answer, JSON.stringify(result, null, 2));
			return "It has answered.";
		});
	}

	#group() {
		const name = el("input", {type: "text", autocomplete: "off", spellcheck: "false", required: true});
		const what = select([["PUT", "join"], ["DELETE", "leave"]], "PUT");
		return form("Groups", [labelled("It shall", what), labelled("Group", name)], "Do it", async () => {
			const result = await ask(what.value, path("groups", name.value, "members", this.route, this.id));
			this.onChange();
			return {joined: "It has joined.", already_member: "It was in it already.", left: "It has left.",
				was_no_member: "It was not in it."}[result.result] ?? JSON.stringify(result);
		});
	}

	#close() {
		const code = select(CODES, "1000");
		const other = el("input", {type: "number", min: "1000", max: "4999", value: "4000"});
		const otherField = labelled("Code", other, {hint: "3000 to 4999, or one that a server may send"});
		otherField.hidden = true;
		code.addEventListener("change", () => { otherField.hidden = code.value !== "other"; });
		const reason = el("input", {type: "text", autocomplete: "off", maxlength: String(REASON_MAX)});
		const hint = "the client reads it; at most 123 bytes";
		return form("Close", [labelled("Code", code), otherField, labelled("Reason", reason, {hint})],
			"Close …", async () => {
				if (byteLength(reason.value) > REASON_MAX)
					throw new Error(`The reason has ${byteLength(reason.value)} bytes; a close frame has room for ${REASON_MAX}.`);
				const number = Number(code.value === "other" ? other.value : code.value);
				if (!await confirmed("Close this client?", ["It is sent ", String(number),
					". Most clients come back by themselves; to keep it out, block it."], "Close it", this.id))
					return "Nothing was done.";
				await post(this.#path("close"), {code: number, reason: reason.value});
				this.onChange();
				return "It was sent away.";
			}, {isDangerous: true});
	}

	#block() {
		const what = select([["client", "this client id"], ["address", "its address"]], "client");
		const time = select([["5m", "5 minutes"], ["1h", "1 hour"], ["1d", "1 day"], ["30d", "30 days"]], "1h");
		const reason = el("input", {type: "text", autocomplete: "off", maxlength: "200"});
		const fields = [labelled("Keep out", what), labelled("For", time),
			labelled("Why", reason, {hint: "for whoever looks at it later"})];
		return form("Block", fields, "Block …", async () => {
			const address = this.client?.remote.address;
			const isAddress = what.value === "address";
			if (isAddress && address === undefined)
				throw new Error("Its address is not known: it is not connected.");
			if (!await confirmed("Block?", [isAddress ? `Everybody who comes from ${address}` : "This client id",
				` is closed, and refused for ${time.selectedOptions[0].text}.`], "Block", isAddress ? address : this.id))
				return "Nothing was done.";
			const result = await post(path("blocks"), {...(isAddress ? {address} : {route: this.route, client_id: this.id}),
				for: time.value, ...(reason.value === "" ? {} : {reason: reason.value})});
			this.onChange();
			return `Blocked; ${count(result.closed)} closed. It can be let in again under Control.`;
		}, {isDangerous: true});
	}
}
