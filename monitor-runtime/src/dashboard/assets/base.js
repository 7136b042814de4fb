// What every screen uses: markup, addresses, figures.
import { Fragment, h, render } from "./vendor/preact.js";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/hooks.js";
import htm from "./vendor/htm.js";

export { Fragment, render, useEffect, useLayoutEffect, useMemo, useRef, useState };
export const html = htm.bind(h);

// The page may be mounted anywhere, so its root is taken from the place of this file.
export const BASE = new URL("..", import.meta.url).pathname;
export const API = `${BASE}api/v1/`;
// The page of another instance is passed on below that of this process.
export const ROOT = BASE.replace(/(\/monitor\/)i\/[^/]+\/$/, "$1");
export const isPassed = ROOT !== BASE;

// ---- Addresses: they hold every filter, sort, range and selection, so a copied one shows the same

// Redraws the caller at each event of the window that has this name.
export function useRedraw(name) {
	const [, redraw] = useState(0);
	useEffect(() => {
		const listener = () => redraw((n) => n + 1);
		addEventListener(name, listener);
		return () => removeEventListener(name, listener);
	}, []);
}

export const tell = (name) => dispatchEvent(new Event(name));

export function where() {
	const path = location.pathname.startsWith(BASE) ? location.pathname.slice(BASE.length) : "";
	const parts = path.split("/").filter(Boolean).map(decoded);
	return { parts, query: Object.fromEntries(new URLSearchParams(location.search)) };
}

export function decoded(part) {
	try {
		return decodeURIComponent(part);
	} catch {
		return part;
	}
}

export function useWhere() {
	useRedraw("popstate");
	return where();
}

export function address(parts, query = {}) {
	const kept = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
	const search = new URLSearchParams(kept).toString();
	return BASE + parts.map(encodeURIComponent).join("/") + (search && `?${search}`);
}

export function visit(to, replace = false) {
	history[replace ? "replaceState" : "pushState"](null, "", to);
	tell("popstate");
	if (!replace) {
		scrollTo(0, 0);
		document.querySelector("main")?.focus({ preventScroll: true });
	}
}

// Changes parameters of the query string in place; an empty value removes one.
export function setQuery(changes) {
	const { parts, query } = where();
	visit(address(parts, { ...query, ...changes }), true);
}

// ---- Time. Everything is in microseconds since the epoch, by the server's clock.

let offset = 0;
let bestOffset = -Infinity;
let frozen = null;

// The server wrote before its answer came, so the largest difference is the best.
export function noteServerTime(us) {
	if (!us) return;
	const seen = us - Date.now() * 1000;
	if (seen > bestOffset || Math.abs(seen - bestOffset) > 2e6) bestOffset = offset = seen;
}

export const within = (n, least, most) => Math.min(Math.max(n, least), most);

export const now = () => frozen ?? Date.now() * 1000 + offset;
export const freeze = (yes) => (frozen = yes ? now() : null);

const two = (n) => String(Math.floor(n)).padStart(2, "0");

