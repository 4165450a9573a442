// SPDX-License-Identifier: Apache-2.0
// #/groups: groups with members on this node, their members, and a message to all of one.
import {ask, get, path} from "./api.js";
import {linkTo} from "./clients.js";
import {el, foreign, labelled, replace, setText, tableIn} from "./dom.js";
import {count} from "./format.js";

const PAGE = 100;

export class Groups {
	title = "Groups";
	#afters = [null];
	#next = null;
	#isOver = false;

	constructor(app, params) {
		this.app = app;
		this.group = params.get("group");
		this.told = el("p", {class: "soft", role: "status"});
		this.element = el("div", {class: "view"}, el("h1", {class: "long"},
			this.group === null ? "Groups" : ["Group ", foreign(this.group)]));
		if (this.group === null)
			this.#makeList();
		else
			this.#makeOne();
		this.refresh();
	}

	end() {
		this.#isOver = true;
	}

	#pages() {
		const turn = (text, change) => el("button", {type: "button", on: {click: () => {
			change();
			this.refresh();
		}}}, text);
		this.before = turn("Previous page", () => this.#afters.pop());
		this.after = turn("Next page", () => this.#afters.push(this.#next));
		return el("nav", {class: "pages", "aria-label": "Pages"}, this.before, this.after);
	}

	#makeList() {
		const {frame, body} = tableIn("Groups", [{text: "group"}, {text: "members here", number: true}]);
		this.body = body;
		this.element.append(el("section", {class: "card"}, this.told, frame, this.#pages()));
	}

	#makeOne() {
		const {frame, body} = tableIn("Members", [{text: "client"}, {text: "route"}]);
		this.body = body;
		this.element.prepend(el("p", null, el("a", {href: "#/groups"}, "← All groups")));
		this.element.append(this.#message(), el("section", {class: "card"}, el("h2", null, "Members on this node"),
			this.told, frame, this.#pages()));
	}

	#message() {
		const text = el("textarea", {rows: "2", spellcheck: "false"});
		const outcome = el("p", {class: "outcome", role: "status"});
		return el("form", {class: "card action", on: {submit: async (event) => {
			event.preventDefault();
			try {
				const result = await ask("POST", path("groups", this.group, "messages"),
					{body: text.value, query: {type: "text"}, type: "text/plain; charset=utf-8"});
				setText(outcome, `Queued to ${count(result.delivered)} members here` +
					(result.published ? ", and published for the other nodes." : "."));
			} catch (error) {
				setText(outcome, error.message);
			}
		}}}, el("h2", null, "Send to all of them"), labelled("Message, text", text),
		el("div", {class: "row"}, el("button", {type: "submit", class: "main"}, "Send"), outcome));
	}

	async refresh() {
		const after = this.#afters.at(-1);
		try {
			if (this.group === null)
				this.#showGroups(await get(path("groups"), {limit: PAGE, after}));
			else
				this.#showMembers(await get(path("groups", this.group, "members"), {limit: PAGE, cursor: after}));
		} catch (error) {
			if (this.#isOver)
				return;
			setText(this.told, error.message);
			this.app.failed(error);
		}
	}

	#turned(next) {
		this.#next = next;
		this.before.disabled = this.#afters.length === 1;
		this.after.disabled = next === null;
	}

	#showGroups(page) {
		this.#turned(page.next_after);
		setText(this.told, page.groups.length === 0 ? "No group has members on this node." : "Groups with members on this node.");
		replace(this.body, page.groups.map((group) => el("tr", null,
			el("th", {scope: "row"}, el("a", {href: `#/groups?group=${encodeURIComponent(group.name)}`}, foreign(group.name))),
			el("td", {class: "n"}, count(group.members)))));
	}

	#showMembers(page) {
		this.#turned(page.next_cursor);
		setText(this.told, page.members.length === 0 ? "No member is connected to this node." : "");
		replace(this.body, page.members.map((member) => el("tr", null,
			el("th", {scope: "row"}, el("a", {href: linkTo(member.route, member.client_id)}, foreign(member.client_id))),
			el("td", null, foreign(member.route)))));
	}
}
