// SPDX-License-Identifier: Apache-2.0
// The console: which view is shown, what the gateway told last, and what to do when it does not answer.
import {forgetToken, get, path, token} from "./api.js";
import {Client} from "./client.js";
import {Clients} from "./clients.js";
import {Control} from "./control.js";
import {el, foreign, replace, setText} from "./dom.js";
import {Feed} from "./feed.js";
import {clock} from "./format.js";
import {Groups} from "./groups.js";
import {Keys} from "./keys.js";
import {Live} from "./live.js";
import {Overview, remember} from "./overview.js";
import {shutOut, signIn} from "./signin.js";

const VIEWS = {"/": Overview, "/clients": Clients, "/client": Client, "/live": Live, "/groups": Groups, "/control": Control};
const AGAIN_MS = 3000;
const find = (id) => document.getElementById(id);

class App {
	feed = new Feed();
	node = null;
	lastSearch = "#/clients";
	#view = null;
	#isOut = true; // nobody is signed in yet
	#version = null;
	#attempts = 0;
	#again = 0; // timer of the next attempt

	constructor() {
		this.feed.addEventListener("overview", (event) => this.#overview(event.detail));
		this.feed.addEventListener("state", () => this.#state());
		this.feed.addEventListener("refused", (event) => this.failed(event.detail));
		addEventListener("hashchange", () => this.#route());
		setInterval(() => this.#state(), 1000);
		this.#buttons();
		this.keys = new Keys([
			{key: "/", text: "search for a client", run: () => this.#search()},
			{key: "1", text: "overview", run: () => this.#go("#/")}, {key: "2", text: "clients", run: () => this.#go("#/clients")},
			{key: "3", text: "live", run: () => this.#go("#/live")}, {key: "4", text: "groups", run: () => this.#go("#/groups")},
			{key: "5", text: "drain and blocks", run: () => this.#go("#/control")},
			{key: "r", text: "ask anew", run: () => this.#view?.refresh?.()},
			{key: "p", text: "pause what is followed, or go on", run: () => this.#view?.tail?.togglePause()},
			{key: "t", text: "light, dark, as the system", run: () => this.#theme()}]);
		this.begin();
	}

	// --- the way in ---

	// Of several attempts only the last counts: each button that is pressed is one more.
	async begin() {
		clearTimeout(this.#again);
		const attempt = ++this.#attempts;
		try {
			const node = await get(path("node"));
			if (attempt !== this.#attempts)
				return;
			this.node = node;
		} catch (error) {
			if (attempt === this.#attempts && !this.failed(error))
				this.#wait(error);
			return;
		}
		this.#isOut = false;
		find("forget").hidden = token() === null;
		this.feed.start();
		this.#route();
	}

	// The gateway was away before the page had anything.
	#wait(error) {
		this.#notice(`${error.message} The console tries again every ${AGAIN_MS / 1000} s.`, true);
		this.#again = setTimeout(() => this.begin(), AGAIN_MS);
	}

	// True: it was about who may ask, and the page asks for what is missing.
	failed(error) {
		if (error.kind !== "token" && error.kind !== "forbidden")
			return false;
		if (this.#isOut && this.#view !== null && error.kind === "token" && token() === null)
			return true;
		this.#isOut = true;
		this.feed.stop();
		this.#notice("");
		this.#show(error.kind === "token" ? signIn(error, () => this.begin()) : shutOut(error, () => this.begin()));
		find("forget").hidden = true;
		return true;
	}

	// --- views ---

	#show(view) {
		this.#view?.end();
		this.#view = view;
		replace(find("main"), view.element);
		document.title = `${view.title} · ${this.node?.name ?? ""} · Gatehouse`;
		(view.focus ?? (() => {}))();
	}

	#route() {
		if (this.#isOut)
			return;
		const hash = location.hash.slice(1) || "/";
		const cut = hash.indexOf("?");
		const place = cut < 0 ? hash : hash.slice(0, cut);
		const params = new URLSearchParams(cut < 0 ? "" : hash.slice(cut + 1));
		if (place === "/clients")
			this.lastSearch = `#${hash}`;
		const View = VIEWS[place];
		const isFirst = this.#view === null;
		this.#show(View === undefined ? nothing(place) : new View(this, params));
		for (const link of document.querySelectorAll("nav a[data-place]"))
			if (link.dataset.place === place || (place === "/client" && link.dataset.place === "/clients"))
				link.setAttribute("aria-current", "page");
			else
				link.removeAttribute("aria-current");
		if (!isFirst)
			find("main").focus({preventScroll: true});
		scrollTo(0, 0);
		if (this.feed.overview !== null)
			this.#view.update?.(this.feed.overview);
	}

	// Changes the address, and shows nothing anew.
	place(where, params) {
		const text = params.toString();
		this.lastSearch = `#${where}${text === "" ? "" : "?" + text}`;
		history.replaceState(null, "", this.lastSearch);
	}

	#go(hash) {
		if (location.hash === hash)
			this.#route();
		else
			location.hash = hash;
	}

	#search() {
		if (this.#view?.focusSearch === undefined && !this.#isOut) {
			history.pushState(null, "", "#/clients"); // at once: what is typed next belongs there
			this.#route();
		}
		this.#view?.focusSearch?.();
	}

	// --- what comes ---

	#overview(overview) {
		this.#version ??= overview.version;
		remember(overview);
		replace(find("node"), foreign(overview.node));
		this.#status(overview.status, overview.status === "ready" && overview.problems.length === 0);
		this.#view?.update?.(overview);
	}

	#status(text, isGood) {
		setText(find("status"), text).className = `badge ${isGood ? "good" : "bad"}`;
	}

	#state() {
		const {state, detail, nextTryAt, overviewAt} = this.feed;
		const isAway = state === "away";
		document.body.classList.toggle("away", isAway);
		if (this.#isOut)
			return;
		if (isAway) {
			this.#status("no answer", false);
			const left = Math.max(0, Math.ceil((nextTryAt - Date.now()) / 1000));
			this.#notice(`${detail} ${overviewAt === 0 ? "" : `What is shown is of ${clock(overviewAt)}. `}` +
				(left > 0 ? `Next try in ${left} s.` : "Trying …"), true);
		} else if (state === "polling") {
			this.#notice(`There is no stream now, so the page asks every 5 s. ${detail}`);
		} else if (this.#version !== null && this.feed.overview.version !== this.#version) {
			this.#notice(`The gateway is version ${this.feed.overview.version} now, this page is of ${this.#version}: load it anew.`);
		} else {
			this.#notice("");
		}
	}

	#notice(text, canTry = false) {
		const notice = find("notice");
		if (notice.text === text)
			return;
		notice.text = text;
		notice.hidden = text === "";
		setText(find("notice-text"), text);
		find("try").hidden = !canTry;
	}

	// --- buttons of the head ---

	#buttons() {
		find("theme").addEventListener("click", () => this.#theme());
		find("help").addEventListener("click", () => this.keys.help());
		find("try").addEventListener("click", () => this.#isOut ? this.begin() : this.feed.again());
		find("forget").addEventListener("click", () => {
			forgetToken();
			this.begin();
		});
		find("skip").addEventListener("click", (event) => {
			event.preventDefault();
			find("main").focus();
		});
		this.#tellTheme();
	}

	#theme() {
		const root = document.documentElement;
		const next = {undefined: "dark", dark: "light", light: undefined}[root.dataset.theme];
		if (next === undefined)
			delete root.dataset.theme;
		else
			root.dataset.theme = next;
		try {
			if (next === undefined)
				localStorage.removeItem("gatehouse-theme");
			else
				localStorage.setItem("gatehouse-theme", next);
		} catch {
			// No storage: for this page only.
		}
		this.#tellTheme();
	}

	#tellTheme() {
		setText(find("theme-name"), document.documentElement.dataset.theme ?? "system");
	}
}

function nothing(place) {
	return {title: "Nothing", end() {}, element: el("div", {class: "view"}, el("h1", null, "Nothing is here"),
		el("p", null, "The console has no view ", foreign(place), ". ", el("a", {href: "#/"}, "To the overview")))};
}

new App();
