// The connection to the service: one event stream a tab, and reads that repeat while somebody looks.
//
// The stream is closed while the tab is hidden or paused, since a browser has six connections to an origin.
import { API, freeze, noteServerTime, useEffect, useRef, useState } from "./base.js";

export const SCHEMA = 1;
const FIRST_DELAY = 1000;
const LAST_DELAY = 30000;
const EVENTS = ["tick", "run", "runs", "log", "health", "banner", "resync"];

// The connection as the top bar shows it: connecting, live, paused, hidden, reconnecting, draining, stopped, login.
export const link = { state: "connecting", reason: "", retryAt: 0, needsToken: false };
// Of every answer, the parts that the frame shows: instance, ready, keeps, banner.
export const frame = {};

let source = null;
let topics = "";
let lastId = "";
let timer = 0;
let delay = FIRST_DELAY;
let instance = null;
const handlers = new Set();
const watchers = new Set();
let scheduled = false;

// Redraws those who watch, at most once a frame however many events came.
function changed() {
	if (scheduled) return;
	scheduled = true;
	setTimeout(() => {
		scheduled = false;
		watchers.forEach((watcher) => watcher());
	}, 16);
}

function set(state, reason = "") {
	Object.assign(link, { state, reason });
	changed();
}

export function useRedraw() {
	const [, redraw] = useState(0);
	useEffect(() => {
		const watcher = () => redraw((n) => n + 1);
		watchers.add(watcher);
		return () => watchers.delete(watcher);
	}, []);
}

// Redraws while something ticks. It rests while the tab is hidden or paused.
export function useTicking(ms = 1000, wanted = true) {
	const [, redraw] = useState(0);
	useEffect(() => {
		if (!wanted) return;
		const id = setInterval(() => !document.hidden && link.state !== "paused" && redraw((n) => n + 1), ms);
		return () => clearInterval(id);
	}, [ms, wanted]);
}

export const isPaused = () => link.state === "paused";
const isOver = () => link.state === "stopped" || link.state === "login";

function close() {
	clearTimeout(timer);
	source?.close();
	source = null;
}

function open() {
	close();
	if (isPaused() || isOver()) return;
	if (document.hidden) return set("hidden");
	const query = new URLSearchParams({ topics });
	// A new EventSource cannot send the header `Last-Event-ID`.
	if (lastId) query.set("last_event_id", lastId);
	const opened = (source = new EventSource(`${API}stream?${query}`));
	opened.addEventListener("hello", (event) => greet(JSON.parse(event.data)));
	opened.addEventListener("bye", (event) => {
		const { retry_ms, reason } = JSON.parse(event.data || "{}");
		close();
		set("draining", reason ?? "the service stops");
		later(retry_ms ?? 2000);
	});
	for (const name of EVENTS) {
		opened.addEventListener(name, (event) => {
			if (event.lastEventId) lastId = event.lastEventId;
			const data = JSON.parse(event.data || "{}");
			noteFrame(data);
			handlers.forEach((handler) => handler(name, data));
			changed();
		});
	}
	opened.onerror = () => {
		if (source !== opened) return;
		close();
		retry();
	};
}

function greet(hello) {
	if (hello.schema !== SCHEMA) return stop("the service speaks another version of this page; load it again");
	if (instance && hello.instance.service !== instance.service) return stop(`another service answers now: ${hello.instance.service}`);
	// After a restart, old positions in the stream mean nothing.
	const restarted = instance && (hello.instance.id !== instance.id || hello.instance.started_us !== instance.started_us);
	instance = hello.instance;
	noteServerTime(hello.server_time_us);
	frame.instance = hello.instance;
	delay = FIRST_DELAY;
	set("live");
	if (restarted) {
		lastId = "";
		handlers.forEach((handler) => handler("resync", {}));
	}
}

export function stop(reason) {
	close();
	set("stopped", reason);
}

// An event source does not tell why it failed, so a read does.
async function retry() {
	try {
		const response = await fetch(`${API}about`, { headers: { accept: "application/json" } });
		if (response.status === 401) return askForToken();
		if (response.status === 403 || response.status === 404) return stop(await reasonOf(response));
	} catch {}
	set("reconnecting");
	later(delay * (0.5 + Math.random()));
	delay = Math.min(delay * 2, LAST_DELAY);
}

function later(ms) {
	link.retryAt = Date.now() + ms;
	timer = setTimeout(open, ms);
}

