// SPDX-License-Identifier: Apache-2.0
// Dialogs: the browser's own, which hold the focus and end with Escape.
import {el, foreign, newId} from "./dom.js";

function show(title, content, buttons) {
	const id = newId("dialog");
	const dialog = el("dialog", {"aria-labelledby": id}, el("h2", {id}, title), content,
		el("div", {class: "row"}, buttons.map(({text, value, className}) =>
			el("button", {type: "button", class: className, on: {click: () => dialog.close(value)}}, text))));
	document.body.append(dialog);
	dialog.showModal();
	return new Promise((done) => dialog.addEventListener("close", () => {
		dialog.remove();
		done(dialog.returnValue);
	}, {once: true}));
}

// True: yes. `whom` is a stranger's name.
export async function confirmed(title, text, yes, whom) {
	const value = await show(title, [el("p", {class: "long"}, foreign(whom, {tag: "strong"})), el("p", null, text)],
		[{text: "Cancel", value: "", className: ""}, {text: yes, value: "yes", className: "danger"}]);
	return value === "yes";
}

export const tell = (title, content) => show(title, content, [{text: "Close", value: "", className: "main"}]);
