// SPDX-License-Identifier: Apache-2.0
// #/clients: who is connected to this node, a page at a time. The gateway searches, sorts and cuts
// into pages; here are never more than one page of them.
import {get, path} from "./api.js";
import {el, foreign, labelled, replace, select, setText, tableIn} from "./dom.js";
import {bytes, count, dateTime, duration, perSecond} from "./format.js";

const PAGE = 50;
const SORTS = [["", "as they come"], ["connected_at", "connected longest"], ["rate", "messages per second"],
	["messages_received", "messages in"], ["messages_sent", "messages out"],
	["received_bytes", "bytes in"], ["sent_bytes", "bytes out"], ["byte_rate", "bytes per second"],
	["queued_bytes", "send queue"]];

const HEADS = [{text: "client"}, {text: "messages in", number: true}, {text: "out", number: true},
	{text: "bytes in", number: true, className: "wide"}, {text: "out", number: true, className: "wide"},
	{text: "send queue", number: true}, {text: "connected", number: true}, {text: "route"}, {text: "address"}];

export const linkTo = (route, clientId) => `#/client?route=${encodeURIComponent(route)}&id=${encodeURIComponent(clientId)}`;

// connected_at is the oldest first, everything else the most first.
const orderOf = (sort) => sort === "" ? null : sort === "connected_at" ? "asc" : "desc";

export class Clients {
	title = "Clients";
	#cursors = [null]; // of the pages before, and of this one
	#next = null;
	#asking = null;

