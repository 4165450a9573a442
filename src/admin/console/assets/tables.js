// SPDX-License-Identifier: Apache-2.0
// The tables of the overview: each has a list of columns, and rows that stay while their thing does.
import {el, foreign, reconcile, setClass, setText, tableIn} from "./dom.js";
import {brief, bytes, bytesPerSecond, count, duration, percent, perSecond} from "./format.js";

// columns: [{text, number, show(item): string, bad(item): bool, link(item): string or null}]; the first names the row.
export class Table {
	#columns;
	#key;

	constructor(title, columns, {key, empty, hint = ""}) {
		this.#columns = columns;
		this.#key = key;
		const {frame, body} = tableIn(title, columns);
		this.body = body;
		this.heads = frame.querySelectorAll("thead th");
		this.frame = frame;
		this.empty = el("p", {class: "soft"}, empty);
		this.empty.hidden = frame.hidden = true; // until it is known
		this.element = el("section", {class: "card"}, el("h2", null, title),
			hint === "" ? null : el("p", {class: "soft"}, hint), frame, this.empty);
	}

	show(items) {
		this.empty.hidden = items.length > 0;
		this.frame.hidden = items.length === 0;
		reconcile(this.body, items, this.#key, () => this.#row(), (row, item) => this.#fill(row, item));
	}

	#row() {
		return el("tr", null, this.#columns.map(({number}, index) =>
			index === 0 ? el("th", {scope: "row"}) : el("td", {class: number ? "n" : null})));
	}

	#fill(row, item) {
		this.#columns.forEach((column, index) => {
			const cell = row.children[index];
			const text = column.show(item);
			const href = column.link?.(item) ?? null;
			if (cell.shown !== text || cell.href !== href) {
				Object.assign(cell, {shown: text, href});
				const name = index === 0 || column.isForeign ? foreign(text) : text;
				cell.replaceChildren(href === null ? name : el("a", {href}, name));
			}
			setClass(cell, "bad", column.bad?.(item));
			if (column.share)
				this.#bar(cell, column.share(item));
		});
	}

	#bar(cell, share) {
		let bar = cell.querySelector(".bar");
		if (bar === null)
			cell.append(bar = el("span", {class: "bar", "aria-hidden": "true"}, el("span")));
		bar.firstElementChild.style.width = `${Math.min(Math.max(share ?? 0, 0), 1) * 100}%`;
	}
}

const sum = (counts) => counts === undefined ? null : Object.values(counts).reduce((a, b) => a + b, 0);

export function routeTable(rates) {
	const each = (name, format) => (route) => format(rates.of(`route ${route.name}`, name));
	return new Table("Routes", [
		{text: "route", show: (route) => route.name, link: (route) => `#/clients?route=${encodeURIComponent(route.name)}`},
		{text: "connections", number: true, show: (route) => count(route.connections)},
		{text: "accepted", number: true, show: (route) => count(route.accepted)},
		{text: "failed handshakes", number: true, show: (route) => count(route.handshake_failures)},
		{text: "closed", number: true, show: (route) => count(sum(route.closed))},
		{text: "messages in", number: true, show: each("messages_received", perSecond)},
		{text: "messages out", number: true, show: each("messages_sent", perSecond)},
		{text: "bytes in", number: true, show: each("received_bytes", bytesPerSecond)},
		{text: "bytes out", number: true, show: each("sent_bytes", bytesPerSecond)},
	], {key: (route) => route.name, empty: "There are no routes: the configuration has none."});
}

