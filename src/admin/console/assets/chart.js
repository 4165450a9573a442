// SPDX-License-Identifier: Apache-2.0
// Lines over time: axes with units, values under the pointer or by the arrow keys, and the same as a
// table for those who do not see it.
import {el, Frame, newId, replace, setText, svg} from "./dom.js";
import {clock, ticks, timeTicks} from "./format.js";

const HEIGHT = 190;
const MARGIN = {top: 12, right: 12, bottom: 24, left: 58};
const LETTER = 7; // [px] of the labels, at most on average
const TABLE_ROWS = 15;

// With gaps where nothing is known. What stands alone is a dot.
function linePath(points, x, y) {
	let path = "";
	let run = 0;
	for (const [index, {at, value}] of points.entries()) {
		run = value === null ? 0 : run + 1;
		if (run > 0)
			path += `${run > 1 ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
		if (run === 1 && (points[index + 1]?.value ?? null) === null)
			path += "h0";
	}
	return path;
}

// The nearest point to a time, or null if it is not near at all.
function nearest(points, at, most) {
	let found = null;
	for (const point of points)
		if (point.value !== null && Math.abs(point.at - at) <= most &&
			(found === null || Math.abs(point.at - at) < Math.abs(found.at - at)))
			found = point;
	return found;
}

export class Chart {
	#series;
	#format;
	#isBytes;
	#from = 0;
	#to = 1;
	#limit = null;
	#width = 0;
	#cursor = null; // a time that is looked at
	#frame = new Frame(() => this.#draw());

	// series: [{name, className}]; format(value): with its unit.
	constructor(title, series, {format, note = "", isBytes = false}) {
		this.#series = series.map((one) => ({...one, points: []}));
		this.#format = format;
		this.#isBytes = isBytes;
		this.#make(title, note);
		new ResizeObserver(() => this.#resized()).observe(this.plot);
	}

	#make(title, note) {
		const id = newId("chart");
		this.drawing = svg("svg", {class: "chart", role: "img", tabindex: "0", "aria-labelledby": id,
			on: {pointermove: (event) => this.#pointed(event), pointerleave: () => this.#look(null),
				blur: () => this.#look(null), keydown: (event) => this.#key(event)}});
		this.plot = el("div", {class: "plot"}, this.drawing);
		this.legend = this.#series.map((one) => ({
			value: el("b"), row: null, one}));
		this.when = el("li", {class: "when"});
		const list = el("ul", {class: "legend"}, this.legend.map((entry) =>
			el("li", null, svg("svg", {class: "key", viewBox: "0 0 30 10", "aria-hidden": "true"},
				svg("path", {d: "M1 5H29", class: `l ${entry.one.className}`})),
			entry.one.name, " ", entry.value)), this.when);
		this.told = el("p", {class: "unseen", "aria-live": "polite"});
		this.table = el("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": `${title}, as a table`});
		this.details = el("details", {on: {toggle: () => this.#fillTable()}},
			el("summary", null, "As a table"), this.table);
		this.element = el("figure", {class: "card"},
			el("figcaption", null, el("h3", {id}, title), note === "" ? null : el("p", null, note)),
			list, this.plot, this.told, this.details);
	}

	// data: the points of each series, [{at, value}]; limit: {value, text}, drawn if it is near.
	show(from, to, data, limit = null) {
		this.#from = from;
		this.#to = Math.max(to, from + 1000);
		this.#limit = limit;
		this.#series.forEach((one, index) => {
			one.points = data[index].filter((point) => point.at >= from - 60000);
		});
		this.#frame.ask();
	}

	#resized() {
		const width = Math.floor(this.plot.clientWidth);
		if (width !== this.#width && width > 0) {
			this.#width = width;
			this.#frame.ask();
		}
	}

	#most() {
		let most = 0;
		for (const {points} of this.#series)
			for (const {value} of points)
				most = Math.max(most, value ?? 0);
		return most;
	}

	#scales() {
		const most = this.#most();
		const near = this.#limit !== null && this.#limit.value <= most * 3 ? this.#limit.value : 0;
		const marks = ticks(Math.max(most, near), 4, this.#isBytes);
		const top = marks.at(-1);
		const longest = Math.max(...marks.map((value) => this.#format(value).length));
		const [left, right] = [Math.max(MARGIN.left, longest * LETTER + 8), this.#width - MARGIN.right];
		const [low, high] = [HEIGHT - MARGIN.bottom, MARGIN.top];
		return {marks, left, right, low, high, hasLimit: near > 0,
			x: (at) => left + (at - this.#from) / (this.#to - this.#from) * (right - left),
			y: (value) => low - value / top * (low - high)};
	}

	#draw() {
		if (this.#width < 120 || this.#from === 0) // nothing was shown yet
			return;
		const s = this.#scales();
		this.scales = s;
		this.drawing.setAttribute("viewBox", `0 0 ${this.#width} ${HEIGHT}`);
		replace(this.drawing, this.#axes(s), this.#lines(s), this.#limitLine(s),
			this.cursorLine = svg("path", {class: "cursor"}));
		this.#drawCursor();
		if (this.details.open)
			this.#fillTable();
	}

	#axes(s) {
		const wanted = Math.max(2, Math.floor((s.right - s.left) / 90));
		const withSeconds = this.#to - this.#from < 240000;
		return [
			s.marks.map((value) => [
				svg("path", {class: value === 0 ? "axis" : "g", d: `M${s.left} ${s.y(value)}H${s.right}`}),
				svg("text", {class: "ty", x: s.left - 8, y: s.y(value)}, this.#format(value))]),
			timeTicks(this.#from, this.#to, wanted).map((at) =>
				svg("text", {class: "tx", x: Math.min(Math.max(s.x(at), s.left + 8), s.right - 18), y: HEIGHT - 6},
					withSeconds ? clock(at) : clock(at).slice(0, 5))),
		];
	}

	#lines(s) {
		return this.#series.map(({points, className}, index) => {
			const inside = points.filter((point) => point.at >= this.#from);
			const path = linePath(inside, s.x, s.y);
			const known = inside.filter((point) => point.value !== null);
			const area = this.#series.length === 1 && known.length > 1 && known.length === inside.length ?
				svg("path", {class: `a ${className}`,
					d: `${path}L${s.x(known.at(-1).at)} ${s.low}L${s.x(known[0].at)} ${s.low}Z`}) : null;
			return [area, svg("path", {class: `l ${className}`, d: path, "data-series": String(index)})];
		});
	}

	#limitLine(s) {
		if (!s.hasLimit)
			return null;
		const y = s.y(this.#limit.value);
		return [svg("path", {class: "l limit", d: `M${s.left} ${y}H${s.right}`}),
			svg("text", {class: "mark", x: s.right, y: y < s.high + 16 ? y + 15 : y - 6}, this.#limit.text)];
	}

	// --- what is looked at ---

	#pointed(event) {
		const box = this.drawing.getBoundingClientRect();
		const x = (event.clientX - box.left) / box.width * this.#width;
		const s = this.scales;
		if (s !== undefined)
			this.#look(this.#from + (x - s.left) / (s.right - s.left) * (this.#to - this.#from));
	}

	#key(event) {
		const times = this.#series[0].points.map((point) => point.at).filter((at) => at >= this.#from);
		const at = this.#cursor === null ? times.length : times.findIndex((one) => one >= this.#cursor);
		const step = {ArrowLeft: -1, ArrowRight: 1, Home: -times.length, End: times.length}[event.key];
		if (step === undefined || times.length === 0)
			return;
		event.preventDefault();
		this.#look(times[Math.min(Math.max(at + step, 0), times.length - 1)]);
		setText(this.told, `${clock(this.#cursor)}: ` + this.legend.map(({one, value}) =>
			`${one.name} ${value.textContent}`).join(", "));
	}

	#look(at) {
		this.#cursor = at;
		this.#drawCursor();
	}

	#drawCursor() {
		const at = this.#cursor;
		const isIn = at !== null && at >= this.#from && at <= this.#to;
		const reach = (this.#to - this.#from) / 30;
		let shown = null;
		for (const {one, value} of this.legend) {
			const point = isIn ? nearest(one.points, at, reach) : one.points.at(-1);
			shown ??= isIn ? point : null;
			setText(value, point == null || point.value === null ? "–" : this.#format(point.value));
		}
		setText(this.when, shown === null ? "" : `at ${clock(shown.at)}`);
		const s = this.scales;
		if (this.cursorLine !== undefined)
			this.cursorLine.setAttribute("d", shown === null ? "" :
				`M${s.x(shown.at).toFixed(1)} ${s.high}V${s.low}`);
	}

	#fillTable() {
		if (!this.details.open)
			return;
		const rows = this.#series[0].points.filter((point) => point.at >= this.#from);
		const step = Math.max(1, Math.ceil(rows.length / TABLE_ROWS));
		const shown = rows.filter((_, index) => (rows.length - 1 - index) % step === 0).reverse();
		replace(this.table, el("table", null, el("caption", {class: "unseen"}, this.table.getAttribute("aria-label")),
			el("thead", null, el("tr", null, el("th", {scope: "col"}, "time"),
				this.#series.map(({name}) => el("th", {scope: "col", class: "n"}, name)))),
			el("tbody", null, shown.map(({at}) => el("tr", null, el("th", {scope: "row"}, clock(at)),
				this.#series.map(({points}) => {
					const value = points.find((point) => point.at === at)?.value ?? null;
					return el("td", {class: "n"}, value === null ? "–" : this.#format(value));
				}))))));
	}
}
