// The screens but Run: tables and plots of what the service tells. They share a file since it packs better than seven.
import { BASE, CALLS, address, bytes, clock, cost, count, cut, duration, fullTime, html, now, percent, rate, setQuery, short, ticking, useEffect, useRef, useState, visible } from "./base.js";
import { frame, isPaused, useFollowed, useRead, useStream, useTicking } from "./live.js";
import { Ago, Chips, Cost, Empty, Fault, Head, Length, Lines, Loading, Spark, Status, Table, Time, Tokens, callAddress, runAddress, num } from "./parts.js";
import { Plot } from "./plot.js";

// ---- Now: what is wrong, what runs, how it went in the last minutes.

const RANGES = [["60", "1 m"], ["300", "5 m"], ["900", "15 m"], ["3600", "1 h"]];

const PLOTS = [
	{ title: "Runs ended", unit: "per second", format: rate, series: [["runs.success", "succeeded", "--c1"], ["runs.error", "failed", "--c4"], ["runs.cancelled", "cancelled", "--c3"], ["runs.panic", "panicked", "--c5"]] },
	{ title: "Agent duration", unit: "quantiles", format: duration, series: [["agents.p50_us", "p50", "--c1"], ["agents.p95_us", "p95", "--c3"]] },
	{ title: "In flight", unit: "calls", format: short, series: [["in_flight.agent", "agents", "--c1"], ["in_flight.skill", "skills", "--c2"], ["in_flight.model", "models", "--c3"], ["in_flight.query", "queries", "--c5"]] },
	{ title: "Tokens", unit: "per second, $ per hour", format: short, right: (n) => (n == null ? "–" : `$${n < 10 ? n.toFixed(2) : n.toFixed(0)}`), series: [["tokens.cached_input", "cached", "--c2"], ["tokens.uncached_input", "uncached", "--c1"], ["tokens.output", "output", "--c3"], ["cost.usd_per_hour", "$/h", "--c5", "right"]] },
];
const SERIES = PLOTS.flatMap((plot) => plot.series.map(([key]) => key));
const NO_TIMES = { times: [], series: {} };

export function Now({ query, theme }) {
	const range = query.range || "300";
	const history = useRead(`history?${new URLSearchParams({ series: SERIES.join(), range })}`, range === "60" || range === "300" ? 0 : 10000);
	const plots = useRef(NO_TIMES);
	useEffect(() => void (plots.current = history.data ? asColumns(history.data) : NO_TIMES), [history.data]);
	const answer = useFollowed("now?limit=100", "now", (last, name, tick) => {
		if (name !== "tick") return last;
		if (tick.points && history.data?.step_us <= 1e6) plots.current = extended(plots.current, tick, Number(range));
		return merged(last, tick);
	});
	const state = answer.data;

	const zoom = query.from && query.to ? [Number(query.from), Number(query.to)] : null;
	const until = now() / 1e6;
	const [from, to] = zoom ? zoom.map((us) => us / 1e6) : [until - Number(range), until];
	const data = plots.current === NO_TIMES && history.data ? asColumns(history.data) : plots.current;
	return html`
		<${Head} title="Now" text="now">
			<${Chips} label="Range of the plots" choices=${RANGES} chosen=${range} to=${(value) => address([], { ...query, range: value, from: "", to: "" })} />
			${zoom && html`<button class="chip" onClick=${() => setQuery({ from: "", to: "" })}>${clock(zoom[0])} to ${clock(zoom[1])} ✕</button>`}
		<//>
		<${Fault} error=${answer.error} />
		<${Banner} lines=${state?.banner ?? frame.banner} known=${Boolean(state)} />
		<${Running} state=${state} />
		${history.error
			? html`<${Empty} title="No plots">${visible(history.error.message)}<//>`
			: html`<div class="plots">${PLOTS.map((plot) => html`<${Plot} key=${plot.title} ...${plot} data=${data} from=${from} to=${to} theme=${theme}
					onZoom=${(from, to) => setQuery({ from, to })} />`)}</div>`}
		<div class="split">
			<${Agents} rows=${state?.agents} known=${Boolean(state)} />
			<${Failures} rows=${state?.failures} zoom=${zoom} known=${Boolean(state)} />
		</div>`;
}

function asColumns({ from_us, step_us, series }) {
	const length = Math.max(0, ...Object.values(series).map((points) => points.length));
	return { times: Array.from({ length }, (_, at) => (from_us + at * step_us) / 1e6), series };
}

// Plots slide: a point goes in at the end, those before the range go.
function extended({ times, series }, tick, range) {
	const time = tick.server_time_us / 1e6;
	if (times.length && time <= times.at(-1)) return { times, series };
	const keep = times.findIndex((other) => other >= time - range - 2);
	const from = keep < 0 ? times.length : keep;
	const longer = Object.fromEntries(SERIES.map((key) => [key, [...(series[key]?.slice(from) ?? Array(times.length - from).fill(null)), tick.points[key] ?? null]]));
	return { times: [...times.slice(from), time], series: longer };
}

// A tick has the rows that changed, each with its id and the fields that changed.
function merged(last, tick) {
	const rows = new Map((last.running ?? []).map((row) => [row.id, row]));
	for (const row of tick.running ?? []) rows.set(row.id, { ...rows.get(row.id), ...row });
	for (const { id, ...end } of tick.ended ?? []) if (rows.has(id)) rows.set(id, { ...rows.get(id), ...end, endedAt: rows.get(id).endedAt ?? Date.now() });
	const agents = new Map((last.agents ?? []).map((row) => [row.name, row]));
	for (const row of tick.agents ?? []) agents.set(row.name, { ...agents.get(row.name), ...row });
	const seen = new Set((tick.failures ?? []).map((row) => row.run));
	return {
		...last,
		running: [...rows.values()].filter((row) => !(Date.now() - row.endedAt > 60000)),
		agents: [...agents.values()],
		failures: [...(tick.failures ?? []), ...(last.failures ?? []).filter((row) => !seen.has(row.run))].slice(0, 20),
		more: tick.more ?? last.more,
		banner: tick.banner ?? last.banner,
	};
}

const Banner = ({ lines, known }) => html`<ul class="banner" aria-live="polite" aria-label="Warnings">
	${lines?.length
		? lines.map((line) => html`<li key=${line.text} class=${line.level}><i aria-hidden="true">⚠</i> ${line.link ? html`<a href=${BASE + line.link}>${cut(line.text)}</a>` : cut(line.text)}</li>`)
		: html`<li class="quiet">${known ? html`<i aria-hidden="true">✓</i> Nothing needs attention.` : " "}</li>`}