// With its month and day unless it is today.
export function clock(us) {
	if (us == null) return "–";
	const date = new Date(us / 1000);
	const day = date.toDateString() === new Date(now() / 1000).toDateString() ? "" : `${two(date.getMonth() + 1)}-${two(date.getDate())} `;
	return `${day}${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export const fullTime = (us) =>
	us == null ? "" : `${new Date(us / 1000).toISOString().replace("T", " ").replace("Z", " UTC")} · ${new Date(us / 1000).toLocaleString()}`;

// ---- Figures. An unknown one is a dash, never 0.

export function duration(us) {
	if (us == null) return "–";
	if (us < 0) us = 0;
	if (us < 1e3) return `${Math.round(us)} µs`;
	if (us < 1e6) return `${significant(us / 1e3)} ms`;
	if (us < 6e7) return `${significant(us / 1e6)} s`;
	const s = us / 1e6;
	if (s < 3600) return `${Math.floor(s / 60)} m ${two(s % 60)} s`;
	if (s < 86400) return `${Math.floor(s / 3600)} h ${two((s % 3600) / 60)} m`;
	return `${Math.floor(s / 86400)} d ${two((s % 86400) / 3600)} h`;
}

// Whole tenths, so the width does not jump.
export const ticking = (us) => (us < 6e7 ? `${(Math.max(us, 0) / 1e6).toFixed(1)} s` : duration(us));

export const seconds = (us) => (us < 6e7 ? `${Math.floor(Math.max(us, 0) / 1e6)} s` : duration(us));

const significant = (n) => (n < 10 ? n.toFixed(2) : n < 100 ? n.toFixed(1) : n.toFixed(0));

export const count = (n) => (n == null ? "–" : Math.round(n).toLocaleString("en"));

export function short(n) {
	if (n == null) return "–";
	if (n < 1e4) return count(n);
	if (n < 1e6) return `${significant(n / 1e3)} k`;
	return n < 1e9 ? `${significant(n / 1e6)} M` : `${significant(n / 1e9)} G`;
}

export const rate = (n) => (n == null ? "–" : n === 0 ? "0" : n < 0.01 ? "<0.01" : n < 100 ? significant(n) : short(n));

export function percent(ratio) {
	if (ratio == null) return "–";
	const n = ratio * 100;
	return n === 0 ? "0 %" : n < 0.1 ? "<0.1 %" : n < 10 ? `${n.toFixed(1)} %` : `${n.toFixed(0)} %`;
}

export function bytes(n) {
	if (n == null) return "–";
	if (n < 1024) return `${n} B`;
	return n < 1 << 20 ? `${(n / 1024).toFixed(1)} KiB` : `${(n / (1 << 20)).toFixed(1)} MiB`;
}

export function dollars(nano) {
	const usd = nano / 1e9;
	if (nano > 0 && usd < 0.0001) return "<$0.0001";
	return `$${usd.toFixed(usd !== 0 && usd < 0.1 ? 4 : 2)}`;
}

// $0.00 stands only for a price of 0. A sum with unpriced parts is a lower bound.
export function cost(sum) {
	if (sum == null) return "–";
	if (!sum.priced && sum.of) return "unpriced";
	return (sum.priced < sum.of ? "≥ " : "") + dollars(sum.nano_usd);
}

export const costTitle = (sum) =>
	sum == null ? "no model call" : !sum.of ? "" : `${count(sum.priced)} of ${count(sum.of)} model calls priced${sum.estimated ? ", partly estimated" : ""}`;

export const tokens = (used) => (used?.input == null && used?.output == null ? null : (used.input ?? 0) + (used.output ?? 0));

export const TOKENS = ["input", "cached_input", "cache_write", "output", "reasoning"];

export const CALLS = ["agent", "skill", "model", "query", "route"];

export const STATUS = {
	running: ["●", "running", "run"],
	success: ["✓", "succeeded", "ok"],
	error: ["✗", "failed", "bad"],
	panic: ["✗", "panicked", "bad"],
	cancelled: ["⊘", "cancelled", "warn"],
	unknown: ["?", "unknown", "dim"],
};

// Text of others may reorder or hide what stands beside it. Behind the control characters, this is the list of `json::is_hidden`.
const HIDDEN = /[\p{Cc}\u{ad}\u{61c}\u{180e}\u{200b}-\u{200f}\u{2028}-\u{202e}\u{2060}-\u{206f}\u{feff}\u{fff9}-\u{fffb}\u{e0000}-\u{e007f}]/gu;
const BREAKS = { "\n": " ⏎ ", "\t": " " };

// A <pre> keeps lines and tabs.
export const visible = (text, isPre) =>
	text == null ? "" : String(text).replace(HIDDEN, (c) => (BREAKS[c] ? (isPre ? c : BREAKS[c]) : `\\u{${c.codePointAt(0).toString(16)}}`));

export const cut = (text, most = 400) => {
	const shown = visible(text == null ? "" : String(text).slice(0, most));
	return text != null && String(text).length > most ? `${shown}…` : shown;
};

// The theme that was chosen, or is. Some browsers forbid the store; the page then forgets it.
export function storedTheme(chosen) {
	try {
		if (chosen) localStorage.setItem("monitor.theme", chosen);
		return localStorage.getItem("monitor.theme");
	} catch {}
}
