// SPDX-License-Identifier: Apache-2.0
// Reads text/event-stream piece by piece. EventSource cannot send a token, so fetch() it is.

// No event of ours is longer; what is, is no stream of ours.
const LONGEST = 4 * 1024 * 1024;

export class EventReader {
	#rest = "";
	#type = "";
	#data = [];
	#onEvent;

	// onEvent(type, data): of each whole event with data.
	constructor(onEvent) {
		this.#onEvent = onEvent;
	}

	push(text) {
		this.#rest += text;
		let at = 0;
		for (;;) {
			const end = this.#rest.indexOf("\n", at);
			if (end < 0)
				break;
			this.#line(this.#rest.slice(at, this.#rest[end - 1] === "\r" ? end - 1 : end));
			at = end + 1;
		}
		this.#rest = this.#rest.slice(at);
		if (this.#rest.length > LONGEST)
			throw new Error("a line of the stream is too long");
	}

	#line(line) {
		if (line === "") {
			if (this.#data.length > 0)
				this.#onEvent(this.#type || "message", this.#data.join("\n"));
			this.#type = "";
			this.#data = [];
			return;
		}
		const colon = line.indexOf(":");
		const field = colon < 0 ? line : line.slice(0, colon);
		const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
		if (field === "event")
			this.#type = value;
		else if (field === "data")
			this.#data.push(value);
	}
}