export function backendTable(rates) {
	return new Table("Back ends", [
		{text: "back end", show: (one) => one.name},
		{text: "type", show: (one) => one.type},
		{text: "state", show: (one) => one.state ?? "–", bad: (one) => one.state === "down"},
		{text: "breaker", show: (one) => one.breaker ?? "–",
			bad: (one) => one.breaker !== null && one.breaker !== undefined && one.breaker !== "closed"},
		{text: "latency p50", number: true, show: (one) => duration(ms(one.latency_p50_ms))},
		{text: "p99", number: true, show: (one) => duration(ms(one.latency_p99_ms))},
		{text: "waiting", number: true, show: (one) => count(one.waiting)},
		{text: "oldest", number: true, show: (one) => duration(one.oldest_waiting_seconds),
			bad: (one) => one.oldest_waiting_seconds > 10},
		{text: "pending", number: true, show: (one) => bytes(one.pending_bytes)},
		{text: "in flight", number: true, show: (one) => count(one.in_flight)},
		{text: "attempts", number: true, show: (one) => perSecond(rates.of(`backend ${one.name}`, "attempts"))},
		{text: "retries", number: true, show: (one) => count(one.retries)},
		{text: "failures", number: true, show: (one) => count(one.failures)},
	], {key: (one) => one.name, empty: "All routes echo: there is no back end."});
}

const ms = (value) => typeof value === "number" ? value / 1000 : null;

export function workerTable(rates) {
	const busy = (one) => rates.of(`worker ${one.worker}`, "busy_ms") / 1000;
	const isKnown = (one) => rates.of(`worker ${one.worker}`, "busy_ms") !== null;
	return new Table("Workers", [
		{text: "worker", show: (one) => String(one.worker)},
		{text: "connections", number: true, show: (one) => count(one.connections)},
		{text: "loop lag p99", number: true, show: (one) => duration(ms(one.lag_p99_ms)), bad: (one) => one.lag_p99_ms > 100},
		{text: "busy", number: true, show: (one) => isKnown(one) ? percent(busy(one)) : "–",
			share: (one) => isKnown(one) ? busy(one) : 0, bad: (one) => isKnown(one) && busy(one) > 0.9},
	], {key: (one) => String(one.worker), empty: "No worker runs.",
		hint: "Lag: how long what is ready waits for its turn. Busy: share of one CPU."});
}

export function nodeTable() {
	return new Table("Nodes", [
		{text: "node", show: (one) => one.node + (one.is_self ? " (this one)" : ""),
			link: (one) => one.is_self ? null : consoleOf(one, "")},
		{text: "connections", number: true, show: (one) => count(one.connections), share: (one) => one.connections / one.max_connections},
		{text: "at most", number: true, show: (one) => count(one.max_connections)},
		{text: "status", isForeign: true, show: (one) => one.status, bad: (one) => one.status !== "ready"},
		{text: "version", isForeign: true, show: (one) => one.version},
		{text: "heard of", number: true, show: (one) => one.is_self ? "now" : `${duration(one.heard_seconds_ago)} ago`},
	], {key: (one) => one.node, empty: "This node is alone.", hint: "Of each, what it last told the others."});
}

// Where a view of another node's console is; null: that node has not told where people reach it.
export function consoleOf(node, hash) {
	const url = node?.console ?? "";
	const isOfWeb = ["http://", "https://"].some((scheme) => url.toLowerCase().startsWith(scheme));
	return isOfWeb ? `${url.replace(/\/$/, "")}/${hash}` : null;
}

// Causes: [{name, total, recent}]; `recent` is what came in the last seconds.
export function causeTable(title, empty, hint) {
	let most = 1;
	const table = new Table(title, [
		{text: "cause", show: (cause) => cause.name},
		{text: "lately", number: true, show: (cause) => cause.recent === null ? "–" : count(cause.recent)},
		{text: "since start", number: true, show: (cause) => brief(cause.total), share: (cause) => cause.total / most},
	], {key: (cause) => cause.name, empty, hint});
	const show = table.show.bind(table);
	table.show = (causes, seconds) => {
		setText(table.heads[1], seconds < 1 ? "lately" : `last ${duration(Math.round(seconds))}`);
		const shown = causes.filter((cause) => cause.total > 0).sort((a, b) => b.total - a.total);
		most = Math.max(1, ...shown.map((cause) => cause.total));
		show(shown);
	};
	return table;
}
