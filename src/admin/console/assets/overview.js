// SPDX-License-Identifier: Apache-2.0
// #/: headroom first, then what came and went, by cause, and who is behind it.
import {get, path} from "./api.js";
import {Chart} from "./chart.js";
import {el, foreign, replace, setClass, setText} from "./dom.js";
import {brief, bytes, bytesPerSecond, count, duration, perSecond} from "./format.js";
import {Headroom} from "./headroom.js";
import {gauge, Rates, rates, sampleOf, Samples} from "./series.js";
import {backendTable, causeTable, nodeTable, routeTable, workerTable} from "./tables.js";

const SPANS = [[5, "5 min"], [15, "15 min"], [60, "1 hour"]];
const RECENT_MS = 300000;
const LEAST_MS = 120000; // that a chart shows

// Kept while other views are looked at: what has been seen is not asked for again.
const samples = new Samples();
const causes = []; // [{at, refused, closed}]

const perSecondOf = (span, rows) => (name) => rates(rows, name, span >= 60 ? 9000 : 4000);

export class Overview {
	title = "Overview";
	#span = 15;
	#rates = new Rates();
	#figures = new Map();

	constructor(app) {
		this.app = app;
		this.headroom = new Headroom((error) => app.failed(error));
		this.problems = el("ul", {class: "problems"});
		this.figureList = el("dl", {class: "figures"});
		this.#charts();
		this.tables = {
			routes: routeTable(this.#rates), backends: backendTable(this.#rates),
			workers: workerTable(this.#rates), nodes: nodeTable(),
			refused: causeTable("Refused, by limit", "Nobody was refused.",
				"Before the connection was open, because a limit was reached."),
			closed: causeTable("Closed, by reason", "No connection has ended.", "Of connections that were open."),
		};
		this.element = el("div", {class: "view"}, el("h1", {class: "unseen"}, "Overview"), this.problems,
			this.headroom.element, this.figureList, this.#spanChoice(),
			el("div", {class: "charts"}, Object.values(this.charts).map((chart) => chart.element)),
			el("div", {class: "pair"}, this.tables.refused.element, this.tables.closed.element),
			this.tables.routes.element, this.tables.backends.element,
			el("div", {class: "pair"}, this.tables.workers.element, this.tables.nodes.element));
		app.feed.addEventListener("state", this.#onState);
		this.#history();
	}

	end() {
		this.headroom.end();
		this.app.feed.removeEventListener("state", this.#onState);
	}

	// What was missed while the gateway was away, or this machine slept, the gateway still has.
	#onState = () => {
		if (this.app.feed.state === "away")
			this.wasAway = true;
		else if (this.wasAway && this.app.feed.state === "live") {
			this.wasAway = false;
			this.#history();
		}
	};

	#charts() {
		const inOut = [{name: "in", className: "c1"}, {name: "out", className: "c2"}];
		this.charts = {
			connections: new Chart("Connections", [{name: "open", className: "c1"}], {format: brief}),
			comings: new Chart("Comings and goings", [{name: "accepted", className: "c1"},
				{name: "refused", className: "c3"}, {name: "closed", className: "c4"}], {format: perSecond}),
			messages: new Chart("Messages", inOut, {format: perSecond}),
			bytes: new Chart("Bytes", inOut, {format: bytesPerSecond, isBytes: true}),
		};
	}

	#spanChoice() {
		const press = (span) => {
			this.#span = span;
			buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(SPANS[at][0] === span)));
			this.#draw();
		};
		const buttons = SPANS.map(([minutes, text]) => el("button", {type: "button",
			"aria-pressed": String(minutes === this.#span), on: {click: () => press(minutes)}}, text));
		return el("div", {class: "choice", role: "group", "aria-label": "Time that the charts show"},
			el("h2", null, "Over time"), el("span", {class: "buttons"}, buttons));
	}

	async #history() {
		try {
			samples.addHistory(await get(path("history")));
			this.#draw();
		} catch (error) {
			this.app.failed(error);
		}
	}

	// Of each overview that comes, once it is remembered.
	update(overview) {
		this.#takeRates(overview);
		this.#showProblems(overview);
		this.#showFigures(overview);
		this.tables.routes.show(overview.routes);
		this.tables.backends.show(overview.backends);
		this.tables.workers.show(overview.workers);
		this.tables.nodes.show(overview.nodes);
		const seconds = (overview.at_ms - causes[0].at) / 1000;
		this.tables.refused.show(causesOf(overview, "refused"), seconds);
		this.tables.closed.show(causesOf(overview, "closed"), seconds);
		this.#draw();
	}

	#takeRates(overview) {
		this.#rates.take(overview.at_ms, [
			...overview.routes.map((route) => [`route ${route.name}`, route]),
			...overview.backends.map((one) => [`backend ${one.name}`, one]),
			...overview.workers.map((one) => [`worker ${one.worker}`, {busy_ms: one.busy_seconds * 1000}]),
			["totals", overview.totals]]);
	}

	#showProblems(overview) {
		const key = JSON.stringify(overview.problems);
		if (this.problemsKey === key)
			return;
		this.problemsKey = key;
		replace(this.problems, overview.problems.map((problem) => el("li", null, foreign(problem))));
		this.problems.hidden = overview.problems.length === 0;
	}

	#figure(name, value, note, isBad = false) {
		let figure = this.#figures.get(name);
		if (figure === undefined) {
			const parts = {value: el("span"), note: el("small")};
			figure = {...parts, card: el("div", {class: "card"}, el("dt", null, name), el("dd", null, parts.value, parts.note))};
			this.#figures.set(name, figure);
			this.figureList.append(figure.card);
		}
		setText(figure.value, value);
		setText(figure.note, note);
		setClass(figure.card, "bad", isBad);
	}

	#showFigures(overview) {
		const totals = overview.totals;
		const rate = (name) => this.#rates.of("totals", name) ?? rates(samples.rows.slice(-2), name, 0).at(-1)?.value;
		this.#figure("Connections", count(totals.connections), `${count(totals.sockets)} sockets`);
		this.#figure("Accepted", perSecond(rate("accepted")), `${brief(totals.accepted)} since start`);
		this.#figure("Messages in", perSecond(rate("messages_received")), bytesPerSecond(rate("received_bytes")));
		this.#figure("Messages out", perSecond(rate("messages_sent")), bytesPerSecond(rate("sent_bytes")));
		this.#figure("Send queues", bytes(totals.send_queue_bytes), `${count(totals.stalled)} ${totals.stalled === 1 ? "client" : "clients"} held back`,
			totals.stalled > 0);
		this.#figure("Bad handshakes", count(totals.handshake_failures), "since start");
		this.#figure("Running for", duration(overview.uptime_seconds), overview.version);
	}

	#draw() {
		const to = samples.rows.at(-1)?.at ?? Date.now();
		const rows = samples.since(to - this.#span * 60000);
		// Where the gateway has no history yet, none is shown.
		const from = Math.max(to - this.#span * 60000, Math.min(rows[0]?.at ?? 0, to - LEAST_MS));
		const of = perSecondOf(this.#span, rows);
		const cap = this.headroom.table?.connections;
		this.charts.connections.show(from, to, [gauge(rows, "connections")],
			typeof cap === "number" ? {value: cap, text: `${this.headroom.table.binding}: ${count(cap)}`} : null);
		this.charts.comings.show(from, to, [of("accepted"), of("refused"), of("closed")]);
		this.charts.messages.show(from, to, [of("messages_received"), of("messages_sent")]);
		this.charts.bytes.show(from, to, [of("received_bytes"), of("sent_bytes")]);
	}
}

// Each overview, also while another view is shown.
export function remember(overview) {
	samples.add(sampleOf(overview));
	if (causes.at(-1)?.at === overview.at_ms)
		return;
	causes.push({at: overview.at_ms, refused: overview.refused, closed: overview.closed});
	while (causes.length > 1 && causes[1].at < overview.at_ms - RECENT_MS)
		causes.shift();
}

function causesOf(overview, which) {
	const before = causes[0];
	return Object.entries(overview[which]).map(([name, total]) => {
		const recent = total - (before?.[which]?.[name] ?? 0);
		return {name, total, recent: recent >= 0 ? recent : total};
	});
}
