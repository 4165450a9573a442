// SPDX-License-Identifier: Apache-2.0
// The limits table as bars: what is used, what each allows, and the line that raises it.
import {get} from "./api.js";
import {el, labelled, reconcile, replace, setClass, setText} from "./dom.js";
import {bytes, count, inUnit, percent} from "./format.js";

const EVERY_MS = 5000;
const NEAR = 0.8;
const SHOWN_AT_LEAST = 4;

// Of what caps connections: how many of those that it allows are there; of the rest, of its own unit.
function share(limit, table) {
	if (limit.kind === "caps" && limit.connections !== null)
		return limit.connections > 0 ? table.used / limit.connections : 1;
	return limit.kind === "paces" && typeof limit.used === "number" && limit.value > 0 ? limit.used / limit.value : null;
}

// The fullest first.
const byShare = (table) => (a, b) => share(b, table) - share(a, table);

// Those to look at: what binds, what is next, what is nearly used up, and enough others.
function chosen(table) {
	const bars = table.limits.filter((limit) => share(limit, table) !== null);
	const isFirst = (limit) => limit.limit === table.binding;
	const isNear = (limit) => !isFirst(limit) && (limit.limit === table.next || share(limit, table) >= NEAR);
	const shown = [...bars.filter(isFirst), ...bars.filter(isNear).sort(byShare(table))];
	const others = bars.filter((limit) => !shown.includes(limit)).sort(byShare(table));
	shown.push(...others.slice(0, Math.max(0, SHOWN_AT_LEAST - shown.length)));
	return {shown, rest: table.limits.filter((limit) => !shown.includes(limit))};
}

function usedText(limit) {
	if (limit.state !== "known")
		return limit.state;
	if (typeof limit.used !== "number")
		return inUnit(limit.value, limit.unit);
	return `${limit.unit === "bytes" ? bytes(limit.used) : count(limit.used)} of ${inUnit(limit.value, limit.unit)}`;
}

async function copy(button, text) {
	try {
		await navigator.clipboard.writeText(text);
		setText(button, "Copied");
	} catch {
		setText(button, "Select it by hand"); // only in a secure context
	}
	setTimeout(() => setText(button, "Copy"), 2500);
}

function remedyList(remedies) {
	return remedies.length === 0 ? null : el("dl", {class: "remedies"}, remedies.map(({place, text}) => {
		const button = el("button", {type: "button", class: "small", "aria-label": `Copy: ${text}`,
			on: {click: () => copy(button, text)}}, "Copy");
		return [el("dt", null, place), el("dd", null, el("code", null, text), button)];
	}));
}

function createRow() {
	const row = el("li", {class: "limit"});
	row.name = el("strong");
	row.mark = el("span", {class: "tag"});
	row.facts = el("span", {class: "facts-line"});
	row.fill = el("span");
	row.meter = el("div", {class: "meter", role: "meter", "aria-valuemin": "0", "aria-valuemax": "100"}, row.fill);
	row.allows = el("span", {class: "allows"});
	row.note = el("p", {class: "soft"});
	row.remedies = el("div");
	row.others = el("div");
	row.details = el("details", null, el("summary", null, "More"), row.note, row.others);
	row.append(el("div", {class: "limit-head"}, el("span", null, row.name, " ", row.mark), row.allows),
		row.meter, row.facts, row.remedies, row.details);
	return row;
}

function updateMeter(row, limit, table) {
	const used = share(limit, table);
	const shown = used === null ? 0 : Math.min(used, 1);
	row.meter.hidden = used === null;
	row.meter.setAttribute("aria-label", `${limit.limit}: used`);
	row.meter.setAttribute("aria-valuenow", String(Math.round(shown * 100)));
	row.meter.setAttribute("aria-valuetext", `${percent(used)}; ${usedText(limit)}`);
	row.fill.style.width = `${shown * 100}%`;
	setClass(row.meter, "near", used !== null && used >= NEAR);
	setClass(row.meter, "full", used !== null && used >= 0.98);
}

function updateRow(row, limit, table) {
	const used = share(limit, table);
	const binds = limit.limit === table.binding;
	setText(row.name, limit.limit);
	setText(row.mark, binds ? "binds" : limit.limit === table.next ? "next" : "");
	row.mark.hidden = row.mark.textContent === "";
	setClass(row, "binds", binds);
	setText(row.allows, limit.connections === null ? "" : `allows ${count(limit.connections)} connections`);
	updateMeter(row, limit, table);
	const facts = [used === null ? null : percent(used), usedText(limit), limit.scope, limit.source, limit.set_by];
	setText(row.facts, facts.filter(Boolean).join(" · "));
	setText(row.note, [limit.cost === "" ? "" : `A connection costs ${limit.cost}.`, limit.note].filter(Boolean).join(" "));
	showRemedies(row, limit, (used ?? 0) >= NEAR ? 9 : binds ? 1 : 0);
}

// At once where it matters, else when one wants to see them.
function showRemedies(row, limit, atOnce) {
	const key = JSON.stringify([atOnce, limit.remedies]);
	if (row.remediesKey !== key) {
		row.remediesKey = key;
		replace(row.remedies, remedyList(limit.remedies.slice(0, atOnce)));
		replace(row.others, remedyList(limit.remedies.slice(atOnce)));
	}
	row.details.hidden = row.note.textContent === "" && limit.remedies.length <= atOnce;
}

export class Headroom {
	#wanted = null;
	#timer = 0;
	#isOver = false;

	constructor(onError) {
		this.onError = onError;
		this.sentence = el("p", {class: "lead"});
		this.list = el("ol", {class: "limits"});
		this.rest = el("ol", {class: "limits"});
		this.restTitle = el("summary");
		const wanted = el("input", {type: "number", min: "1", max: "16000000", step: "1", inputmode: "numeric",
			placeholder: "twice as many"});
		const form = el("form", {class: "inline", on: {submit: (event) => {
			event.preventDefault();
			this.#wanted = wanted.value === "" ? null : wanted.value;
			this.refresh();
		}}}, labelled("Lines that allow", wanted, {className: "narrow"}), el("span", {class: "after"}, "connections"),
		el("button", {type: "submit"}, "Show"));
		this.element = el("section", {class: "card", "aria-labelledby": "headroom"},
			el("h2", {id: "headroom"}, "Headroom"), this.sentence, this.list,
			el("details", {class: "more"}, this.restTitle, this.rest), form);
		this.refresh();
	}

	end() {
		this.#isOver = true;
		clearTimeout(this.#timer);
	}

	async refresh() {
		clearTimeout(this.#timer);
		try {
			this.#show(await get("limits", {connections: this.#wanted}));
		} catch (error) {
			if (!this.#isOver)
				this.onError(error);
		}
		if (!this.#isOver)
			this.#timer = setTimeout(() => this.refresh(), EVERY_MS);
	}

	#show(table) {
		this.table = table;
		const {shown, rest} = chosen(table);
		setText(this.sentence, table.binding === null ? `${count(table.used)} connections; nothing here caps them.` :
			`${count(table.used)} of ${count(table.connections)} connections. ` +
			`${table.binding} is what stops at ${count(table.connections)}` +
			(table.next === null ? "." : `; ${table.next} would be next.`));
		const fill = (list, limits) => reconcile(list, limits, (limit) => limit.limit, createRow,
			(row, limit) => updateRow(row, limit, table));
		fill(this.list, shown);
		fill(this.rest, rest);
		setText(this.restTitle, `${rest.length} further limits and facts`);
	}
}
