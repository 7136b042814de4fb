// Pieces that several screens share.
import { API, STATUS, TOKENS, address, clock, cost, costTitle, count, cut, fullTime, html, now, percent, seconds, setQuery, short, tell, tokens, useEffect, useLayoutEffect, useRef, visible } from "./base.js";
import { useTicking } from "./live.js";

export const Status = ({ of, judged }) => {
	const [glyph, word, tone] = Object.hasOwn(STATUS, of) ? STATUS[of] : STATUS.unknown;
	return html`<span class="status ${tone}"><i aria-hidden="true">${glyph}</i> ${judged ? "returned Ok" : word}</span>`;
};

export const Time = ({ us }) => html`<time title=${fullTime(us)}>${clock(us)}</time>`;

export const Cost = ({ of, from = "" }) => html`<span class=${of && !of.priced && of.of ? "dim" : ""} title=${costTitle(of) + from}>${cost(of)}</span>`;

export const Tokens = ({ of }) => {
	const parts = TOKENS.filter((part) => of?.[part] != null);
	const title = parts.map((part) => `${part.replace("_", " ")} ${of[part].toLocaleString("en")}`).join(" · ");
	return html`<span title=${title || "no usage reported"}>${short(tokens(of))}${parts.length && of.unknown_calls ? "+" : ""}</span>`;
};

export function Ago({ us, past = " ago" }) {
	useTicking(1000);
	return us == null ? "–" : html`<time title=${fullTime(us)}>${seconds(now() - us)}${past}</time>`;
}

// Whether tables show the columns too that the page has no room for; they scroll then.
let isWide = false;
const widen = () => {
	isWide = !isWide;
	tell("monitor-link");
};

// The head of a screen, with the same as text for those with a terminal only. `wide` is set if its tables have more columns than most pages.
export function Head({ title, children, text, params = {}, wide }) {
	const query = new URLSearchParams(Object.entries({ ...params, format: "text" }).filter(([, value]) => value)).toString();
	const href = `${API}${text}?${query}`;
	return html`<div class="head">
		<h1>${title}</h1>
		<div class="tools">${children}</div>
		${wide && html`<button class="columns" aria-pressed=${isWide} onClick=${widen}>all columns</button>`}
		<a class="twin" href=${href} title="curl -s '${location.origin}${href}'">as text</a>
	</div>`;
}

export const Empty = ({ title, children, code }) => html`<div class="empty">
	<p><b>${title}</b></p>
	${children && html`<p>${children}</p>`}
	${code && html`<pre tabindex="0">${code}</pre>`}
</div>`;

export const Fault = ({ error }) => error && html`<p class="fault" role="alert">✗ ${visible(error.message)}</p>`;

export const Loading = () => html`<p class="dim loading">Reading …</p>`;

export const Answer = ({ of, children }) => html`<${Fault} error=${of.error} />${of.data ? children() : !of.error && html`<${Loading} />`}`;

export const Section = ({ title, note, children, ...props }) => html`<section ...${props}><header><h2>${title}</h2>${note}</header>${children}</section>`;

export const Pairs = ({ of }) => of.filter(([, value]) => value != null && value !== "" && value !== false).map(([name, value]) => html`<div><dt>${name}</dt><dd class="num">${value}</dd></div>`);

// A part of the query string. What is typed goes there a moment later, and a render leaves it alone.
export function Field({ name, value = "", ...props }) {
	const field = useRef();
	const timer = useRef(0);
	const sent = useRef(null);
	useLayoutEffect(() => {
		if (value !== sent.current) {
			clearTimeout(timer.current);
			field.current.value = value;
		}
		sent.current = value;
	}, [value]);
	useEffect(() => () => clearTimeout(timer.current), []);
	const typed = ({ target }) => {
		clearTimeout(timer.current);
		timer.current = setTimeout(() => setQuery({ [name]: (sent.current = target.value) }), 250);
	};
	return html`<input ref=${field} onInput=${typed} ...${props} />`;
}

