// SPDX-License-Identifier: Apache-2.0
// Single keys, which can be switched off (WCAG 2.1.4), and the list of them.
import {tell} from "./dialog.js";
import {el, newId} from "./dom.js";

const OFF = "gatehouse-keys-off";

const isWriting = (target) => target.closest?.("input, textarea, select, [contenteditable]") !== null;

function isOff() {
	try {
		return localStorage.getItem(OFF) === "1";
	} catch {
		return false;
	}
}

function setOff(value) {
	try {
		if (value)
			localStorage.setItem(OFF, "1");
		else
			localStorage.removeItem(OFF);
	} catch {
		// No storage: then they stay on.
	}
}

export class Keys {
	// keys: [{key, text, run}]
	constructor(keys) {
		this.keys = [...keys, {key: "?", text: "this list", run: () => this.help()}];
		document.addEventListener("keydown", (event) => this.#pressed(event));
	}

	#pressed(event) {
		if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isOff() ||
			isWriting(event.target) || document.querySelector("dialog[open]") !== null)
			return;
		const found = this.keys.find(({key}) => key === event.key);
		if (found !== undefined && found.run() !== false)
			event.preventDefault();
	}

	help() {
		const box = el("input", {type: "checkbox", id: newId("keys"), on: {change: () => setOff(!box.checked)}});
		box.checked = !isOff();
		tell("Keys", [el("dl", {class: "keys"}, this.keys.map(({key, text}) =>
			el("div", null, el("dt", null, el("kbd", null, key)), el("dd", null, text))),
		el("div", null, el("dt", null, el("kbd", null, "← →")), el("dd", null, "on a chart: its values, one after the other"))),
		el("p", {class: "check"}, box, el("label", {for: box.id}, "Single keys do something"))]);
	}
}