</ul>`;

// Ended rows stay for two seconds, and as long as the pointer is over the table, so nothing moves under it.
function Running({ state }) {
	useTicking(200, Boolean(state?.running?.some((row) => !row.endedAt)));
	const held = useRef(false);
	const gone = useRef(new Set());
	const rows = (state?.running ?? []).filter((row) => {
		if (row.endedAt && !held.current && !isPaused() && Date.now() - row.endedAt > 2000) gone.current.add(row.id);
		return !gone.current.has(row.id);
	});
	if (gone.current.size > 500) gone.current.clear();
	const going = rows.filter((row) => !row.endedAt).length + (state?.more ?? 0);
	const elapsed = (row) => (row.endedAt ? row.duration_us : now() - row.started_us);
	const columns = [
		["agent", "Agent", { w: 18, cell: (row) => html`${row.endedAt ? (row.status === "success" ? "✓ " : row.status === "cancelled" ? "⊘ " : "✗ ") : ""}${cut(row.agent)}`, hint: (row) => `run ${row.id}` }],
		["step", "Current step", { cell: (row) => stepOf(row) || html`<span class="dim">its own code</span>`, hint: (row) => cut(row.step) }],
		num("elapsed", "Elapsed", 10, "", (row) => ticking(elapsed(row))),
		["p95", "of p95", { w: 12, num: true, from: "p1", title: "Elapsed time against the 95th percentile of this agent; amber beyond it, red beyond three times it", cell: (row) => html`<${Against} us=${elapsed(row)} p95=${row.p95_us} />` }],
		num("model_calls", "Models", 8, "p2", (row) => count(row.model_calls)),
		num("tokens", "Tokens", 9, "p2", (row) => html`<${Tokens} of=${row.tokens} />`),
		num("cost", "Cost", 11, "p2", (row) => html`<${Cost} of=${row.cost} />`),
		["last_line", "Last log line", { from: "p3", cell: (row) => html`<span class="dim">${cut(row.last_line)}</span>`, hint: (row) => cut(row.last_line) }],
	];
	return html`<section class="running" onPointerEnter=${() => (held.current = true)} onPointerLeave=${() => (held.current = false)}>
		<header><h2>Running now <small class="num">${state ? count(going) : ""}</small></h2>
			${state?.more > 0 && html`<a href=${address(["runs"], { status: "running" })}>+${count(state.more)} more</a>`}</header>
		<div class="slots">
		${!state ? html`<${Loading} />` : rows.length
			? html`<${Table} name="Running now" columns=${columns} rows=${rows.slice(0, 100)} href=${(row) => runAddress(row.id)} rowClass=${(row) => (row.endedAt ? "ended" : "")} />`
			: html`<${NothingRuns} state=${state} />`}</div>
	</section>`;
}

const AGENT_EXAMPLE = `#[track_agent("planner")]
async fn plan(question: &str) -> Result<Plan, Error> { … }`;

const NothingRuns = ({ state }) => (state?.keeps ?? frame.keeps)?.ended > 0
	? html`<${Empty} title="No run goes on.">The last ones are on <a href=${address(["runs"])}>Runs</a>.<//>`
	: html`<${Empty} title=${html`No ${html`<code>#[track_agent]</code>`} function has been called${frame.instance?.started_us ? html` since ${clock(frame.instance.started_us)}` : ""}.`} code=${AGENT_EXAMPLE}>
			A run appears here when its first call begins.<//>`;

// The agent's name has a column of its own.
const stepOf = ({ step, agent }) => cut(step?.startsWith(`${agent} › `) ? step.slice(agent.length + 3) : step === agent ? "" : step);

function Against({ us, p95 }) {
	if (!p95) return html`<span class="dim">–</span>`;
	const part = us / p95;
	const tone = part > 3 ? "bad" : part > 1 ? "warn" : "ok";
	return html`<span class="against ${tone}" title="${duration(us)} of p95 ${duration(p95)}"><i style=${{ transform: `scaleX(${Math.min(part / 3, 1)})` }}></i><b>${part < 10 ? part.toFixed(1) : part.toFixed(0)} ×</b></span>`;
}

