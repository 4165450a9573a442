// SPDX-License-Identifier: Apache-2.0
// Elements from data. All text goes in as text: nothing here, and nothing else on the page, makes
// markup of a string, and the page's policy (trusted types) would not let it.
import {parts, plain} from "./text.js";

const SVG = "http://www.w3.org/2000/svg";

function fill(element, props, children) {
	for (const [key, value] of Object.entries(props ?? {})) {
		if (value === null || value === undefined || value === false)
			continue;
		if (key === "on") {
			for (const [event, listener] of Object.entries(value))
				element.addEventListener(event, listener);
		} else if (key === "data") {
			Object.assign(element.dataset, value);
		} else if (key === "value") {
			element.value = value;
		} else {
			element.setAttribute(key, value === true ? "" : value);
		}
	}
	append(element, children);
	return element;
}

function append(element, children) {
	for (const child of children.flat(Infinity))
		if (child !== null && child !== undefined && child !== false)
			element.append(child);
}

// el("p", {class: "x", on: {click}}, "text", el(...), null, [...])
export const el = (tag, props, ...children) => fill(document.createElement(tag), props, children);
export const svg = (tag, props, ...children) =>
	fill(document.createElementNS(SVG, tag), props, children);

export function replace(element, ...children) {
	element.replaceChildren();
	append(element, children);
	return element;
}

// Changes nothing if it is there already: selections and screen readers are left alone.
export function setText(element, text) {
	if (element.textContent !== text)
		element.textContent = text;
	return element;
}

export function setClass(element, name, isOn) {
	element.classList.toggle(name, Boolean(isOn));
	return element;
}

// What a stranger wrote, on its own: it turns no other text around.
export function foreign(text, {isLine = true, tag = "bdi", ...props} = {}) {
	const nodes = parts(text, isLine).map((part) =>
		part.odd ? el("span", {class: "odd"}, part.text) : part.text);
	return el(tag, {...(isLine ? {title: plain(text)} : {}), ...props}, nodes);
}

// Rows for items under one parent. Elements of items that are there still stay: `key(item)` says
// which, create(item) makes one, update(element, item) fills it.
export function reconcile(parent, items, key, create, update) {
	const before = new Map();
	for (const child of [...parent.children])
		before.set(child.itemKey, child);
	let at = parent.firstElementChild;
	for (const item of items) {
		const name = key(item);
		let element = before.get(name);
		before.delete(name);
		if (element === undefined) {
			element = create(item);
			element.itemKey = name;
		}
		update(element, item);
		if (element === at)
			at = at.nextElementSibling;
		else
			parent.insertBefore(element, at);
	}
	for (const element of before.values())
		element.remove();
}

// Draws in the next frame, once, however often it is asked to before that.
export class Frame {
	#draw;
	#asked = 0;

	constructor(draw) {
		this.#draw = draw;
	}

	ask() {
		if (this.#asked === 0)
			this.#asked = requestAnimationFrame(() => {
				this.#asked = 0;
				this.#draw();
			});
	}

	cancel() {
		cancelAnimationFrame(this.#asked);
		this.#asked = 0;
	}
}

let numbers = 0;
export const newId = (start) => `${start}-${++numbers}`;

// A control with its label.
export function labelled(text, control, {hint = null, className = ""} = {}) {
	control.id ||= newId("field");
	const told = hint === null ? null : el("small", {id: newId("hint")}, hint);
	if (told !== null)
		control.setAttribute("aria-describedby", told.id);
	return el("div", {class: `field ${className}`}, el("label", {for: control.id}, text), control, told);
}

export function select(options, chosen, props = {}) {
	const control = el("select", props, options.map(([value, text]) =>
		el("option", {value}, plain(text, 60))));
	control.value = chosen;
	return control;
}

// A table that scrolls by itself, also by keys.
export function tableIn(caption, heads) {
	const body = el("tbody");
	const table = el("table", null, el("caption", {class: "unseen"}, caption),
		el("thead", null, el("tr", null, heads.map(({text, number, className, title}) =>
			el("th", {scope: "col", class: `${number ? "n" : ""} ${className ?? ""}`.trim() || null,
				title}, text)))),
		body);
	const frame = el("div", {class: "scroll", role: "region", tabindex: "0", "aria-label": caption}, table);
	return {frame, table, body};
}