	constructor(app, params) {
		this.app = app;
		this.params = params;
		this.#form();
		const {frame, body} = tableIn("Clients of this node", HEADS);
		this.body = body;
		this.told = el("p", {class: "soft", role: "status"});
		this.nobody = el("div");
		this.before = el("button", {type: "button", on: {click: () => this.#turn(-1)}}, "Previous page");
		this.after = el("button", {type: "button", on: {click: () => this.#turn(1)}}, "Next page");
		this.element = el("div", {class: "view"}, el("h1", null, "Clients"),
			el("section", {class: "card"}, this.form, this.told, frame, this.nobody,
				el("nav", {class: "pages", "aria-label": "Pages"}, this.before, this.after)));
		this.#ask();
	}

	end() {
		this.#asking?.abort();
	}

	focusSearch() {
		this.search.focus();
		this.search.select();
	}

	refresh() {
		this.#ask();
	}

	#form() {
		const params = this.params;
		const routes = (this.app.node?.routes ?? []).map((route) => [route.name, route.name]);
		const given = params.get("route") ?? "";
		if (given !== "" && !routes.some(([name]) => name === given))
			routes.push([given, given]);
		this.search = el("input", {type: "search", autocomplete: "off", spellcheck: "false", maxlength: "255",
			value: params.get("q") ?? "", "aria-keyshortcuts": "/"});
		this.how = select([["contains", "contains"], ["prefix", "begins with"]], params.get("how") ?? "contains");
		this.route = select([["", "all routes"], ...routes], given);
		this.address = el("input", {type: "text", autocomplete: "off", spellcheck: "false", maxlength: "64",
			placeholder: "10.1.0.0/16", value: params.get("address") ?? ""});
		this.rate = el("input", {type: "number", min: "0", step: "any", placeholder: "0", value: params.get("min_rate") ?? ""});
		this.sort = select(SORTS, params.get("sort") ?? "");
		for (const control of [this.how, this.route, this.sort])
			control.addEventListener("change", () => this.#submit());
		this.form = el("form", {class: "filters", role: "search", on: {submit: (event) => {
			event.preventDefault();
			this.#submit();
		}}}, labelled("Client id", this.how, {className: "how"}), labelled("Text of the id", this.search, {className: "grow"}),
		labelled("Route", this.route), labelled("Address or network", this.address),
		labelled("Messages/s, at least", this.rate, {className: "narrow"}), labelled("Most first, by", this.sort),
		el("button", {type: "submit", class: "main"}, "Search"));
	}

	// The search is a part of the place, so that one can come back to it. No token is in it.
	#submit() {
		const next = new URLSearchParams();
		for (const [name, value] of [["q", this.search.value], ["how", this.how.value === "contains" ? "" : this.how.value],
			["route", this.route.value], ["address", this.address.value.trim()], ["min_rate", this.rate.value],
			["sort", this.sort.value]])
			if (value !== "")
				next.set(name, value);
		this.params = next;
		this.app.place("/clients", next);
		this.#cursors = [null];
		this.#ask();
	}

	#turn(step) {
		if (step > 0)
			this.#cursors.push(this.#next);
		else
			this.#cursors.pop();
		this.#ask();
	}

	#query() {
		return {route: this.route.value, [this.how.value]: this.search.value, address: this.address.value.trim(),
			min_rate: this.rate.value, sort: this.sort.value, order: orderOf(this.sort.value), limit: PAGE,
			cursor: this.#cursors.at(-1)};
	}

	async #ask() {
		this.#asking?.abort();
		const asking = this.#asking = new AbortController();
		setText(this.told, "Asking …");
		try {
			const {clients, cursor, matched} = await this.#page(asking.signal);
			this.#next = cursor;
			this.#show(clients, matched);
		} catch (error) {
			if (asking.signal.aborted)
				return;
			setText(this.told, error.message);
			this.app.failed(error);
		}
	}

	// A page may have fewer, even none, and not be the last.
	async #page(signal) {
		const query = this.#query();
		const clients = [];
		let page;
		let turns = 0;
		do {
			page = await get(path("clients"), query, signal);
			clients.push(...page.clients);
			query.cursor = page.next_cursor;
		} while (clients.length < PAGE / 2 && query.cursor !== null && ++turns < 50);
		return {clients, cursor: query.cursor, matched: page.matched};
	}

	#show(clients, matched) {
		replace(this.body, clients.map((client) => this.#row(client)));
		const page = this.#cursors.length;
		setText(this.told, clients.length === 0 ? "" :
			`Page ${page}${this.#next === null && page === 1 ? ": these are all" : ""}` +
			`${typeof matched === "number" ? `, of ${count(matched)} clients` : ""}. ` +
			`Clients of ${this.app.node?.name ?? "this node"}, as they were at ${dateTime(Date.now()).slice(11)}.`);
		this.before.disabled = page === 1;
		this.after.disabled = this.#next === null;
		this.#showNobody(clients.length === 0);
	}

	// Lists are of this node; one client can be found on any.
	#showNobody(isEmpty) {
		const [route, id] = [this.route.value || this.app.node?.routes[0]?.name, this.search.value];
		replace(this.nobody, !isEmpty ? null : el("p", null, "Nobody here is like that. "), !isEmpty || id === "" ? null :
			(this.route.value === "" ? this.app.node?.routes ?? [] : [{name: route}]).slice(0, 20).map((one) =>
				el("p", null, el("a", {href: linkTo(one.name, id)}, "Look for ", foreign(id), " on route ",
					foreign(one.name), ", on all nodes"))));
	}

	#row(client) {
		const rates = client.rates ?? {};
		const since = Date.parse(client.connected_at);
		const cells = [perSecond(rates.messages_received_per_second), perSecond(rates.messages_sent_per_second)];
		const sizes = [bytes(client.counters?.received_bytes), bytes(client.counters?.sent_bytes)];
		return el("tr", null,
			el("th", {scope: "row", class: "name"}, el("a", {href: linkTo(client.route, client.client_id)}, foreign(client.client_id))),
			cells.map((text) => el("td", {class: "n"}, text)),
			sizes.map((text) => el("td", {class: "n wide"}, text)),
			el("td", {class: "n"}, bytes(client.queued_bytes)),
			el("td", {class: "n", title: dateTime(since)}, duration(Math.max(0, Math.floor((Date.now() - since) / 1000)))),
			el("td", null, foreign(client.route)), el("td", {class: "soft"}, `${client.remote.address}:${client.remote.port}`));
	}
}