function Agents({ rows, known }) {
	const columns = [
		["name", "Agent", { w: 22 }],
		num("running", "Running", 8, "", (row) => count(row.running)),
		num("rate", "Calls/s", 8, "", (row) => rate(row.calls_per_s)),
		num("p50", "p50", 10, "p1", (row) => duration(row.p50_us)),
		num("p95", "p95", 10, "", (row) => duration(row.p95_us)),
		num("p99", "p99", 10, "p2", (row) => duration(row.p99_us)),
		num("errors", "Errors", 8, "", (row) => html`<span class=${row.error_ratio > 0.01 ? "bad" : ""}>${percent(row.error_ratio)}</span>`),
		num("cancelled", "Cancelled", 9, "p2", (row) => percent(row.cancelled_ratio)),
		num("tokens", "Tokens/run", 10, "p2", (row) => short(row.tokens_per_run)),
		num("cost", "$/run", 11, "p2", (row) => cost(row.cost_per_run)),
		["spark", "Last minute", { w: 13, from: "p1", cell: (row) => html`<${Spark} points=${row.spark} label="calls a second of the last minute" />` }],
	];
	return html`<section><header><h2>Agents</h2></header>
		${!known ? html`<${Loading} />` : rows?.length
			? html`<${Table} name="Agents" columns=${columns} rows=${[...rows].sort(byName).map((row) => ({ ...row, key: row.name }))} href=${(row) => callAddress("agent", row.name)} />`
			: html`<${Empty} title="No agent has been called yet." />`}</section>`;
}

const byName = (a, b) => (a.name < b.name ? -1 : 1);

// The value as it was when the pointer came, so that nothing moves under it.
function useHeld(value) {
	const held = useRef({ is: false, value });
	if (!held.current.is) held.current.value = value;
	return [held.current.value, { onPointerEnter: () => (held.current.is = true), onPointerLeave: () => (held.current.is = false) }];
}

function Failures({ rows, zoom, known }) {
	const [held, over] = useHeld(rows);
	const shown = (held ?? []).filter((row) => !zoom || (row.ended_us >= zoom[0] && row.ended_us <= zoom[1])).slice(0, 20);
	const columns = [
		["ended", "Time", { w: 10, cell: (row) => html`<${Time} us=${row.ended_us} />` }],
		["agent", "Agent", { w: 18 }],
		["error", "Error", { cell: (row) => html`<span class="bad">${row.status === "cancelled" ? "⊘" : "✗"}</span> ${cut(row.error) || row.status}`, hint: (row) => cut(row.error) }],
	];
	return html`<section ...${over}><header><h2>Last failures</h2><a href=${address(["runs"], { status: "failed" })}>all kept</a></header>
		${!known ? html`<${Loading} />` : shown.length
			? html`<${Table} name="Last failures" columns=${columns} rows=${shown.map((row) => ({ ...row, key: row.run }))} href=${(row) => runAddress(row.run)} />`
			: html`<${Empty} title=${zoom ? "No failure in the chosen time." : "No run has failed."} />`}</section>`;
}

// ---- Runs: the kept ones, filtered and sorted by the service.

const CHIPS = {
	newest: {},
	running: { status: "running" },
	failed: { status: "failed" },
	slowest: { sort: "duration" },
	dearest: { sort: "cost" },
	pinned: { pinned: "true" },
};
const FILTERS = ["status", "agent", "min_ms", "min_cost", "failed_step", "pinned", "q", "sort"];
const SORTABLE = ["started", "duration", "steps", "failed_steps", "retries", "tokens", "cost"];

