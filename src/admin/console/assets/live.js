// SPDX-License-Identifier: Apache-2.0
// #/live: the messages of a route, and the log.
import {el, labelled, select} from "./dom.js";
import {Tail} from "./tail.js";

const LEVELS = [["", "no"], ["error", "errors"], ["warn", "warnings"], ["info", "info"], ["debug", "debug"]];

export class Live {
	title = "Live";

	constructor(app, params) {
		const routes = (app.node?.routes ?? []).map((route) => [route.name, route.name]);
		this.route = select([["", "no"], ...routes], params.get("route") ?? routes[0]?.[0] ?? "");
		this.level = select(LEVELS, params.get("log") ?? "info");
		for (const control of [this.route, this.level])
			control.addEventListener("change", () => this.tail.change(this.#query()));
		this.tail = new Tail(app, this.#query(), {title: "Messages and log", choice: [
			labelled("Messages of route", this.route), labelled("Log, down to", this.level)]});
		this.element = el("div", {class: "view"}, el("h1", null, "Live"),
			el("p", {class: "soft"}, "Of this node. Values that are redacted by rule, and bodies in which they cannot be found, do not leave the gateway (admin.tail_bodies). ",
				"To follow one client, open it under Clients."), this.tail.element);
	}

	#query() {
		const query = {};
		if (this.route.value !== "")
			query.tail = this.route.value;
		if (this.level.value !== "")
			query.log = this.level.value;
		return query;
	}

	end() {
		this.tail.end();
	}
}
