// SPDX-License-Identifier: Apache-2.0
// #/client?route=R&id=I: one client, wherever it is connected: facts, counters, what can be done to it,
// and its messages as they pass.
import {get, path} from "./api.js";
import {Chart} from "./chart.js";
import {Actions} from "./client_actions.js";
import {linkTo} from "./clients.js";
import {el, foreign, replace, setText} from "./dom.js";
import {bytes, count, dateTime, duration, perSecond} from "./format.js";
import {Rates} from "./series.js";
import {consoleOf} from "./tables.js";
import {Tail} from "./tail.js";
import {plain} from "./text.js";

const EVERY_MS = 2000;
const KEPT_MS = 300000;
const MOST_BLOCKS = 5; // that are told of

function proof(client) {
	if (client.auth === null || client.auth === undefined)
		return "has proved nothing";
	return [`by ${client.auth.way}, as `, foreign(client.auth.subject),
		client.expires_at === undefined ? "" : `; ends at ${dateTime(client.expires_at * 1000)}`];
}

function compression(terms) {
	if (terms === null || terms === undefined)
		return "none";
	const way = (one) => `${one.window_bits} bits${one.keeps_window ? ", window kept" : ""}`;
	return `${terms.extension}; to the client ${way(terms.to_client)}; from it ${way(terms.from_client)}`;
}

function tls(client) {
	if (client.tls === undefined)
		return null;
	if (client.tls === null)
		return "in clear";
	return `${client.tls.version}, ${client.tls.suite}`;
}

function groups(client) {
	if (client.groups.length === 0)
		return "none";
	return el("ul", {class: "chips"}, client.groups.map((group) =>
		el("li", null, el("a", {href: `#/groups?group=${encodeURIComponent(group)}`}, foreign(group)))));
}

// [[name, value]], what is not told left out.
function facts(client) {
	const given = client.attributes && Object.keys(client.attributes).length > 0 ? client.attributes : null;
	return [
		["Node", client.node], ["Address", `${client.remote.address}:${client.remote.port}`],
		["Connected", `${dateTime(Date.parse(client.connected_at))}, for ${duration(client.connected_seconds)}`],
		["Connection", `number ${client.connection_id}, generation ${client.generation}`],
		["Proof", proof(client)], ["Subprotocol", client.subprotocol === null ? "none" : foreign(client.subprotocol)],
		["Compression", compression(client.compression)], ["TLS", tls(client)],
		["Attributes", given === null ? null : foreign(JSON.stringify(given))], ["Groups", groups(client)],
	].filter(([, value]) => value !== null && value !== undefined);
}

// Without what moves: the time that is left.
function blockLine(block) {
	return el("p", null, block.client_id !== null ? "This client is blocked" : ["Its address is blocked (", foreign(block.address), ")"],
		` until ${dateTime(block.expires_at * 1000)}`, block.reason === null ? "." : [": ", foreign(block.reason), "."], " ",
		el("a", {href: "#/control"}, "Control"), " lets it in again.");
}

export class Client {
	#timer = 0;
	#isOver = false;
	#rates = new Rates();
	#points = {in: [], out: []};
	#connection = null;
	#address = null; // when it was seen last

	constructor(app, params) {
		this.app = app;
		this.route = params.get("route") ?? "";
		this.id = params.get("id") ?? "";
		this.title = `Client ${plain(this.id, 60)}`;
		this.path = path("clients", this.route, this.id);
		this.told = el("div", {class: "alert", role: "alert", hidden: true});
		this.facts = el("dl", {class: "facts"});
		this.figures = el("dl", {class: "figures"});
		this.chart = new Chart("Messages of this client", [{name: "in", className: "c1"}, {name: "out", className: "c2"}],
			{format: perSecond, note: "since this page was opened"});
		this.tail = new Tail(app, {tail: `${this.route}/${this.id}`}, {withNames: false});
		this.actions = new Actions(app, this.route, this.id, () => this.#refresh());
		this.#make();
		this.#refresh();
	}

	#make() {
		this.seen = el("div", {class: "pair", hidden: true}, // until it was
			el("section", {class: "card"}, el("h2", null, "Facts"), this.facts), this.chart.element);
		this.present = el("div", {class: "stack"}, this.figures, this.seen, this.actions.element, this.tail.element);
		this.element = el("div", {class: "view"},
			el("p", null, el("a", {href: this.app.lastSearch}, "← All clients")),
			el("div", null, el("h1", {class: "long"}, foreign(this.id)), el("p", {class: "soft"}, "on route ", foreign(this.route))),
			this.told, this.present);
	}

