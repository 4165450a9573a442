// SPDX-License-Identifier: Apache-2.0
// Messages and log lines as they pass: at most so many a second, the last of them kept, and what was
// left out counted.
import {el, foreign, Frame, labelled, newId, replace, select, setText} from "./dom.js";
import {bytes, clock, count} from "./format.js";
import {linkTo} from "./clients.js";
import {bytesOf, decoded, toHex} from "./text.js";

const KEPT = 500;
const SAMPLES = [["5", "5"], ["20", "20"], ["100", "100"]];
const BODIES = [["0", "nothing"], ["256", "256 bytes"], ["1024", "1 KiB"], ["4096", "4 KiB"]];

function bodyOf(message) {
	if (typeof message.text === "string")
		return foreign(message.text, {isLine: false, tag: "code"});
	if (typeof message.base64 === "string" && message.base64 !== "") {
		const text = decoded(message.base64);
		return text === null ? el("code", {class: "hex"}, toHex(bytesOf(message.base64))) :
			foreign(text, {isLine: false, tag: "code"});
	}
	return null;
}

// Why nothing but the size of a message is shown.
const WITHHELD = {tail_bodies: "admin.tail_bodies", binary: "binary", not_json: "no JSON", too_large: "too large", too_much: "too much at once"};

function factsOf(message) {
	const withheld = message.withheld;
	return [message.type, message.bytes === undefined ? null : bytes(message.bytes),
		message.code === undefined ? null : String(message.code),
		message.cut ? "cut" : null, message.redacted ? "redacted" : null,
		withheld === undefined ? null : `not shown: ${WITHHELD[withheld] ?? withheld}`].filter(Boolean).join(", ");
}

function messageLine(message, withNames) {
	const isIn = message.direction === "in";
	return el("li", {class: isIn ? "in" : "out"},
		el("time", null, clock(message.at_ms, true)), el("span", {class: "tag"}, isIn ? "in" : "out"),
		withNames ? el("a", {href: linkTo(message.route, message.client_id), class: "who"}, foreign(message.client_id)) : null,
		el("span", {class: "soft"}, factsOf(message)),
		typeof message.reason === "string" && message.reason !== "" ? foreign(message.reason, {tag: "q"}) : null, bodyOf(message));
}

function logLine(line) {
	return el("li", {class: `log ${["error", "warn"].includes(line.level) ? line.level : ""}`},
		el("time", null, clock(line.at_ms, true)), el("span", {class: "tag"}, line.level), foreign(line.text, {tag: "b"}),
		Object.entries(line.fields ?? {}).map(([name, value]) => el("span", {class: "pair-of"},
			el("span", {class: "soft"}, foreign(name), "="), foreign(typeof value === "string" ? value : JSON.stringify(value)))));
}

export class Tail {
	#waiting = [];
	#frame = new Frame(() => this.#draw());
	#isPaused = false;
	#isOn = false;
	#seen = 0;
	#dropped = {message: 0, log: 0};
	#listeners = [];