export function Runs({ query }) {
	const params = Object.fromEntries(FILTERS.filter((name) => query[name]).map((name) => [name, query[name]]));
	const path = `runs?${new URLSearchParams({ ...params, limit: 100 })}`;
	const answer = useRead(path);
	const [older, setOlder] = useState(null);
	const fresh = useRef(new Set());
	const [, redraw] = useState(0);
	useEffect(() => {
		fresh.current.clear();
		setOlder(null);
	}, [answer.data]);
	// New rows do not move the table: they are counted until somebody asks for them.
	useStream("runs", (name, data) => {
		if (name !== "runs") return;
		for (const run of data.runs ?? []) if (fresh.current.size < 1000 && (!params.agent || params.agent === run.agent)) fresh.current.add(run.id);
		redraw((n) => n + 1);
	});
	const next = useRead(older);
	const rows = [...(answer.data?.runs ?? []), ...(older ? next.data?.runs ?? [] : [])];
	const cursor = older ? next.data?.cursor : answer.data?.cursor;
	const chosen = Object.keys(CHIPS).find((chip) => JSON.stringify(CHIPS[chip]) === JSON.stringify(params));
	const longest = Math.max(1000, ...rows.map((row) => soFar(row) ?? 0));
	return html`
		<${Head} title="Runs" text="runs" params=${params}>
			<${Chips} label="Kinds of runs" choices=${Object.keys(CHIPS).map((chip) => [chip, chip])} chosen=${chosen} to=${(chip) => address(["runs"], CHIPS[chip])} />
			<button class="chip new" disabled=${!fresh.current.size} onClick=${answer.again}>${fresh.current.size ? `${count(fresh.current.size)} new ▲` : "up to date"}</button>
		<//>
		<${Filter} query=${query} />
		<${Fault} error=${answer.error ?? next.error} />
		${!answer.data ? !answer.error && html`<${Loading} />` : rows.length
			? html`<${Table} name="Runs" columns=${runColumns(longest)} rows=${rows.map((row, at) => ({ ...row, key: row.id + at }))} href=${(row) => runAddress(row.id)} sort=${query.sort} sortable=${SORTABLE} />`
			: Object.keys(params).length
				? html`<${Empty} title="No kept run matches."><a href=${address(["runs"])}>Show all</a>. ${count(frame.keeps?.kept)} of ${count(frame.keeps?.ended)} ended runs are kept: of each agent the newest, the failed, the slow, the dear and the pinned.<//>`
				: html`<${NothingRuns} />`}
		${cursor != null && html`<p><button onClick=${() => setOlder(`${path}&cursor=${encodeURIComponent(cursor)}`)}>${older ? "next page" : "older runs"}</button></p>`}`;
}

const runColumns = (longest) => [
	["status", "Status", { w: 13, vw: 8, cell: (row) => html`<${Status} of=${row.status} />` }],
	["agent", "Agent", { w: 20 }],
	["started", "Started", { w: 10, from: "p1", cell: (row) => html`<${Time} us=${row.started_us} />` }],
	["duration", "Duration", { w: 22, vw: 30, num: true, cell: (row) => html`<${Length} part=${lengthOf(soFar(row), longest)}>${duration(soFar(row))}<//>`, title: "The bar is on a logarithmic scale from 1 ms" }],
	num("steps", "Steps", 8, "p1", (row) => count(row.steps)),
	num("calls", "Models/skills/queries", 20, "p3", (row) => [row.model_calls, row.skill_calls, row.query_calls].map(count).join(" / ")),
	num("failed_steps", "Failed", 8, "p1", (row) => html`<span class=${row.failed_steps ? "bad" : "dim"}>${count(row.failed_steps)}</span>`),
	num("retries", "Retries", 8, "p3", (row) => count(row.retries)),
	num("repeats", "Repeats", 8, "p3", (row) => count(row.repeats)),
	num("tokens", "Tokens", 9, "p2", (row) => html`<${Tokens} of=${row.tokens} />`),
	num("cached", "Cached", 8, "p3", (row) => percent(cachedPart(row.tokens))),
	num("cost", "Cost", 11, "p2", (row) => html`<${Cost} of=${row.cost} />`),
	["error", "Error, current step and tags", { from: "p1", cell: (row) => html`
			${row.pinned && html`<span class="badge">pinned</span> `}${row.incomplete && html`<span class="badge warn">incomplete</span> `}${row.budget && html`<span class="badge warn">${row.budget} budget</span> `}
			${row.error ? cut(row.error) : html`<span class="dim">${row.status === "running" && cut(row.step)}</span>`} ${Object.entries(row.tags ?? {}).map(([name, value]) => html`<span class="badge">${cut(name, 40)}=${cut(value, 40)}</span> `)}`, hint: (row) => cut(row.error ?? row.step) }],
];

const cachedPart = (used) => (used?.input && used.cached_input != null ? used.cached_input / used.input : null);
const soFar = (row) => (row.status === "running" ? now() - row.started_us : row.duration_us);
const lengthOf = (us, longest) => (us > 1000 ? Math.max(0.02, Math.log(us / 1000) / Math.log(longest / 1000 || 2)) : 0.02);

function Filter({ query }) {
	const timer = useRef(0);
	const soon = (name) => (event) => {
		clearTimeout(timer.current);
		const { value } = event.target;
		timer.current = setTimeout(() => setQuery({ [name]: value }), 250);
	};
	return html`<form class="filter" role="search" onSubmit=${(event) => event.preventDefault()}>
		<label>Text <input id="search" type="search" value=${query.q ?? ""} onInput=${soon("q")} placeholder="error, tag or log line" /></label>
		<label>Status <select value=${query.status ?? ""} onChange=${(event) => setQuery({ status: event.target.value })}>
			${["", "running", "success", "failed", "error", "panic", "cancelled"].map((value) => html`<option value=${value}>${value || "any"}</option>`)}</select></label>
		<label>Agent <input value=${query.agent ?? ""} onInput=${soon("agent")} placeholder="any" /></label>
		<label>From <input type="number" min="0" value=${query.min_ms ?? ""} onInput=${soon("min_ms")} placeholder="0" /> ms</label>
		<label>From $ <input type="number" min="0" step="any" value=${query.min_cost ?? ""} onInput=${soon("min_cost")} placeholder="0" /></label>
		<label><input type="checkbox" checked=${query.failed_step === "true"} onChange=${(event) => setQuery({ failed_step: event.target.checked ? "true" : "" })} /> succeeded with a failed step</label>
	</form>`;
}

// ---- Calls: latencies by decade, as zPages have them. A cell opens its samples.

const DECADES = ["<10 ms", "<100 ms", "<1 s", "<10 s", "<100 s", "<1000 s", "≥1000 s"];