	end() {
		this.#isOver = true;
		clearTimeout(this.#timer);
		this.tail.end();
	}

	refresh() {
		this.#refresh();
	}

	async #refresh() {
		clearTimeout(this.#timer);
		try {
			const client = await get(this.path);
			if (!this.#isOver)
				this.#show(client);
		} catch (error) {
			const blocks = error.reason === "not_connected" ? await this.#findBlocks() : [];
			if (!this.#isOver)
				this.#showAbsence(error, blocks);
		}
		if (!this.#isOver)
			this.#timer = setTimeout(() => this.#refresh(), EVERY_MS);
	}

	// What keeps it out: of its id, and of the address from which it was seen here. That it is away is true whether or not
	// this can be told.
	async #findBlocks() {
		try {
			const {blocks} = await get(path("blocks"),
				{route: this.route, client_id: this.id, address: this.#address, limit: MOST_BLOCKS});
			return blocks;
		} catch {
			return [];
		}
	}

	#showAbsence(error, blocks) {
		if (error.kind !== "refused") {
			this.app.failed(error);
			return;
		}
		this.present.classList.toggle("gone", true);
		const isAway = error.reason === "not_connected";
		const key = [error.message, this.#connection, blocks.map(({id, blocked_at}) => [id, blocked_at])];
		const old = this.#connection === null ? "" : ": what is shown is of before";
		this.#tell(JSON.stringify(key), () => [blocks.map(blockLine), el("p", null, !isAway ? error.message :
			`This client is connected to no node now${old}. The page looks again every ${EVERY_MS / 1000} s.`)]);
	}

	// What is told already stays, for selections and screen readers.
	#tell(key, make) {
		this.told.hidden = key === "";
		if (this.toldKey !== key)
			replace(this.told, make());
		this.toldKey = key;
	}

	#show(client) {
		if (this.#connection !== null && this.#connection !== `${client.node} ${client.connection_id}`) {
			this.#points = {in: [], out: []};
			this.#rates = new Rates();
		}
		this.#connection = `${client.node} ${client.connection_id}`;
		this.#address = client.remote.address;
		this.seen.hidden = false;
		this.#tell("", () => []);
		this.present.classList.toggle("gone", false);
		this.#showFacts(client);
		this.#showFigures(client);
		this.#showRates(client);
		this.#showNode(client.node);
		this.actions.update(client);
	}

	// Its messages pass on the node that has it, and nowhere else.
	#showNode(name) {
		const node = name === this.app.node.name ? null : this.app.feed.overview?.nodes.find((one) => one.node === name) ?? {node: name};
		const key = JSON.stringify([node?.node, node?.console]);
		if (this.nodeKey === key)
			return;
		this.nodeKey = key;
		const url = consoleOf(node, linkTo(this.route, this.id));
		this.tail.tellElsewhere(node === null ? null : ["It is connected to the node ", foreign(node.node), ", and its messages can be followed there: ",
			url === null ? "that node has not told where its console is (admin.console_url)." :
				[el("a", {href: url, rel: "noreferrer"}, "its page on that node"), "."]]);
	}

	#showFacts(client) {
		const known = facts(client);
		const key = JSON.stringify(client, (name, value) =>
			["connected_seconds", "expires_in", "queued_bytes", "counters", "rates"].includes(name) ? undefined : value);
		if (this.factsKey === key) {
			const connected = known.find(([name]) => name === "Connected")[1];
			setText(this.connectedCell, connected);
			return;
		}
		this.factsKey = key;
		replace(this.facts, known.map(([name, value]) => {
			const cell = el("dd", null, value);
			if (name === "Connected")
				this.connectedCell = cell;
			return el("div", null, el("dt", null, name), cell);
		}));
	}

	#showFigures(client) {
		const counters = client.counters ?? {};
		const shown = [
			["Messages in", count(counters.messages_received), bytes(counters.received_bytes) +
				(client.held_back ? "; over its rate, so not read now" : "")],
			["Messages out", count(counters.messages_sent), bytes(counters.sent_bytes)],
			["Send queue", bytes(client.queued_bytes), client.queued_bytes > 0 ? "waits until the client reads" : "nothing waits"],
		];
		replace(this.figures, shown.map(([name, value, note]) =>
			el("div", {class: "card"}, el("dt", null, name), el("dd", null, el("span", null, value), el("small", null, note)))));
	}

	#showRates(client) {
		if (client.counters === undefined)
			return;
		const now = Date.now();
		this.#rates.take(now, [["client", client.counters]]);
		this.#points.in.push({at: now, value: this.#rates.of("client", "messages_received")});
		this.#points.out.push({at: now, value: this.#rates.of("client", "messages_sent")});
		for (const points of Object.values(this.#points))
			while (points.length > 1 && points[0].at < now - KEPT_MS)
				points.shift();
		this.chart.show(Math.max(this.#points.in[0].at, now - KEPT_MS), Math.max(now, this.#points.in[0].at + 30000),
			[this.#points.in, this.#points.out]);
	}
}