// A column is [key, label, options]: `w` is its width in characters, `vw` the most of a narrow page, `from` the least page that shows it.
// Widths are fixed, so figures that tick move nothing.
export function Table({ name, columns, rows, keyOf = (row) => row.key ?? row.id, href, sort, sortable, rowClass }) {
	const from = (o) => (isWide ? "" : o.from ?? "");
	const width = ({ w, vw, num }) => (isWide ? (w ? `${w}ch` : "min(30ch, 40vw)") : w ? `min(${w}ch, ${vw ?? w * (num ? 3 : 1.6)}vw)` : "auto");
	return html`<div class="scroll">
		<table aria-label=${name}>
			<colgroup>${columns.map(([, , o = {}]) => html`<col class=${from(o)} style=${{ width: width(o) }} />`)}</colgroup>
			<thead><tr>${columns.map(([key, label, o = {}]) => html`<th scope="col" class="${o.num ? "num" : ""} ${from(o)}"
					aria-sort=${sort === key ? "descending" : undefined} title=${o.title}>
				${sortable?.includes(key) ? html`<button onClick=${() => setQuery({ sort: sort === key ? "" : key })}>${label}${sort === key ? " ▾" : ""}</button>` : label}
			</th>`)}</tr></thead>
			<tbody>${rows.map((row, nth) => {
				const to = href?.(row);
				return html`<tr key=${keyOf(row, nth)} class="${to ? "opens" : ""} ${rowClass?.(row) ?? ""}"
						onClick=${to && ((event) => event.target.closest("a,button") || String(getSelection()) || event.currentTarget.querySelector("a.row")?.click())}>
					${columns.map(([key, , o = {}], at) => {
						const value = o.cell ? o.cell(row) : cut(row[key]);
						return html`<td class="${o.num ? "num" : ""} ${from(o)}" title=${o.hint?.(row)}>${at === 0 && to ? html`<a class="row" href=${to}>${value}</a>` : value}</td>`;
					})}
				</tr>`;
			})}</tbody>
		</table>
	</div>`;
}

export const num = (key, label, w, from, cell) => [key, label, { w, from, cell, num: true }];

export const ERRORS = num("errors", "Errors", 8, "", (row) => html`<span class=${row.error_ratio > 0.01 ? "bad" : ""}>${percent(row.error_ratio)}</span>`);

export const Lost = ({ n }) => html`<span class=${n > 0 ? "bad" : ""}>${count(n)}</span>`;

export const Chips = ({ label, choices, chosen, to }) => html`<nav class="chips" aria-label=${label}>
	${choices.map(([value, text]) => html`<a href=${to(value)} aria-current=${value === chosen ? "true" : undefined}>${text}</a>`)}
</nav>`;

export const Length = ({ part, children }) => html`<span class="lengths"><i style=${{ transform: `scaleX(${part})` }}></i>${children}</span>`;

// A line of points without axes. Gaps stay gaps.
export function Spark({ points, label }) {
	const known = (points ?? []).filter((point) => point != null);
	if (known.length < 2) return html`<span class="spark dim">–</span>`;
	const top = Math.max(...known) || 1;
	const step = (point, at) => `${points[at - 1] == null ? "M" : "L"}${((at / (points.length - 1)) * 78 + 1).toFixed(1)} ${(17 - (point / top) * 15).toFixed(1)}`;
	const path = points.map((point, at) => (point == null ? "" : step(point, at))).join("");
	return html`<svg class="spark" viewBox="0 0 80 18" role="img" aria-label=${label ?? "trend"}><path d=${path} /></svg>`;
}

export const runAddress = (id, query = {}) => address(["runs", id], query);
export const callAddress = (kind, name, query = {}) => address(["calls", kind, name], query);
export const Lines = ({ lines, linked }) => html`<ol class="lines" tabindex="0">${lines.map((line, at) => line.missing ? html`<li key=${line.seq} class="missing">${count(line.missing)} lines are missing here</li>` : html`<li key=${line.seq ?? at} class=${line.level}>
	<${Time} us=${line.time_us} /><b>${line.level}</b><span class="logger" title=${cut(line.logger)}>${cut(line.logger, 80)}</span>
	<span class="text">${cut(line.text, 2000)}${Object.entries(line.fields ?? {}).map(([name, value]) => html` <span class="field"><i>${cut(name, 60)}=</i>${cut(value, 300)}</span>`)}
	${linked && line.run && html` <a href=${runAddress(line.run, { node: line.node })}>run</a>`}</span></li>`)}</ol>`;

export const NO_LINES = html`<${Empty} title="No log line is kept." code="monitor_runtime::logging::init();">Lines are kept only through <code>logging::init</code> or the layer of <code>logging::builder</code>.<//>`;