function askForToken() {
	close();
	link.needsToken = true;
	set("login");
}

async function reasonOf(response) {
	try {
		return (await response.json()).error ?? `status ${response.status}`;
	} catch {
		return `status ${response.status}`;
	}
}

function noteFrame(data) {
	noteServerTime(data.server_time_us);
	for (const part of ["instance", "ready", "keeps", "banner"]) {
		if (data[part]) frame[part] = part === "keeps" ? { ...frame.keeps, ...data.keeps } : data[part];
	}
}

export function pause(yes) {
	if (isOver()) return;
	freeze(yes);
	close();
	set(yes ? "paused" : "connecting");
	if (!yes) {
		open();
		handlers.forEach((handler) => handler("resync", {}));
	}
}

export function start() {
	document.addEventListener("visibilitychange", () => {
		if (isPaused() || isOver()) return;
		if (document.hidden) {
			close();
			set("hidden");
		} else {
			open();
			// Reads rested meanwhile.
			handlers.forEach((handler) => handler("resync", {}));
		}
	});
	addEventListener("pagehide", close);
	addEventListener("pageshow", (event) => event.persisted && open());
}

// Follows topics of the stream as long as the caller is shown. One screen is shown at a time.
export function useStream(wanted, handler) {
	const latest = useRef(handler);
	latest.current = handler;
	useEffect(() => {
		const own = (name, data) => latest.current?.(name, data);
		handlers.add(own);
		topics = wanted;
		open();
		return () => handlers.delete(own);
	}, [wanted]);
}

// Reads JSON. The error has the service's own sentence and the status.
export async function read(path, signal) {
	const response = await fetch(API + path, { headers: { accept: "application/json" }, signal });
	if (response.ok) {
		const data = await response.json();
		noteFrame(data);
		changed();
		return data;
	}
	if (response.status === 401) askForToken();
	throw Object.assign(new Error(await reasonOf(response)), { status: response.status });
}

// The answer to a path: read at once, again when the path changes, after a gap in the stream, and every `every` ms.
// The last answer stays until the next has come, so nothing flickers.
export function useRead(path, every = 0) {
	const [answer, setAnswer] = useState({ data: null, error: null, path: null });
	const again = useRef(() => {});
	useEffect(() => {
		if (!path) return;
		const abort = new AbortController();
		let id = 0;
		const run = async () => {
			clearTimeout(id);
			if (!(document.hidden || isPaused() || isOver()) || answer.path !== path) {
				try {
					const began = Date.now();
					const data = await read(path, abort.signal);
					setAnswer({ data, error: null, path, began });
				} catch (error) {
					if (abort.signal.aborted) return;
					setAnswer((last) => ({ data: last.path === path ? last.data : null, error, path }));
				}
			}
			if (every && !isOver() && !abort.signal.aborted) id = setTimeout(run, every);
		};
		again.current = run;
		run();
		const own = (name) => name === "resync" && run();
		handlers.add(own);
		return () => {
			handlers.delete(own);
			clearTimeout(id);
			abort.abort();
		};
	}, [path, every]);
	return { ...answer, again: () => again.current() };
}

// The answer to a path, changed by the events of a topic. Those that came while it was read may be newer than it, so they are
// applied to it too; applying an event twice changes nothing.
export function useFollowed(path, topic, apply) {
	const answer = useRead(path);
	const [data, setData] = useState(null);
	const recent = useRef([]);
	useEffect(() => {
		if (!answer.data) return;
		recent.current = recent.current.filter(([at]) => at >= answer.began);
		setData(recent.current.reduce((last, [, ...event]) => apply(last, ...event), answer.data));
	}, [answer.data]);
	useStream(topic, (...event) => {
		recent.current = [...recent.current.slice(-20), [Date.now(), ...event]];
		setData((last) => last && apply(last, ...event));
	});
	return { ...answer, data };
}

export async function post(path, body = "") {
	return fetch(path, { method: "POST", body: new URLSearchParams(body) });
}

// Signs in. Returns an error's sentence, or nothing.
export async function signIn(base, token) {
	const response = await post(`${base}login`, { token });
	if (!response.ok) return response.status === 429 ? "too many wrong tokens; wait a second" : await reasonOf(response);
	set("connecting");
	open();
	handlers.forEach((handler) => handler("resync", {}));
}
