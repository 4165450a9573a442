// SPDX-License-Identifier: Apache-2.0
// Samples of counters over time, and rates from them.

// An hour of the gateway's history, and as much again of what came live.
const MOST = 4000;
// Between two samples further apart than this nothing is known.
const GAP_MS = 30000;
// What is as near as this tells the same.
const NEAR_MS = 2500;

export const COLUMNS = ["connections", "accepted", "refused", "closed", "messages_received",
	"messages_sent", "received_bytes", "sent_bytes"];

const sum = (counts) => Object.values(counts ?? {}).reduce((a, b) => a + b, 0);

// The row of an overview, as the history has them.
export function sampleOf(overview) {
	const totals = overview.totals;
	return {at: overview.at_ms, connections: totals.connections, accepted: totals.accepted,
		refused: sum(overview.refused), closed: sum(overview.closed),
		messages_received: totals.messages_received, messages_sent: totals.messages_sent,
		received_bytes: totals.received_bytes, sent_bytes: totals.sent_bytes};
}

export class Samples {
	rows = [];

	// The gateway's own: of the times at which there is nothing here.
	addHistory(history) {
		const column = Object.fromEntries(history.columns.map((name, index) => [name, index]));
		const all = [...this.rows];
		let next = 0;
		for (const row of history.rows) {
			const at = row[column.at_ms];
			while (next < this.rows.length && this.rows[next].at < at - NEAR_MS)
				next++;
			if (next < this.rows.length && this.rows[next].at <= at + NEAR_MS)
				continue;
			all.push({at, ...Object.fromEntries(COLUMNS.map((name) => [name, row[column[name]] ?? null]))});
		}
		this.rows = all.sort((a, b) => a.at - b.at).slice(-MOST);
	}

	add(sample) {
		const last = this.rows.at(-1);
		if (last !== undefined && sample.at <= last.at)
			return;
		this.rows.push(sample);
		if (this.rows.length > MOST)
			this.rows.splice(0, this.rows.length - MOST);
	}

	since(ms) {
		const from = this.rows.findIndex((row) => row.at >= ms);
		return from < 0 ? [] : this.rows.slice(Math.max(0, from - 1));
	}
}

// [{at, value}] of a gauge; null where it is not known.
export function gauge(rows, name) {
	const found = [];
	rows.forEach((row, index) => {
		if (index > 0 && row.at - rows[index - 1].at > GAP_MS)
			found.push({at: rows[index - 1].at + 1, value: null});
		found.push({at: row.at, value: row[name]});
	});
	return found;
}

// The same of a counter, per second. One that fell was begun anew: nothing is known there.
export function rates(rows, name, leastMs = 4000) {
	const found = [];
	let before = null;
	for (const row of rows) {
		const ms = before === null ? 0 : row.at - before.at;
		if (before !== null && ms < leastMs)
			continue;
		if (before !== null)
			found.push({at: row.at, value: rate(before[name], row[name], ms)});
		before = row;
	}
	return found;
}

export function rate(before, after, ms) {
	if (typeof before !== "number" || typeof after !== "number" || ms <= 0 || ms > GAP_MS || after < before)
		return null;
	return (after - before) * 1000 / ms;
}

// Rates of the counters of things with names (routes, back ends), from one overview to the next.
export class Rates {
	#before = new Map();
	#at = 0;
	#ms = 0;
	#now = new Map();

	// items: [[key, {name: counter}]]
	take(at, items) {
		if (at <= this.#at)
			return;
		this.#ms = this.#at === 0 ? 0 : at - this.#at;
		this.#at = at;
		this.#before = this.#now;
		this.#now = new Map(items);
	}

	of(key, name) {
		return rate(this.#before.get(key)?.[name], this.#now.get(key)?.[name], this.#ms);
	}
}
