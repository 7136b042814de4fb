// The connection to the service: one event stream a tab, and reads that repeat while somebody looks.
// A browser has six connections to an origin, so a hidden or paused tab holds none.
import { API, freeze, noteServerTime, tell, useEffect, useRef, useState } from "./base.js";

export const SCHEMA = 1;
const FIRST_DELAY = 1000;
const LAST_DELAY = 30000;
// The server sends something every second.
const LONGEST_SILENCE = 5000;
const EVENTS = ["tick", "run", "runs", "log", "health", "banner", "resync"];

// Its state is connecting, live, paused, hidden, reconnecting, refused, draining, stopped, login.
export const link = { state: "connecting", reason: "", retryAt: 0 };
// Of every answer, the parts that the frame shows: instance, ready, keeps, banner.
export const frame = {};

let source = null;
let topics = "";
let lastId = "";
let timer = 0;
let silence = 0;
// Counts calls of `close`, so what waited for an answer knows that it is late.
let closed = 0;
let delay = FIRST_DELAY;
let instance = null;
const handlers = new Set();
let scheduled = false;

// Redraws those who watch, at most once a frame however many events came.
function changed() {
	if (scheduled) return;
	scheduled = true;
	setTimeout(() => {
		scheduled = false;
		tell("monitor-link");
	}, 16);
}

function set(state, reason = "") {
	Object.assign(link, { state, reason });
	freeze(isPaused());
	changed();
}

const readAgain = () => handlers.forEach((handler) => handler("resync", {}));

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
	closed += 1;
	clearTimeout(timer);
	clearTimeout(silence);
	source?.close();
	source = null;
}

function open() {
	close();
	if (isPaused() || isOver()) return;
	if (document.hidden) return set("hidden");
	if (link.state === "refused") set("connecting");
	const query = new URLSearchParams({ topics });
	// A new EventSource cannot send the header `Last-Event-ID`.
	if (lastId) query.set("last_event_id", lastId);
	const url = `${API}stream?${query}`;
	const opened = (source = new EventSource(url));
	// A connection that broke without a word raises no error.
	const heard = () => {
		clearTimeout(silence);
		silence = setTimeout(retry, LONGEST_SILENCE, url);
	};
	const on = (name, handle) =>
		opened.addEventListener(name, (event) => {
			heard();
			if (event.lastEventId) lastId = event.lastEventId;
			handle(JSON.parse(event.data || "{}"));
		});
	heard();
	on("hello", greet);
	on("bye", ({ retry_ms, reason }) => {
		close();
		set("draining", reason ?? "the service stops");
		later(retry_ms ?? 2000);
	});
	for (const name of EVENTS) {
		on(name, (data) => {
			noteFrame(data);
			handlers.forEach((handler) => handler(name, data));
			changed();
		});
	}
	opened.onerror = () => source === opened && retry(url);
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
		readAgain();
	}
}

export function stop(reason) {
	close();
	set("stopped", reason);
}

// An event source does not tell why it failed, so a read of the same tells.
async function retry(url) {
	close();
	if (link.state === "live") set("reconnecting");
	const mine = closed;
	const abort = new AbortController();
	setTimeout(() => abort.abort(), LONGEST_SILENCE);
	let status = 0;
	let reason = "";
	try {
		const response = await fetch(url, { signal: abort.signal });
		({ status } = response);
		if (!response.ok) reason = await reasonOf(response);
	} catch {}
	abort.abort();
	if (mine !== closed) return;
	if (status === 401) return askForToken();
	if (status === 403 || status === 404) return stop(reason);
	// A request that is wrong stays so until another screen makes another.
	if (status >= 400 && status < 500) return set("refused", reason);
	set("reconnecting", reason);
	later(delay * (0.5 + Math.random()));
	delay = Math.min(delay * 2, LAST_DELAY);
}

function later(ms) {
	link.retryAt = Date.now() + ms;
	timer = setTimeout(open, ms);
}

function askForToken() {
	close();
	// That of a sign-in by link stays.
	set("login", link.state === "connecting" || link.state === "login" ? link.reason : "");
}

const reasonOf = async (response) => (await response.json().catch(() => ({}))).error ?? `status ${response.status}`;

function noteFrame(data) {
	noteServerTime(data.server_time_us);
	for (const part of ["instance", "ready", "keeps", "banner"]) {
		if (data[part]) frame[part] = part === "keeps" ? { ...frame.keeps, ...data.keeps } : data[part];
	}
}

export function pause(yes) {
	if (isOver()) return;
	close();
	set(yes ? "paused" : "connecting");
	if (!yes) follow();
}

// Reads rested meanwhile.
function follow() {
	open();
	readAgain();
}

export function start() {
	document.addEventListener("visibilitychange", () => {
		if (isPaused() || isOver()) return;
		if (document.hidden) {
			close();
			set("hidden");
		} else follow();
	});
	addEventListener("pagehide", close);
	addEventListener("pageshow", (event) => event.persisted && open());
}

// Follows topics of the stream. One screen is shown at a time.
export function useStream(wanted, handler) {
	const latest = useRef(handler);
	latest.current = handler;
	useEffect(() => {
		const own = (name, data) => latest.current?.(name, data);
		handlers.add(own);
		if (topics !== wanted) lastId = "";
		topics = wanted;
		open();
		return () => handlers.delete(own);
	}, [wanted]);
}

const SILENT = "the service does not answer";

// The error has the service's own sentence and the status.
export async function ask(path, init) {
	const response = await fetch(path, init).catch(() => {
		throw new Error(SILENT);
	});
	if (response.ok) return response;
	if (response.status === 401) askForToken();
	throw Object.assign(new Error(await reasonOf(response)), { status: response.status });
}

export const change = (path) => ask(path, { method: "POST", body: new URLSearchParams() });

// Reads JSON.
export async function read(path, signal) {
	const data = await (await ask(API + path, { headers: { accept: "application/json" }, signal })).json();
	noteFrame(data);
	changed();
	return data;
}

// The answer to a path: read at once, after a gap in the stream, and every `every` ms. It stays until the next has come.
export function useRead(path, every = 0) {
	const [answer, setAnswer] = useState({ data: null, error: null, path: null });
	const again = useRef(() => {});
	useEffect(() => {
		if (!path) return;
		const abort = new AbortController();
		let id = 0;
		let isNeeded = true;
		let wait = every;
		const run = async () => {
			if (!document.hidden && (isNeeded || !(isPaused() || isOver()))) {
				isNeeded = false;
				try {
					const began = Date.now();
					const data = await read(path, abort.signal);
					setAnswer({ data, error: null, path, began });
					wait = every;
				} catch (error) {
					if (abort.signal.aborted) return;
					setAnswer((last) => ({ data: last.path === path ? last.data : null, error, path }));
					wait = every && Math.min(wait * 2, LAST_DELAY);
				}
			}
			clearTimeout(id);
			if (every && !isOver() && !abort.signal.aborted) id = setTimeout(run, wait);
		};
		again.current = () => {
			isNeeded = true;
			run();
		};
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

// The answer to a path, changed by the events of a topic, also by those that came while it was read: applying one twice changes nothing.
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

// Returns an error's sentence, or nothing.
export async function signIn(base, token) {
	const response = await fetch(`${base}login`, { method: "POST", body: new URLSearchParams({ token }) }).catch(() => null);
	if (!response?.ok) return response ? reasonOf(response) : SILENT;
	set("connecting");
	if (topics) follow();
}

export async function signOut(base) {
	await change(`${base}logout`);
	askForToken();
}
