// SPDX-License-Identifier: Apache-2.0
// #/control: who is kept out, and whether clients are being let go.
import {ask, get, path, post} from "./api.js";
import {linkTo} from "./clients.js";
import {confirmed} from "./dialog.js";
import {el, foreign, labelled, reconcile, replace, setText, tableIn} from "./dom.js";
import {count, dateTime, duration} from "./format.js";
import {plain} from "./text.js";

const EVERY_MS = 3000;
const MOST_BLOCKS = 200;

export class Control {
	title = "Control";
	#timer = 0;
	#isOver = false;

	constructor(app) {
		this.app = app;
		this.element = el("div", {class: "view"}, el("h1", null, "Control"), this.#makeDrain(), this.#makeBlocks());
		this.refresh();
	}

	end() {
		this.#isOver = true;
		clearTimeout(this.#timer);
	}

	#makeDrain() {
		this.drain = el("dl", {class: "facts"});
		this.drainTold = el("p", {class: "outcome", role: "status"});
		this.cancel = el("button", {type: "button", hidden: true, on: {click: () => this.#cancel()}}, "Cancel the drain");
		const over = el("input", {type: "text", value: "5m", autocomplete: "off", required: true});
		const percent = el("input", {type: "number", min: "1", max: "100", value: "100"});
		return el("section", {class: "card"}, el("h2", null, "Drain"),
			el("p", {class: "soft"}, "Lets the clients of this node go one by one, with 1012 and a time to come back."), this.drain,
			el("form", {class: "filters", on: {submit: (event) => {
				event.preventDefault();
				this.#begin(over.value, Number(percent.value));
			}}}, labelled("Over", over, {hint: "30s, 5m, 1h"}),
			labelled("Per cent of them", percent, {hint: "100: the node is out of service"}),
			el("button", {type: "submit", class: "danger"}, "Drain …"), this.cancel), this.drainTold);
	}

	#makeBlocks() {
		const {frame, body} = tableIn("Blocks", [{text: "kept out"}, {text: "what", className: "wide"}, {text: "why"},
			{text: "for another", number: true}, {text: "let in again"}]);
		this.blocks = body;
		this.blockFrame = frame;
		this.blocksTold = el("p", {class: "soft", role: "status"});
		return el("section", {class: "card"}, el("h2", null, "Blocks"),
			el("p", {class: "soft"}, "Client ids and addresses that are refused for a time. A client is blocked from its own page."),
			this.blocksTold, frame);
	}

	async refresh() {
		clearTimeout(this.#timer);
		await Promise.all([
			this.#read("drain", this.drainTold, (drain) => this.#showDrain(drain)),
			this.#read("blocks", this.blocksTold, ({blocks}) => this.#showBlocks(blocks))]);
		if (!this.#isOver)
			this.#timer = setTimeout(() => this.refresh(), EVERY_MS);
	}

	async #read(what, told, show) {
		try {
			const answer = await get(path(what), what === "blocks" ? {limit: MOST_BLOCKS} : null);
			if (!this.#isOver)
				show(answer);
		} catch (error) {
			if (!this.#isOver && !this.app.failed(error))
				setText(told, error.message);
		}
	}

	#showDrain(drain) {
		const facts = [["State", drain.state], ["Left", drain.left === null ? null : count(drain.left)],
			["Let go", count(drain.closed)], ["Ready in", drain.eta_seconds > 0 ? duration(drain.eta_seconds) : null]];
		replace(this.drain, facts.filter(([, value]) => value !== null).map(([name, value]) =>
			el("div", null, el("dt", null, name), el("dd", null, value))));
		this.cancel.hidden = !["waiting", "under_way"].includes(drain.state);
	}

	async #begin(over, percent) {
		const whom = percent === 100 ? "All clients of this node are sent away, and it takes no new ones." :
			`${percent} % of the clients of this node are sent away; it stays in service.`;
		if (!await confirmed("Let clients go?", whom, "Drain", this.app.node?.name ?? ""))
			return;
		await this.#do(() => post(path("drain"), percent === 100 ? {over} : {over, percent}), "It has begun.");
	}

	#cancel() {
		return this.#do(() => ask("DELETE", path("drain")), "It was cancelled.");
	}

	async #do(run, good) {
		try {
			await run();
			setText(this.drainTold, good);
		} catch (error) {
			setText(this.drainTold, error.message);
		}
		this.refresh();
	}

	#showBlocks(blocks) {
		this.blockFrame.hidden = blocks.length === 0;
		setText(this.blocksTold, blocks.length === 0 ? "Nobody is blocked." :
			blocks.length === MOST_BLOCKS ? `The first ${MOST_BLOCKS}; the API has them all.` : "");
		// One that was made anew is another row; of the others only the time moves, and the focus stays where it is.
		reconcile(this.blocks, blocks, (block) => `${block.id} ${block.blocked_at}`, (block) => this.#row(block),
			(row, block) => setText(row.left, duration(block.expires_in)));
	}

	#row(block) {
		const left = el("td", {class: "n", title: `until ${dateTime(block.expires_at * 1000)}`});
		const isClient = block.client_id !== null;
		const row = el("tr", null,
			el("th", {scope: "row"}, isClient ? el("a", {href: linkTo(block.route, block.client_id)}, foreign(block.client_id)) :
				foreign(block.address)),
			el("td", {class: "wide"}, isClient ? ["client on ", foreign(block.route)] :
				block.route === null ? "address" : ["address, on ", foreign(block.route)]),
			el("td", {class: "text"}, block.reason === null ? "" : foreign(block.reason)), left,
			el("td", null, el("button", {type: "button", class: "small", on: {click: () => this.#lift(block)},
				"aria-label": `Let ${plain(block.client_id ?? block.address, 60)} in again`}, "Let in")));
		return Object.assign(row, {left});
	}

	async #lift(block) {
		try {
			await ask("DELETE", path("blocks", block.id));
		} catch (error) {
			setText(this.blocksTold, error.message);
		}
		this.refresh();
	}
}
