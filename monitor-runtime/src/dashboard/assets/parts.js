// Pieces that several screens share.
import { API, STATUS, address, clock, cost, costTitle, cut, duration, fullTime, html, now, setQuery, short, tokens, visible } from "./base.js";
import { useTicking } from "./live.js";

export const Status = ({ of, judged }) => {
	const [glyph, word, tone] = STATUS[of] ?? STATUS.unknown;
	return html`<span class="status ${tone}"><i aria-hidden="true">${glyph}</i> ${judged ? "returned Ok" : word}</span>`;
};

export const Time = ({ us }) => html`<time title=${fullTime(us)}>${clock(us)}</time>`;

export const Cost = ({ of }) => html`<span class=${of && !of.priced && of.of ? "dim" : ""} title=${costTitle(of)}>${cost(of)}</span>`;

export const Tokens = ({ of }) => {
	const parts = ["input", "cached_input", "cache_write", "output", "reasoning"].filter((part) => of?.[part] != null);
	const title = parts.map((part) => `${part.replace("_", " ")} ${of[part].toLocaleString("en")}`).join(" · ");
	return html`<span title=${title || "no usage reported"}>${short(tokens(of))}${of?.unknown_calls ? "+" : ""}</span>`;
};

// Time since a moment, in steps of a second.
export function Ago({ us, past = " ago" }) {
	useTicking(1000);
	return us == null ? "–" : html`<time title=${fullTime(us)}>${duration(Math.max(0, Math.floor((now() - us) / 1e6)) * 1e6).replace(".00", "").replace("0 µs", "0 s")}${past}</time>`;
}

// The head of a screen: its name, what is filtered, and the same as text for those with a terminal only.
export function Head({ title, children, text, params = {} }) {
	const query = new URLSearchParams(Object.entries({ ...params, format: "text" }).filter(([, value]) => value)).toString();
	const href = `${API}${text}?${query}`;
	return html`<div class="head">
		<h1>${title}</h1>
		<div class="tools">${children}</div>
		<a class="twin" href=${href} title="curl -s '${location.origin}${href}'">as text</a>
	</div>`;
}

export const Empty = ({ title, children, code }) => html`<div class="empty">
	<p><b>${title}</b></p>
	${children && html`<p>${children}</p>`}
	${code && html`<pre tabindex="0">${code}</pre>`}
</div>`;

// The last answer failed: the sentence of the service, while older figures stay in place.
export const Fault = ({ error }) => error && html`<p class="fault" role="alert">✗ ${visible(error.message)}</p>`;

export const Loading = () => html`<p class="dim loading">Reading …</p>`;

// A table. A column is [key, label, options]: `w` is its width in characters, `vw` the most of a narrow page, `num` aligns right, `from` is the least width of the
// page that shows it, `cell` writes a cell. Columns have fixed widths, so figures that tick move nothing.
export function Table({ name, columns, rows, href, sort, sortable, rowClass }) {
	return html`<div class="scroll">
		<table aria-label=${name}>
			<colgroup>${columns.map(([, , o = {}]) => html`<col class=${o.from ?? ""} style=${{ width: o.w ? `min(${o.w}ch, ${o.vw ?? o.w * (o.num ? 3 : 1.6)}vw)` : "auto" }} />`)}</colgroup>
			<thead><tr>${columns.map(([key, label, o = {}]) => html`<th scope="col" class="${o.num ? "num" : ""} ${o.from ?? ""}"
					aria-sort=${sort === key ? "descending" : undefined} title=${o.title}>
				${sortable?.includes(key) ? html`<button onClick=${() => setQuery({ sort: sort === key ? "" : key })}>${label}${sort === key ? " ▾" : ""}</button>` : label}
			</th>`)}</tr></thead>
			<tbody>${rows.map((row) => {
				const to = href?.(row);
				return html`<tr key=${row.key ?? row.id} class="${to ? "opens" : ""} ${rowClass?.(row) ?? ""}"
						onClick=${to && ((event) => event.target.closest("a,button") || String(getSelection()) || event.currentTarget.querySelector("a.row")?.click())}>
					${columns.map(([key, , o = {}], at) => {
						const value = o.cell ? o.cell(row) : cut(row[key]);
						return html`<td class="${o.num ? "num" : ""} ${o.from ?? ""}" title=${o.hint?.(row)}>${at === 0 && to ? html`<a class="row" href=${to}>${value}</a>` : value}</td>`;
					})}
				</tr>`;
			})}</tbody>
		</table>
	</div>`;
}

// A column of figures.
export const num = (key, label, w, from, cell) => [key, label, { w, from, cell, num: true }];

// Chips of which one is chosen; each is an address.
export const Chips = ({ label, choices, chosen, to }) => html`<nav class="chips" aria-label=${label}>
	${choices.map(([value, text]) => html`<a href=${to(value)} aria-current=${value === chosen ? "true" : undefined}>${text}</a>`)}
</nav>`;

// A figure over a bar.
export const Length = ({ part, children }) => html`<span class="lengths"><i style=${{ transform: `scaleX(${part})` }}></i>${children}</span>`;

// A line of points without axes. Gaps stay gaps.
export function Spark({ points, label }) {
	const known = (points ?? []).filter((point) => point != null);
	if (known.length < 2) return html`<span class="spark dim">–</span>`;
	const top = Math.max(...known) || 1;
	let pen = "M";
	const path = points
		.map((point, at) => {
			if (point == null) {
				pen = "M";
				return "";
			}
			const step = `${pen}${((at / (points.length - 1)) * 78 + 1).toFixed(1)} ${(17 - (point / top) * 15).toFixed(1)}`;
			pen = "L";
			return step;
		})
		.join("");
	return html`<svg class="spark" viewBox="0 0 80 18" role="img" aria-label=${label ?? "trend"}><path d=${path} /></svg>`;
}

export const runAddress = (id, query = {}) => address(["runs", id], query);
export const callAddress = (kind, name, query = {}) => address(["calls", kind, name], query);
export const Lines = ({ lines, linked }) => html`<ol class="lines" tabindex="0">${lines.map((line, at) => html`<li key=${line.seq ?? at} class=${line.level}>
	<${Time} us=${line.time_us} /><b>${line.level}</b><span class="logger" title=${cut(line.logger)}>${cut(line.logger, 80)}</span>
	<span class="text">${cut(line.text, 2000)}${Object.entries(line.fields ?? {}).map(([name, value]) => html` <span class="field"><i>${cut(name, 60)}=</i>${cut(value, 300)}</span>`)}
	${linked && line.run && html` <a href=${runAddress(line.run, { node: line.node })}>run</a>`}</span></li>`)}</ol>`;
