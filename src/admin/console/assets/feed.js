// SPDX-License-Identifier: Apache-2.0
// What the gateway tells by itself: one stream (/api/v1/stream) for the whole page, with the overview
// and whatever is followed besides. Where no stream is to be had it asks every few seconds instead;
// when the gateway is away it tries again, less and less often, and says so.
import {ApiError, get, open, path} from "./api.js";
import {EventReader} from "./sse.js";

const OVERVIEW_EVERY = "2s";
const POLL_MS = 5000;
const STREAM_AGAIN_MS = 30000;
const SILENCE_MS = 20000; // the overview comes every 2 s: a connection that says nothing is dead
// What the gateway says when it ends a stream.
const ENDS = {token: "The token has changed.", rules: "The configuration has changed.", upgrade: "A new process takes over.",
	shutdown: "The gateway ends.", memory: "The gateway has no memory for the stream."};
const SOON_MS = 500;
const LEAVING_MS = 3000; // how long the gateway may take to see that our last stream has ended
const WAIT_MS = [1000, 2000, 4000, 8000, 15000, 30000];

const sleep = (ms, signal) => new Promise((done) => {
	const end = () => {
		clearTimeout(timer);
		signal.removeEventListener("abort", end);
		done();
	};
	const timer = setTimeout(end, ms);
	signal.addEventListener("abort", end);
});

export class Feed extends EventTarget {
	// state: "connecting", "live", "polling", "away", "stopped"; detail for people.
	state = "connecting";
	detail = "";
	nextTryAt = 0;
	overview = null;
	overviewAt = 0;
	#followed = null;
	#running = null;
	#failures = 0;
	#streamNotBefore = 0;
	#leftAt = 0;

	start() {
		if (this.state === "live")
			this.#leftAt = Date.now();
		this.#running?.abort();
		this.#tell("connecting", "");
		this.#failures = 0;
		this.#streamNotBefore = 0;
		this.#begin();
	}

	stop() {
		this.#running?.abort();
		this.#running = null;
		this.#tell("stopped", "");
	}

	// Try now, instead of when the wait is over.
	again() {
		if (this.#running !== null)
			this.start();
	}

	// What else is wanted: {tail, sample, body_bytes, log}, or null. Its events are dispatched as
	// "message", "log", "dropped".
	follow(query) {
		this.#followed = query;
		if (this.#running !== null && this.state !== "away")
			this.start();
	}

	#begin() {
		const running = new AbortController();
		this.#running = running;
		this.#run(running.signal).catch((error) => {
			if (this.#running === running)
				this.#tell("away", `The console failed: ${error.message}`);
			throw error;
		});
	}

	#tell(state, detail, nextTryAt = 0) {
		const isNew = this.state !== state || this.detail !== detail || this.nextTryAt !== nextTryAt;
		Object.assign(this, {state, detail, nextTryAt});
		if (isNew)
			this.dispatchEvent(new Event("state"));
	}

	async #run(signal) {
		while (!signal.aborted) {
			try {
				if (Date.now() >= this.#streamNotBefore)
					await this.#stream(signal);
				else
					await this.#poll(signal);
			} catch (error) {
				if (signal.aborted)
					return;
				if (!(error instanceof ApiError))
					throw error;
				if (!await this.#afterError(error, signal))
					return;
			}
		}
	}

	// False: there is nothing more to try before somebody does something.
	async #afterError(error, signal) {
		if (error.kind === "token" || error.kind === "forbidden") {
			this.#running = null;
			this.#tell("stopped", error.message);
			this.dispatchEvent(new CustomEvent("refused", {detail: error}));
			return false;
		}
		if (error.kind === "refused") {
			// The last place may be the one that this page has just left.
			if (Date.now() - this.#leftAt < LEAVING_MS) {
				await sleep(SOON_MS, signal);
				return true;
			}
			// No stream for us: all are taken. The overview can be had all the same.
			if (this.#streamNotBefore > Date.now())
				await this.#wait(error, signal);
			this.#streamNotBefore = Date.now() + STREAM_AGAIN_MS;
			this.detail = error.message;
			return true;
		}
		if (error.kind === "ended" && this.#failures++ === 0) {
			// It said why, and the next one is as good: a live upgrade, say.
			this.#tell("connecting", error.message);
			await sleep(SOON_MS, signal);
			return true;
		}
		await this.#wait(error, signal);
		return true;
	}

	async #wait(error, signal) {
		const ms = WAIT_MS[Math.min(this.#failures, WAIT_MS.length - 1)] * (0.75 + Math.random() / 2);
		this.#failures++;
		this.#tell("away", error.message, Date.now() + ms);
		await sleep(ms, signal);
	}

	async #poll(signal) {
		const overview = await get(path("overview"), null, signal);
		this.#tell("polling", this.detail);
		this.#take(overview);
		await sleep(POLL_MS, signal);
	}

	async #stream(signal) {
		const closing = new AbortController();
		const both = AbortSignal.any([signal, closing.signal]);
		let timer = setTimeout(() => closing.abort(), SILENCE_MS);
		const alive = () => {
			clearTimeout(timer);
			timer = setTimeout(() => closing.abort(), SILENCE_MS);
		};
		try {
			const response = await open(path("stream"),
				{overview: OVERVIEW_EVERY, ...this.#followed}, both);
			this.#tell("live", "");
			await this.#read(response, alive);
		} catch (error) {
			if (signal.aborted || error instanceof ApiError)
				throw error;
			throw new ApiError("away", closing.signal.aborted ?
				`The gateway has been silent for ${SILENCE_MS / 1000} s.` :
				"The connection to the gateway broke.");
		} finally {
			clearTimeout(timer);
		}
		throw new ApiError("away", "The gateway ended the connection.");
	}

	async #read(response, alive) {
		const reader = new EventReader((type, data) => this.#event(type, JSON.parse(data)));
		const decoder = new TextDecoder();
		const source = response.body.getReader();
		for (;;) {
			const {done, value} = await source.read();
			if (done)
				return;
			alive();
			reader.push(decoder.decode(value, {stream: true}));
		}
	}

	#event(type, data) {
		if (type === "overview")
			this.#take(data);
		else if (type === "end")
			throw new ApiError("ended", ENDS[data.reason] ?? `The gateway ended the stream: ${data.reason}.`);
		else
			this.dispatchEvent(new CustomEvent(type, {detail: data}));
	}

	#take(overview) {
		this.#failures = 0;
		this.overview = overview;
		this.overviewAt = Date.now();
		this.dispatchEvent(new CustomEvent("overview", {detail: overview}));
	}
}