export function Calls({ query }) {
	const kind = query.kind;
	const answer = useRead("calls", 2000);
	useStream("frame");
	const rows = (answer.data?.calls ?? []).filter((row) => !kind || row.kind === kind);
	const pools = answer.data?.pools ?? [];
	return html`
		<${Head} title="Calls" text="calls" params=${{ kind }}>
			<${Chips} label="Kinds of calls" choices=${[["", "all"], ...CALLS.map((kind) => [kind, kind === "query" ? "queries" : `${kind}s`])]} chosen=${kind ?? ""} to=${(kind) => address(["calls"], { kind })} />
		<//>
		<${Fault} error=${answer.error} />
		${!answer.data ? !answer.error && html`<${Loading} />` : rows.length
			? html`<${Table} name="Calls by name" columns=${COLUMNS} rows=${rows.map((row) => ({ ...row, key: `${row.kind} ${row.name} ${row.operation ?? ""}` }))} href=${(row) => callAddress(row.kind, row.name)} />`
			: html`<${Empty} title="No call has been counted${kind ? ` of this kind` : " yet"}." code=${'#[track_skill]\nasync fn web_search(words: &str) -> Result<Vec<Hit>, Error> { … }'}>A function is listed here once it has been called.<//>`}
		${pools.length > 0 && html`<section><header><h2>Connection pools</h2></header><${Table} name="Connection pools" rows=${pools.map((pool) => ({ ...pool, key: pool.name }))} columns=${[
			["name", "Pool", {}],
			num("leased", "Leased", 9, "", (pool) => html`<span class=${pool.leased >= pool.max ? "bad" : ""}>${count(pool.leased)}</span>`),
			num("idle", "Idle", 9, "", (pool) => count(pool.idle)),
			num("max", "Maximum", 10, "", (pool) => count(pool.max)),
		]} /></section>`}`;
}

const cell = (row, n, params) => (n ? html`<a href=${callAddress(row.kind, row.name, params)}>${count(n)}</a>` : html`<span class="faint">${n === 0 ? "·" : "–"}</span>`);

const COLUMNS = [
	["name", "Name", { cell: (row) => html`<small class="dim kind">${row.kind}</small> ${cut(row.name)}${row.operation ? html` <small class="dim">${cut(row.operation)}</small>` : ""}`, hint: (row) => cut(row.name) }],
	num("running", "Running", 9, "p1", (row) => count(row.running)),
	num("rate", "Calls/s", 8, "", (row) => rate(row.calls_per_s)),
	num("errors", "Errors", 8, "", (row) => html`<span class=${row.error_ratio > 0.01 ? "bad" : ""}>${percent(row.error_ratio)}</span>`),
	num("p50", "p50", 10, "p3", (row) => duration(row.p50_us)),
	num("p95", "p95", 10, "p1", (row) => duration(row.p95_us)),
	num("p99", "p99", 10, "p3", (row) => duration(row.p99_us)),
	...DECADES.map((decade, at) => [decade, decade, { w: 9, num: true, from: "p2", cell: (row) => cell(row, row.decades?.[at], { decade: at }) }]),
	num("failed", "✗ failed", 9, "p1", (row) => cell(row, row.error == null ? null : row.error + (row.panic ?? 0), { outcome: "failed" })),
	num("cancelled", "⊘ cancelled", 12, "p2", (row) => cell(row, row.cancelled, { outcome: "cancelled" })),
];

export function Call({ kind, name, query }) {
	const params = Object.fromEntries(["decade", "outcome"].filter((key) => query[key]).map((key) => [key, query[key]]));
	const path = `calls/${encodeURIComponent(kind)}/${encodeURIComponent(name)}`;
	const answer = useRead(`${path}?${new URLSearchParams(params)}`, 5000);
	useStream("frame");
	const call = answer.data;
	const samples = call?.samples ?? [];
	const to = (changes) => callAddress(kind, name, { ...params, ...changes });
	return html`
		<${Head} title=${html`<span class="dim">${cut(kind)}</span> ${cut(name, 80)}`} text=${path} params=${params}>
			<${Chips} label="Durations" choices=${[["", "any duration"], ...DECADES.map((decade, at) => [String(at), decade])]} chosen=${params.decade ?? ""} to=${(decade) => to({ decade })} />
			<${Chips} label="Outcomes" choices=${[["", "any outcome"], ["failed", "failed"], ["cancelled", "cancelled"]]} chosen=${params.outcome ?? ""} to=${(outcome) => to({ outcome })} />
		<//>
		<${Fault} error=${answer.error} />
		${call && html`<dl class="facts">${[["running", count(call.running)], ["calls/s", rate(call.calls_per_s)], ["since start", count(call.count)], ["errors", percent(call.error_ratio)], ["p50", duration(call.p50_us)], ["p95", duration(call.p95_us)], ["p99", duration(call.p99_us)]]
			.map(([label, value]) => html`<div><dt>${label}</dt><dd class="num">${value}</dd></div>`)}</dl>`}
		${!call ? !answer.error && html`<${Loading} />` : samples.length
			? html`<${Table} name="Samples" columns=${SAMPLES} rows=${samples.map((sample, at) => ({ ...sample, key: `${sample.started_us} ${at}` }))} href=${(sample) => sample.run && runAddress(sample.run, { node: sample.node })} />
				${samples.filter((sample) => sample.lines?.length && !sample.run).map((sample) => html`<section><header><h2>Lines of the call at <${Time} us=${sample.started_us} /></h2></header><${Lines} lines=${sample.lines} /></section>`)}`
			: html`<${Empty} title="No sample is kept of this choice.">Ten samples of each cell are kept, at least a second apart.<//>`}`;
}

const SAMPLES = [
	["started", "Began", { w: 11, cell: (sample) => html`<${Time} us=${sample.started_us} />` }],
	["outcome", "Outcome", { w: 13, vw: 8, cell: (sample) => html`<${Status} of=${sample.outcome ?? "running"} />` }],
	num("duration", "Duration", 11, "", (sample) => duration(sample.duration_us)),
	["error", "Error", { cell: (sample) => cut(sample.error) || html`<span class="faint">–</span>`, hint: (sample) => visible(sample.error) }],
	["run", "Run", { w: 34, from: "p2", cell: (sample) => (sample.run ? html`<span class="mono">${sample.run}</span>` : html`<span class="dim">outside of any run</span>`) }],
];

// ---- Models: calls, tokens and cost, each counted once, at the call of the model.

const EXAMPLE = `#[track_model(provider = "openai", model = self.model)]
async fn complete(&self, ask: &Ask) -> Result<Reply, ApiError> { … }`;

export function Models() {
	const answer = useRead("models", 2000);
	useStream("frame");
	const { models = [], agents = [], has_prices: hasPrices = true } = answer.data ?? {};
	const silent = models.some((row) => row.calls_without_usage > 0);
	return html`
		<${Head} title="Models" text="models" />
		<${Fault} error=${answer.error} />
		${!answer.data ? !answer.error && html`<${Loading} />` : !models.length
			? html`<${Empty} title="No model has been called yet." code=${EXAMPLE}>Annotate the function that asks the model.<//>`
			: html`
				${!hasPrices && html`<p class="hint">No prices are set, so costs are unpriced. Set them by <code>genai::set_pricing</code>.</p>`}
				${silent && html`<p class="hint">Some calls came without usage. The provider reported none; for OpenAI streams ask for it by <code>stream_options.include_usage</code>.</p>`}
				<section><header><h2>By model</h2></header><${Table} name="By model" columns=${[...MODEL, ...SUMS, ...PRICE]} rows=${models.map((row) => ({ ...row, key: `${row.provider} ${row.model}` }))} href=${(row) => callAddress("model", row.model)} /></section>
				<section><header><h2>By agent <small>its own model calls</small></h2></header>${agents.length
					? html`<${Table} name="By agent" columns=${[AGENT, ...SUMS]} rows=${agents.map((row) => ({ ...row, key: row.agent }))} href=${(row) => callAddress("agent", row.agent)} />`
					: html`<${Empty} title="No model was called inside an agent." />`}</section>`}`;
}

const AGENT = ["agent", "Agent", { cell: (row) => cut(row.agent) || html`<span class="dim">outside of any agent</span>` }];

const MODEL = [
	["model", "Model", { cell: (row) => html`<small class="dim">${cut(row.provider)}</small> ${cut(row.model)}`, hint: (row) => cut(`${row.provider} ${row.model}`) }],
	num("running", "Running", 8, "p2", (row) => count(row.running)),
	num("rate", "Calls/s", 8, "", (row) => rate(row.calls_per_s)),
	num("errors", "Errors", 8, "", (row) => html`<span class=${row.error_ratio > 0.01 ? "bad" : ""}>${percent(row.error_ratio)}</span>`),
	num("retries", "Retries", 8, "p2", (row) => count(row.retries)),
	num("ttfc", "First chunk p50", 13, "p2", (row) => duration(row.first_chunk_p50_us)),
	num("ttfc95", "p95", 10, "p2", (row) => duration(row.first_chunk_p95_us)),
	["speed", "Output/s", { w: 9, num: true, from: "p1", title: "Output tokens a second of a call", cell: (row) => rate(row.output_per_s) }],
];

const SUMS = [
	num("calls", "Calls", 9, "p1", (row) => short(row.calls)),
	num("input", "Input", 9, "p1", (row) => short(row.tokens?.input)),
	["cached", "Cached", { w: 8, num: true, from: "p2", title: "The part of the input that came from the provider's cache", cell: (row) => percent(cachedPart(row.tokens)) }],
	num("output", "Output", 9, "p1", (row) => short(row.tokens?.output)),
	num("reasoning", "Reasoning", 10, "p3", (row) => short(row.tokens?.reasoning)),
	num("cost", "Cost", 11, "", (row) => html`<${Cost} of=${row.cost} />`),
	num("unpriced", "Unpriced tokens", 15, "p3", (row) => short(row.unpriced_tokens)),
	["silent", "No usage", { w: 10, num: true, from: "p3", title: "Calls without usage", cell: (row) => count(row.calls_without_usage) }],
];

const PRICE = [["price", "Price from", { w: 18, from: "p3", cell: (row) => html`<span class="dim">${row.price ? cut([row.price.source, row.price.as_of].filter(Boolean).join(", ")) : "none"}</span>` }]];

// ---- Health: each check with the age of its reading in big type, and how it went before.

const WORDS = {
	healthy: ["✓", "ok"],
	degraded: ["⚠", "warn"],
	unhealthy: ["✗", "bad"],
	stale: ["⚠", "bad"],
	pending: ["…", "dim"],
	ready: ["✓", "ok"],
	not_ready: ["✗", "bad"],
	draining: ["⊘", "warn"],
};
export const Word = ({ of }) => html`<span class="status ${(WORDS[of] ?? ["?", "dim"])[1]}"><i aria-hidden="true">${(WORDS[of] ?? ["?"])[0]}</i> ${String(of ?? "unknown").replace("_", " ")}</span>`;

// A letter a run: passed, passed with a warning, failed, timed out, panicked, stale.
const RUNS = { p: "ok", w: "warn", f: "bad", t: "bad", x: "bad", s: "dim" };

export function Health() {
	const answer = useRead("health", 5000);
	const checks = answer.data?.checks;
	useStream("health", (name) => name === "health" && answer.again());
	const { history = [], status } = answer.data ?? {};
	return html`
		<${Head} title="Health" text="health"><span class="big">${answer.data && html`<${Word} of=${status} />`}</span><//>
		<${Fault} error=${answer.error} />
		${!checks ? !answer.error && html`<${Loading} />` : checks.length
			? html`<div class="checks">${checks.map((check) => html`<${Check} key=${check.name} check=${check} />`)}</div>`
			: html`<${Empty} title="No check is registered." code=${'Monitor::builder().check(check_fn("index", async || index.ping().await))'}>The service is ready as soon as it listens.<//>`}
		${checks && html`<section><header><h2>Readiness of this process</h2></header>${history.length
			? html`<${Table} name="Readiness of this process" rows=${history.map((turn, at) => ({ ...turn, key: `${turn.time_us} ${at}` }))} columns=${[
					["time", "Time", { w: 11, cell: (turn) => html`<${Time} us=${turn.time_us} />` }],
					["status", "Status", { w: 14, cell: (turn) => html`<${Word} of=${turn.status} />` }],
					["reason", "Reason", {}],
				]} />`
			: html`<${Empty} title="It has not changed." />`}</section>`}`;
}

function Check({ check }) {
	useTicking(1000);
	const age = check.read_us == null ? null : now() - check.read_us;
	const isOld = check.interval_us && age > check.interval_us * 2;
	const turns = (check.turns ?? []).slice(0, 5);
	return html`<article class="check">
		<header><h2>${cut(check.name, 80)}</h2><${Word} of=${check.status} /></header>
		<p class="age num ${isOld ? "bad" : ""}" title="Age of the last reading">${age == null ? "–" : seconds(age) + " ago"}</p>
		<p class="message" title=${visible(check.message)}>${cut(check.message) || html`<span class="dim">no message</span>`}</p>
		<${Strip} runs=${check.strip} />
		<dl>
			<div><dt>last run took</dt><dd class="num">${duration(check.latency_us)} <${Spark} points=${check.latencies_us} label="duration of the last runs" /></dd></div>
			<div><dt>next run in</dt><dd class="num">${check.next_us == null ? "–" : seconds(Math.max(0, check.next_us - now()))}</dd></div>
			<div><dt>interval, deadline</dt><dd class="num">${duration(check.interval_us)}, ${duration(check.timeout_us)}</dd></div>
			<div><dt>turns after</dt><dd class="num">${count(check.failures_to_unhealthy)} failed, ${count(check.passes_to_healthy)} passed</dd></div>
			<div><dt>severity</dt><dd>${cut(check.severity).replace("_", "-")}</dd></div>
		</dl>
		${turns.length > 0 && html`<ul class="turns">${turns.map((turn) => html`<li><${Time} us=${turn.time_us} /> <${Word} of=${turn.status} /> <span title=${visible(turn.reason)}>${cut(turn.reason)}</span></li>`)}</ul>`}
	</article>`;
}

const seconds = (us) => (us < 6e7 ? `${(us / 1e6).toFixed(0)} s` : duration(us));

// The last 300 runs, the newest at the right. Height tells failures too, so colour is not the only mark.
function Strip({ runs = "" }) {
	const last = runs.slice(-300);
	const failures = [...last].filter((run) => "ftx".includes(run)).length;
	const path = (tone, y) => [...last].map((run, at) => ((RUNS[run] ?? "dim") === tone ? `M${300 - last.length + at} ${y}V14` : "")).join("");
	return html`<svg class="strip" viewBox="0 0 300 14" preserveAspectRatio="none" role="img" aria-label="${last.length} runs, ${failures} failed">
		<path class="ok" d=${path("ok", 8)} /><path class="warn" d=${path("warn", 4)} /><path class="bad" d=${path("bad", 0)} /><path class="dim" d=${path("dim", 11)} /></svg>`;
}

// ---- Logs: the last lines as they were written, after redaction.

const LEVELS = ["error", "warn", "info", "debug", "trace"];
const MOST = 500;


export function Logs({ query }) {
	const answer = useRead(`logs?limit=${MOST}`);
	const [lines, setLines] = useState(null);
	const [waiting, setWaiting] = useState([]);
	const held = useRef(false);
	const timer = useRef(0);
	useEffect(() => answer.data && (setLines(answer.data.lines), setWaiting([])), [answer.data]);
	// While the pointer rests on the lines, further ones wait, so nothing moves under it.
	// Lines may be told twice, and are known by their numbers.
	const after = (last, more) => [...(last ?? []), ...more.filter((line) => !(line.seq <= last?.at(-1)?.seq))].slice(-MOST);
	useStream("logs", (name, data) => {
		if (name !== "log") return;
		if (held.current) setWaiting((last) => after(last, data.lines));
		else setLines((last) => after(last, data.lines));
	});
	const release = () => {
		held.current = false;
		setLines((last) => after(last, waiting));
		setWaiting([]);
	};
	const level = query.level ?? "trace";
	const least = LEVELS.indexOf(level);
	const text = (query.q ?? "").toLowerCase();
	const shown = (lines ?? []).filter((line) => LEVELS.indexOf(line.level) <= least && (!text || `${line.logger} ${line.text} ${JSON.stringify(line.fields ?? {})}`.toLowerCase().includes(text)));
	return html`
		<${Head} title="Logs" text="logs" params=${{ level: query.level, q: query.q }}>
			<${Chips} label="Least level" choices=${LEVELS.map((level) => [level, level])} chosen=${level} to=${(level) => address(["logs"], { ...query, level: level === "trace" ? "" : level })} />
			<label>Text <input id="search" type="search" value=${query.q ?? ""} placeholder="logger, text or field" onInput=${({ target: { value } }) => {
				clearTimeout(timer.current);
				timer.current = setTimeout(() => setQuery({ q: value }), 200);
			}} /></label>
			<span class="num dim counts">${count(shown.length)} of ${count(lines?.length)} lines${waiting.length ? `, ${count(waiting.length)} more wait` : ""}</span>
		<//>
		<${Fault} error=${answer.error} />
		${answer.data && (answer.data.dropped > 0 || answer.data.suppressed > 0) && html`<p class="hint">⚠ ${count(answer.data.dropped)} lines were dropped and ${count(answer.data.suppressed)} suppressed as repetitions since the start.</p>`}
		${!lines ? !answer.error && html`<${Loading} />` : shown.length
			? html`<div class="log" onPointerEnter=${() => (held.current = true)} onPointerLeave=${release}><${Lines} lines=${[...shown].reverse()} linked /></div>`
			: lines.length ? html`<${Empty} title="No line matches." />` : html`<${Empty} title="No log line is kept." code="monitor_runtime::logging::init();">Lines are kept only through <code>logging::init</code> or the layer of <code>logging::builder</code>.<//>`}`;
}

// ---- About: what this is, what it keeps, what it lost.

// `scripts/vendor` requires these versions.
const VENDORED = [
	["preact 10.29.8", "MIT", "preact.LICENSE"],
	["htm 3.1.1", "Apache-2.0", "htm.LICENSE"],
];

export function About() {
	const answer = useRead("about", 5000);
	useStream("frame");
	const about = answer.data;
	const settings = about?.settings ?? [];
	return html`
		<${Head} title="About" text="about" />
		<${Fault} error=${answer.error} />
		${!about ? !answer.error && html`<${Loading} />` : html`<div class="cards">
			<${Card} title="Process" rows=${[
				["service", cut(about.service)], ["service version", cut(about.service_version)], ["instance", cut(about.instance_id)], ["process id", about.pid],
				["started", about.started_us && html`<span title=${fullTime(about.started_us)}><${Ago} us=${about.started_us} /></span>`],
				["monitor version", cut(about.version)], ["build", cut(about.build)], ["features", cut((about.features ?? []).join(", "))],
			]} />
			<${Card} title="Runs" rows=${[
				["going on", count(about.running)], ["ended", count(about.ended)], ["kept of them", count(about.kept)], ["evicted", count(about.evicted)],
				["not recorded", html`<${Lost} n=${about.lost} />`], ["events lost", html`<${Lost} n=${about.lost_events} />`],
				["memory", about.memory && html`${bytes(about.bytes)} of ${bytes(about.memory)} <meter min="0" max=${about.memory} value=${about.bytes}></meter>`],
			]} />
			${about.sizes?.length > 0 && html`<${Card} title="What is kept" rows=${about.sizes.map(({ name, bytes: n, count: c }) => [cut(name), `${bytes(n)}${c == null ? "" : ` · ${count(c)}`}`])} />`}
			<${Card} title="Connections and exports" rows=${[
				["pages open", about.clients == null ? null : `${count(about.clients)} of ${count(about.most_clients)}`],
				...(about.exports ?? []).flatMap(({ name, ok, failed, last_us, duration_us }) => [[cut(name), html`${count(ok)} done, <${Lost} n=${failed} /> failed${last_us ? html`, last <${Ago} us=${last_us} />` : ""}${duration_us ? `, took ${duration(duration_us)}` : ""}`]]),
			]} />
			<${Card} title="Parts of this page" rows=${VENDORED.map(([name, licence, file]) => [name, html`<a href="${BASE}assets/vendor/${file}">${licence}</a>`])} />
		</div>
		<section><header><h2>Settings</h2></header>${settings.length
			? html`<${Table} name="Settings" rows=${settings.map((setting) => ({ ...setting, key: setting.name }))} columns=${[
					["name", "Setting", { w: 34 }], ["value", "Value", { cell: (row) => (row.secret ? html`<span class="dim">${row.value ? "set" : "unset"}</span>` : cut(row.value) || "unset") }], ["source", "From", { w: 24, from: "p1" }]]} />`
			: html`<${Empty} title="The service reports no settings." />`}</section>`}`;
}

const Lost = ({ n }) => html`<span class=${n > 0 ? "bad" : ""}>${count(n)}</span>`;

function Card({ title, rows }) {
	const known = rows.filter(([, value]) => value != null && value !== "" && value !== false);
	return known.length > 0 && html`<section class="card"><h2>${title}</h2><dl>${known.map(([name, value]) => html`<div><dt>${name}</dt><dd class="num">${value}</dd></div>`)}</dl></section>`;
}