	// query: {tail, log}, of the stream.
	constructor(app, query, {withNames = true, choice = null, title = "Live"} = {}) {
		Object.assign(this, {app, query, withNames});
		this.#make(title, choice);
		for (const [type, line] of [["message", (data) => messageLine(data, withNames)], ["log", logLine]])
			this.#listen(type, (event) => this.#take(line, event.detail));
		this.#listen("dropped", (event) => {
			this.#dropped[event.detail.of] = (this.#dropped[event.detail.of] ?? 0) + event.detail.count;
			this.#frame.ask();
		});
		this.#listen("state", () => this.#tell());
	}

	#listen(type, listener) {
		this.app.feed.addEventListener(type, listener);
		this.#listeners.push([type, listener]);
	}

	end() {
		for (const [type, listener] of this.#listeners)
			this.app.feed.removeEventListener(type, listener);
		this.#frame.cancel();
		if (this.#isOn)
			this.app.feed.follow(null);
	}

	#make(title, choice) {
		const id = newId("tail");
		this.follow = el("button", {type: "button", class: "main", "aria-pressed": "false",
			on: {click: () => this.toggle()}}, "Follow");
		this.pause = el("button", {type: "button", "aria-pressed": "false", disabled: true, "aria-keyshortcuts": "p",
			on: {click: () => this.togglePause()}}, "Pause");
		const clear = el("button", {type: "button", on: {click: () => this.#clear()}}, "Clear");
		this.sample = select(SAMPLES, "20");
		this.bodyBytes = select(BODIES, "256");
		this.filter = el("input", {type: "search", autocomplete: "off", spellcheck: "false",
			on: {input: () => this.#filterAll()}});
		for (const control of [this.sample, this.bodyBytes])
			control.addEventListener("change", () => this.#isOn && this.#begin());
		this.told = el("p", {class: "soft", role: "status"});
		this.elsewhere = el("p", {role: "status"});
		this.tellElsewhere(null);
		this.list = el("ol", {class: "tail", role: "log", "aria-live": "off", tabindex: "0", "aria-labelledby": id});
		this.element = el("section", {class: "card"}, el("h2", {id}, title),
			el("div", {class: "filters"}, choice, labelled("Messages a second, at most", this.sample),
				labelled("Of each body", this.bodyBytes), labelled("Show only lines with", this.filter, {className: "grow"})),
			this.elsewhere, el("div", {class: "row"}, this.follow, this.pause, clear, this.told), this.list);
	}

	// What is followed passes on another node; null: it does not.
	tellElsewhere(content) {
		this.elsewhere.hidden = content === null;
		replace(this.elsewhere, content);
	}

	toggle() {
		if (this.#isOn)
			this.#stop();
		else
			this.#begin();
	}

	togglePause() {
		if (!this.#isOn)
			return;
		this.#isPaused = !this.#isPaused;
		this.#press(this.pause, this.#isPaused);
		this.#frame.ask();
	}

	// What is to be followed is another now.
	change(query) {
		this.query = query;
		if (this.#isOn)
			this.#begin();
	}

	#press(button, isPressed) {
		button.setAttribute("aria-pressed", String(isPressed));
	}

	#begin() {
		this.#isOn = true;
		this.#press(this.follow, true);
		setText(this.follow, "Stop");
		this.pause.disabled = false;
		this.app.feed.follow(this.query.tail === undefined ? this.query :
			{...this.query, sample: this.sample.value, body_bytes: this.bodyBytes.value});
		this.#tell();
	}

	#stop() {
		this.#isOn = false;
		this.#isPaused = false;
		this.#press(this.follow, false);
		this.#press(this.pause, false);
		setText(this.follow, "Follow");
		this.pause.disabled = true;
		this.app.feed.follow(null);
		this.#tell();
	}

	#take(line, data) {
		if (!this.#isOn)
			return;
		this.#seen++;
		this.#waiting.push([line, data]);
		if (this.#waiting.length > KEPT)
			this.#waiting.shift();
		this.#frame.ask();
	}

	#draw() {
		if (!this.#isPaused && this.#waiting.length > 0) {
			const list = this.list;
			const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
			list.append(...this.#waiting.map(([line, data]) => this.#filtered(line(data))));
			this.#waiting = [];
			while (list.childElementCount > KEPT)
				list.firstElementChild.remove();
			if (isAtEnd)
				list.scrollTop = list.scrollHeight;
		}
		this.#tell();
	}

	#filtered(line) {
		const wanted = this.filter.value.toLowerCase();
		line.hidden = wanted !== "" && !line.textContent.toLowerCase().includes(wanted);
		return line;
	}

	#filterAll() {
		for (const line of this.list.children)
			this.#filtered(line);
		this.#tell();
	}

	#clear() {
		this.list.replaceChildren();
		this.#waiting = [];
		this.#seen = 0;
		this.#dropped = {message: 0, log: 0};
		this.#tell();
	}

	#state() {
		const feed = this.app.feed;
		if (!this.#isOn)
			return "Not followed.";
		if (this.query.tail === undefined && this.query.log === undefined)
			return "Nothing is chosen: neither a route nor the log.";
		if (feed.state === "polling")
			return `The gateway gives no stream now: ${feed.detail}`;
		if (feed.state !== "live")
			return "Waiting for the gateway …";
		return this.#isPaused ? `Paused; ${count(this.#waiting.length)} lines wait.` : "Following.";
	}

	#tell() {
		const left = Object.entries(this.#dropped).filter(([, number]) => number > 0)
			.map(([of, number]) => `${count(number)} ${of === "log" ? "log lines" : "messages"} left out`);
		const hidden = [...this.list.children].filter((line) => line.hidden).length;
		setText(this.told, [this.#state(), `${count(this.#seen)} came`,
			...left, hidden > 0 ? `${count(hidden)} hidden by the filter` : null,
			this.#seen > KEPT ? `the last ${KEPT} are kept` : null].filter(Boolean).join(" · "));
	}
}
