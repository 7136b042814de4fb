// The screens but Run. They share a file since it packs better than seven.
import { BASE, CALLS, STATUS, address, bytes, clock, count, cut, dollars, duration, fullTime, html, isPassed, now, percent, rate, seconds, setQuery, short, ticking, useEffect, useMemo, useRef, useState, visible, within } from "./base.js";
import { frame, read, signOut, useFollowed, useRead, useStream, useTicking } from "./live.js";
import { Ago, Answer, Chips, Cost, ERRORS, Empty, Fault, Field, Head, Length, Lines, Loading, Lost, NO_LINES, Pairs, Section, Spark, Status, Table, Time, Tokens, callAddress, runAddress, num } from "./parts.js";
import { Plot } from "./plot.js";

// Columns of several tables.
const RATE = num("rate", "Calls/s", 8, "", (row) => rate(row.calls_per_s));
const P95 = (from) => num("p95", "p95", 10, from, (row) => duration(row.p95_us));

// ---- Now

const RANGES = [["60", "1 m"], ["300", "5 m"], ["900", "15 m"], ["3600", "1 h"]];

const PLOTS = [
	{ title: "Runs ended", unit: "per second", format: rate, series: [["runs.success", "succeeded", "--c1"], ["runs.error", "failed", "--c4"], ["runs.cancelled", "cancelled", "--c3"], ["runs.panic", "panicked", "--c5"]] },
	{ title: "Agent duration", unit: "quantiles", format: duration, series: [["agents.p50_us", "p50", "--c1"], ["agents.p95_us", "p95", "--c3"]] },
	{ title: "In flight", unit: "calls", format: short, series: [["in_flight.agent", "agents", "--c1"], ["in_flight.skill", "skills", "--c2"], ["in_flight.model", "models", "--c3"], ["in_flight.query", "queries", "--c5"]] },
	{ title: "Tokens", unit: "per second, $ per hour", format: short, right: (n) => (n == null ? "–" : dollars(n * 1e9)), series: [["tokens.cached_input", "cached", "--c2"], ["tokens.uncached_input", "uncached", "--c1"], ["tokens.output", "output", "--c3"], ["cost.usd_per_hour", "$/h", "--c5", "right"]] },
];
const SERIES = PLOTS.flatMap((plot) => plot.series.map(([key]) => key));
const NO_TIMES = { times: [], series: {} };

export function Now({ query, theme }) {
	const range = query.range || "300";
	// An address may hold any time.
	const chosen = [query.from, query.to].map((us) => within(Number(us), now() - 864e8, now()));
	const zoom = chosen[0] < chosen[1] ? chosen : null;
	// A zoomed span is read as finely as it is still kept: the last five minutes by the second, the last hour.
	const span = zoom ? (RANGES.find(([s]) => now() - zoom[0] < s * 1e6) ?? RANGES[3])[0] : range;
	const history = useRead(`history?${new URLSearchParams({ series: SERIES.join(), range: span })}`, span === "60" || span === "300" ? 0 : 10000);
	const plots = useRef(NO_TIMES);
	useMemo(() => (plots.current = history.data ? asColumns(history.data) : NO_TIMES), [history.data]);
	const answer = useFollowed("now?limit=100", "now", (last, name, tick) => {
		if (name !== "tick") return last;
		if (tick.points && history.data?.step_us <= 1e6) plots.current = extended(plots.current, tick, Number(span));
		return merged(last, tick);
	});
	const state = answer.data;
	const until = now() / 1e6;
	const [from, to] = zoom ? zoom.map((us) => us / 1e6) : [until - Number(range), until];
	return html`
		<${Head} title="Now" text="now" wide>
			<${Chips} label="Range of the plots" choices=${RANGES} chosen=${range} to=${(value) => address([], { ...query, range: value, from: "", to: "" })} />
			${zoom && html`<button class="chip" onClick=${() => setQuery({ from: "", to: "" })}>${clock(zoom[0])} to ${clock(zoom[1])} ✕</button>`}
		<//>
		<${Fault} error=${answer.error} />
		<${Banner} lines=${[...(state?.banner ?? frame.banner ?? []), ...overBudget(state?.running)]} known=${Boolean(state)} />
		<${Running} state=${state} />
		${frame.instance?.instances != null && !isPassed && html`<${Instances} />`}
		${history.error
			? html`<${Empty} title="No plots">${visible(history.error.message)}<//>`
			: html`<div class="plots">${PLOTS.map((plot) => html`<${Plot} key=${plot.title} ...${plot} data=${plots.current} from=${from} to=${to} theme=${theme}
					none=${!history.data ? "" : zoom ? "nothing is kept of this time" : "no points yet"}
					onZoom=${(from, to) => setQuery({ from, to })} />`)}</div>`}
		<div class="split">
			<${Agents} rows=${state?.agents} known=${Boolean(state)} />
			<${Failures} rows=${state?.failures} zoom=${zoom} known=${Boolean(state)} />
		</div>`;
}

function asColumns({ from_us, step_us, series }) {
	return { times: Object.values(series)[0].map((_, at) => (from_us + at * step_us) / 1e6), series };
}

function extended({ times, series }, tick, range) {
	const time = tick.server_time_us / 1e6;
	if (times.length && time <= times.at(-1)) return { times, series };
	const from = times.filter((other) => other < time - range - 2).length;
	const longer = Object.fromEntries(SERIES.map((key) => [key, [...(series[key]?.slice(from) ?? Array(times.length - from).fill(null)), tick.points[key] ?? null]]));
	return { times: [...times.slice(from), time], series: longer };
}

// A tick has the rows that changed, each with its id and the fields that changed. A full one has all that go on.
function merged(last, tick) {
	const rows = new Map(tick.full ? [] : (last.running ?? []).map((row) => [row.id, row]));
	for (const row of tick.running ?? []) rows.set(row.id, { ...rows.get(row.id), ...row });
	for (const { id, ...end } of tick.ended ?? []) if (rows.has(id)) rows.set(id, { ...rows.get(id), ...end, endedAt: rows.get(id).endedAt ?? now() });
	const agents = new Map((last.agents ?? []).map((row) => [row.name, row]));
	for (const row of tick.agents ?? []) agents.set(row.name, { ...agents.get(row.name), ...row });
	const seen = new Set((tick.failures ?? []).map(keyOfFailure));
	return {
		...last,
		running: [...rows.values()].filter((row) => !(now() - row.endedAt > 6e7)).sort((a, b) => a.started_us - b.started_us),
		agents: [...agents.values()],
		failures: [...(tick.failures ?? []), ...(last.failures ?? []).filter((row) => !seen.has(keyOfFailure(row)))].slice(0, 20),
		more: tick.more ?? last.more,
		banner: tick.banner ?? last.banner,
	};
}

// Runs of a trace share its id.
const keyOfRun = (row) => `${row.id} ${row.started_us}`;
const keyOfFailure = (row) => `${row.run} ${row.ended_us}`;

function overBudget(rows = []) {
	const over = rows.filter((row) => row.budget === "over" && !row.endedAt);
	return over.length < 2
		? over.map(({ agent, id, limits_hit: limits = [] }) => ({ level: "warn", text: `A run of ${agent} is over its budget: ${limits.join(", ").replaceAll("_", " ")}.`, link: `runs/${id}` }))
		: [{ level: "warn", text: `${over.length} runs that go on are over their budgets.`, link: "runs?status=running" }];
}

const Banner = ({ lines, known }) => html`<ul class="banner" aria-live="polite" aria-label="Warnings">
	${lines?.length
		? lines.map(({ text, link, level, since_us }) => html`<li key="${link} ${text}" class=${level}><i aria-hidden="true">⚠</i> ${link ? html`<a href=${BASE + link}>${cut(text)}</a>` : cut(text)}
			${since_us && html`<span class="dim num" aria-hidden="true">for <${Ago} us=${since_us} past="" /></span>`}</li>`)
		: html`<li class="quiet">${known ? html`<i aria-hidden="true">✓</i> Nothing needs attention.` : " "}</li>`}
</ul>`;

// This process asks the others; a browser never does.
function Instances() {
	const answer = useRead("instances", 2000);
	const stands = ({ state, status, reason, since_us, ready }) => (state === "answers"
		? html`<${Word} of=${ready} />`
		: html`<span class="status bad" title=${visible(reason)}><i aria-hidden="true">✗</i> ${state}${status ? ` (${status})` : ""} since ${clock(since_us)}</span>`);
	const columns = [
		["id", "Instance", { w: 34, vw: 28, cell: (row) => html`${cut(row.id ?? row.address, 60)} ${row.pid && html`<small class="dim">pid ${row.pid}</small>`}`, hint: (row) => row.address }],
		["state", "State", { cell: (row) => (row.state ? stands(row) : html`<b>${count(row.answering)} of ${count(row.known)} answer</b>`) }],
		["version", "Version", { w: 12, from: "p1" }],
		num("running", "Running", 8, "p1", (row) => count(row.running)),
		RATE,
		ERRORS,
		P95("p1"),
		num("cost", "Cost/h", 11, "p1", (row) => html`<${Cost} of=${row.cost_per_hour} />`),
		num("age", "Read", 12, "p2", (row) => (row.age_us > 2e6 ? `${duration(row.age_us)} ago` : row.state && row.age_us != null ? "now" : "")),
	];
	return html`<${Section} class="instances" title="Instances" note=${answer.data?.faults?.map((fault) => html`<small class="bad">${cut(fault)}</small>`)}>
		<${Answer} of=${answer}>${() => html`<${Table} name="Instances" columns=${columns} rows=${[...answer.data.instances, { ...answer.data.totals, id: "all together" }]} keyOf=${(_, nth) => nth} href=${(row) => row.state && BASE + (row.path ?? "")} />`}<//><//>`;
}

// Ended rows stay for two seconds, and as long as the pointer is over them.
function Running({ state }) {
	useTicking(200, Boolean(state?.running?.some((row) => !row.endedAt)));
	const all = state?.running ?? [];
	const recent = all.filter((row) => !(now() - row.endedAt > 2e6));
	const [held, over] = useHeld(recent);
	const rows = all.filter((row) => recent.includes(row) || held.some(({ id }) => id === row.id));
	const going = rows.filter((row) => !row.endedAt).length + (state?.more ?? 0);
	const elapsed = (row) => (row.endedAt ? row.duration_us : now() - row.started_us);
	const columns = [
		["agent", "Agent", { w: 18, cell: (row) => html`${row.endedAt ? `${STATUS[row.status]?.[0]} ` : ""}${cut(row.agent)}`, hint: (row) => `run ${row.id}` }],
		["step", "Current step", { cell: (row) => stepOf(row) || html`<span class="dim">its own code</span>`, hint: (row) => cut(row.step) }],
		num("elapsed", "Elapsed", 10, "", (row) => ticking(elapsed(row))),
		["run", "Run", { w: 10, from: "p2", cell: (row) => html`<a class="mono" href=${runAddress(row.id)}>${row.id.slice(0, 8)}</a>` }],
		["p95", "of p95", { w: 12, num: true, from: "p1", title: "Elapsed time against the 95th percentile of this agent; amber beyond it, red beyond three times it", cell: (row) => html`<${Against} us=${elapsed(row)} p95=${row.p95_us} />` }],
		num("model_calls", "Models", 8, "p2", (row) => count(row.model_calls)),
		num("tokens", "Tokens", 9, "p2", (row) => html`<${Tokens} of=${row.tokens} />`),
		num("cost", "Cost", 11, "p2", (row) => html`<${Cost} of=${row.cost} />`),
		["last_line", "Last log line", { from: "p3", cell: (row) => html`<span class="dim">${cut(row.last_line)}</span>`, hint: (row) => cut(row.last_line) }],
	];
	const more = state?.more > 0 && html`<a href=${address(["runs"], { status: "running" })}>+${count(state.more)} more</a>`;
	return html`<${Section} class="running" ...${over} title=${html`Running now <small class="num">${state ? count(going) : ""}</small>`} note=${more}>
		<div class="slots">
		${!state ? html`<${Loading} />` : rows.length
			? html`<${Table} name="Running now" columns=${columns} rows=${rows.slice(0, 100)} href=${(row) => runAddress(row.id)} rowClass=${(row) => (row.endedAt ? "ended" : "")} />`
			: html`<${NothingRuns} state=${state} />`}</div>
	<//>`;
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
		RATE,
		num("p50", "p50", 10, "p1", (row) => duration(row.p50_us)),
		P95(""),
		num("p99", "p99", 10, "p2", (row) => duration(row.p99_us)),
		ERRORS,
		num("cancelled", "Cancelled", 9, "p2", (row) => percent(row.cancelled_ratio)),
		num("tokens", "Tokens/run", 10, "p2", (row) => short(row.tokens_per_run)),
		num("cost", "Cost/run", 11, "p2", (row) => html`<${Cost} of=${row.cost_per_run} />`),
		["spark", "Last minute", { w: 13, from: "p1", cell: (row) => html`<${Spark} points=${row.spark} label="calls a second of the last minute" />` }],
	];
	return html`<${Section} title="Agents">
		${!known ? html`<${Loading} />` : rows?.length
			? html`<${Table} name="Agents" columns=${columns} rows=${[...rows].sort(byName)} keyOf=${(row) => row.name} href=${(row) => callAddress("agent", row.name)} />`
			: html`<${Empty} title="No agent has been called yet." />`}<//>`;
}

const byName = (a, b) => (a.name < b.name ? -1 : 1);

// The value as it was when the pointer came, so that nothing moves under it, unless another `of` is asked for.
function useHeld(value, of) {
	const held = useRef({});
	if (!held.current.is || held.current.of !== of) Object.assign(held.current, { value, of });
	const hold = (is) => () => (held.current.is = is);
	// What is gone from under the pointer does not tell that it has left.
	const gone = useRef((element) => element ?? hold(false)());
	return [held.current.value, { onPointerEnter: hold(true), onPointerLeave: hold(false), ref: gone.current }];
}

function Failures({ rows, zoom, known }) {
	const [held, over] = useHeld(rows);
	const shown = (held ?? []).filter((row) => !zoom || (row.ended_us >= zoom[0] && row.ended_us <= zoom[1])).slice(0, 20);
	const columns = [
		["ended", "Time", { w: 15, cell: (row) => html`<${Time} us=${row.ended_us} />` }],
		["agent", "Agent", { w: 18 }],
		["error", "Error", { cell: (row) => html`<span class="bad">${STATUS[row.status]?.[0]}</span> ${cut(row.error) || row.status}`, hint: (row) => cut(row.error) }],
	];
	return html`<${Section} ...${over} title="Last failures" note=${html`<a href=${address(["runs"], { status: "failed" })}>all kept</a>`}>
		${!known ? html`<${Loading} />` : shown.length
			? html`<${Table} name="Last failures" columns=${columns} rows=${shown} keyOf=${keyOfFailure} href=${(row) => runAddress(row.run)} />`
			: html`<${Empty} title=${zoom && held?.length ? `None of the last ${held.length} failures was in the chosen time.` : "No failed run is kept."} />`}<//>`;
}

// ---- Runs

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
	const isOfRunning = query.status === "running";
	const path = `runs?${new URLSearchParams({ ...params, limit: isOfRunning && query.all ? 1000 : 100 })}`;
	const answer = useRead(path, isOfRunning ? 2000 : 0);
	const [held, over] = useHeld(answer.data, answer.path);
	const latest = useRef();
	latest.current = answer.data;
	const [older, setOlder] = useState({ runs: [] });
	const [fresh, setFresh] = useState(0);
	useEffect(() => {
		setFresh(0);
		setOlder({ runs: [] });
	}, [answer.data]);
	// New rows do not move the table: runs that ended are counted until somebody asks for them.
	useStream("runs", (name, { runs }) => {
		if (name !== "runs") return;
		const shown = new Set(rows.map(keyOfRun));
		const isNew = (row) => row.started_us + row.duration_us > (answer.data?.server_time_us ?? 0) && !shown.has(keyOfRun(row));
		setFresh((n) => n + runs.filter((row) => isNew(row) && passes(row, params)).length);
	});
	const cursor = older.runs.length ? older.cursor : answer.data?.cursor;
	const readOlder = async () => {
		const next = await read(`${path}&cursor=${encodeURIComponent(cursor)}`).catch((error) => ({ runs: [], cursor, error }));
		// Not if the list was read again meanwhile, or this page by another click.
		if (latest.current === answer.data) setOlder((last) => (last.cursor === older.cursor ? { ...next, runs: [...last.runs, ...next.runs] } : last));
	};
	const found = [...(answer.data?.runs ?? []), ...older.runs];
	const byKey = new Map(found.map((row) => [keyOfRun(row), row]));
	// A run that is gone from under the pointer has ended, if it was not pushed out by sorting.
	const rows = isOfRunning ? (held?.runs ?? []).map((row) => byKey.get(keyOfRun(row)) ?? { ...row, status: "unknown" }) : found;
	const more = isOfRunning && answer.data?.more;
	const chosen = Object.keys(CHIPS).find((chip) => JSON.stringify(CHIPS[chip]) === JSON.stringify(params));
	const longest = Math.max(1000, ...rows.map((row) => soFar(row) ?? 0));
	return html`
		<${Head} title="Runs" text="runs" params=${params} wide>
			<${Chips} label="Kinds of runs" choices=${Object.keys(CHIPS).map((chip) => [chip, chip])} chosen=${chosen} to=${(chip) => address(["runs"], CHIPS[chip])} />
			<button class="chip new" disabled=${!fresh} onClick=${answer.again}>${fresh ? `${count(fresh)} ended ▲` : "up to date"}</button>
		<//>
		<${Filter} query=${query} />
		<${Answer} of=${answer}>${() => rows.length
			? html`<section ...${over}><${Table} name="Runs" columns=${runColumns(longest)} rows=${rows} keyOf=${keyOfRun} href=${(row) => runAddress(row.id)} sort=${query.sort} sortable=${SORTABLE} /></section>`
			: Object.keys(params).length
				? html`<${Empty} title="No kept run matches."><a href=${address(["runs"])}>Show all</a>. ${count(frame.keeps?.kept)} of ${count(frame.keeps?.ended)} ended runs are kept: of each agent the newest, the failed, the slow, the dear and the pinned.<//>`
				: html`<${NothingRuns} />`}<//>
		<${Fault} error=${older.error} />
		${cursor != null && html`<p><button onClick=${readOlder}>older runs</button></p>`}
		${more > 0 && html`<p>${query.all ? `${count(more)} further runs go on.` : html`<button onClick=${() => setQuery({ all: 1 })}>${count(more)} further runs</button>`}</p>`}`;
}

// Whether a run that ended passes the filters, as far as its row tells: a text may be anywhere in a run.
const passes = (row, { status = row.status, agent = row.agent, min_ms = 0, min_cost, failed_step, pinned = String(row.pinned) }) =>
	(status === "failed" ? !["success", "unknown"].includes(row.status) : row.status === status)
	&& row.agent === agent && String(row.pinned) === pinned && row.duration_us >= min_ms * 1000
	&& (min_cost === undefined || (row.cost?.priced > 0 && row.cost.nano_usd >= min_cost * 1e9))
	&& (failed_step === undefined || failed_step === String(row.status === "success" && row.failed_steps > 0));

const runColumns = (longest) => [
	["status", "Status", { w: 13, vw: 8, cell: (row) => html`<${Status} of=${row.status} />` }],
	["agent", "Agent", { w: 20 }],
	["started", "Started", { w: 15, from: "p1", cell: (row) => html`<${Time} us=${row.started_us} />` }],
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
	return html`<form class="filter" role="search" onSubmit=${(event) => event.preventDefault()}>
		<label>Text <${Field} id="search" type="search" name="q" value=${query.q} placeholder="error or log line" /></label>
		<label>Status <select value=${query.status ?? ""} onChange=${(event) => setQuery({ status: event.target.value })}>
			${["", "running", "success", "failed", "error", "panic", "cancelled"].map((value) => html`<option value=${value}>${value || "any"}</option>`)}</select></label>
		<label>Agent <${Field} name="agent" value=${query.agent} placeholder="any" /></label>
		<label>From <${Field} type="number" min="0" name="min_ms" value=${query.min_ms} placeholder="0" /> ms</label>
		<label>From $ <${Field} type="number" min="0" step="any" name="min_cost" value=${query.min_cost} placeholder="0" /></label>
		<label><input type="checkbox" checked=${query.failed_step === "true"} onChange=${(event) => setQuery({ failed_step: event.target.checked ? "true" : "" })} /> succeeded with a failed step</label>
	</form>`;
}

// ---- Calls

const DECADES = ["<10 ms", "<100 ms", "<1 s", "<10 s", "<100 s", "<1000 s", "≥1000 s"];

export function Calls({ query }) {
	const kind = query.kind;
	const answer = useRead("calls", 2000);
	useStream("frame");
	const rows = (answer.data?.calls ?? []).filter((row) => !kind || row.kind === kind);
	const pools = answer.data?.pools ?? [];
	return html`
		<${Head} title="Calls" text="calls" wide>
			<${Chips} label="Kinds of calls" choices=${[["", "all"], ...CALLS.map((kind) => [kind, kind === "query" ? "queries" : `${kind}s`])]} chosen=${kind ?? ""} to=${(kind) => address(["calls"], { kind })} />
		<//>
		<${Answer} of=${answer}>${() => rows.length
			? html`<${Table} name="Calls by name" columns=${COLUMNS} rows=${rows} keyOf=${(row) => `${row.kind} ${row.name} ${row.operation}`} href=${(row) => callAddress(row.kind, row.name, { operation: row.operation })} />`
			: html`<${Empty} title="No call has been counted${kind ? ` of this kind` : " yet"}." code=${'#[track_skill]\nasync fn web_search(words: &str) -> Result<Vec<Hit>, Error> { … }'}>A function is listed here once it has been called.<//>`}<//>
		${pools.length > 0 && html`<${Section} title="Connection pools"><${Table} name="Connection pools" rows=${pools} keyOf=${(pool) => pool.name} columns=${[
			["name", "Pool", {}],
			num("leased", "Leased", 9, "", (pool) => html`<span class=${pool.leased >= pool.max ? "bad" : ""}>${count(pool.leased)}</span>`),
			num("idle", "Idle", 9, "", (pool) => count(pool.idle)),
			num("max", "Maximum", 10, "", (pool) => count(pool.max)),
		]} /><//>`}`;
}

// Of requests no sample is kept.
const cell = (row, n, params) => (n && row.kind === "route" ? count(n) : n ? html`<a href=${callAddress(row.kind, row.name, { ...params, operation: row.operation })}>${count(n)}</a>` : html`<span class="dim">${n === 0 ? "·" : "–"}</span>`);

const COLUMNS = [
	["name", "Name", { cell: (row) => html`<small class="dim kind">${row.kind}</small> ${cut(row.name)}${row.operation ? html` <small class="dim">${cut(row.operation)}</small>` : ""}`, hint: (row) => cut(row.name) }],
	num("running", "Running", 9, "p1", (row) => count(row.running)),
	RATE,
	ERRORS,
	num("p50", "p50", 10, "p3", (row) => duration(row.p50_us)),
	P95("p1"),
	num("p99", "p99", 10, "p3", (row) => duration(row.p99_us)),
	...DECADES.map((decade, at) => [decade, decade, { w: 9, num: true, from: "p2", cell: (row) => cell(row, row.decades?.[at], { decade: at }) }]),
	num("failed", "✗ failed", 9, "p1", (row) => cell(row, row.error == null ? null : row.error + (row.panic ?? 0), { outcome: "failed" })),
	num("cancelled", "⊘ cancelled", 12, "p2", (row) => cell(row, row.cancelled, { outcome: "cancelled" })),
];

export function Call({ kind, name, query }) {
	const params = Object.fromEntries(["decade", "outcome", "operation"].filter((key) => query[key]).map((key) => [key, query[key]]));
	const path = `calls/${encodeURIComponent(kind)}/${encodeURIComponent(name)}`;
	const answer = useRead(`${path}?${new URLSearchParams(params)}`, 5000);
	useStream("frame");
	const call = answer.data;
	const samples = call?.samples ?? [];
	const isRoute = kind === "route";
	const to = (changes) => callAddress(kind, name, { ...params, ...changes });
	return html`
		<${Head} title=${html`<span class="dim">${cut(kind)}</span> ${cut(name, 80)} <small>${cut(params.operation, 40)}</small>`} text=${path} params=${params}>
			${!isRoute && html`<${Chips} label="Durations" choices=${[["", "any duration"], ...DECADES.map((decade, at) => [String(at), decade])]} chosen=${params.decade ?? ""} to=${(decade) => to({ decade })} />
			<${Chips} label="Outcomes" choices=${[["", "any outcome"], ["failed", "failed"], ["cancelled", "cancelled"]]} chosen=${params.outcome ?? ""} to=${(outcome) => to({ outcome })} />`}
		<//>
		<${Answer} of=${answer}>${() => html`<dl class="facts"><${Pairs} of=${[["running", count(call.running)], ["calls/s", rate(call.calls_per_s)], ["since start", count(call.count)], ["errors", percent(call.error_ratio)], ["p50", duration(call.p50_us)], ["p95", duration(call.p95_us)], ["p99", duration(call.p99_us)]]} /></dl>
			${samples.length
			? html`<${Table} name="Samples" columns=${SAMPLES} rows=${samples} keyOf=${(sample, nth) => `${sample.started_us} ${nth}`} href=${(sample) => sample.run && runAddress(sample.run, { node: sample.node })} />`
			: isRoute ? html`<${Empty} title="Requests are counted, and none is kept as a sample.">The runs inside them are on <a href=${address(["runs"])}>Runs</a>.<//>`
			: html`<${Empty} title="No sample is kept of this choice.">Ten samples of each cell are kept, at least a second apart.<//>`}`}<//>`;
}

const SAMPLES = [
	["started", "Began", { w: 15, cell: (sample) => html`<${Time} us=${sample.started_us} />` }],
	["outcome", "Outcome", { w: 13, vw: 8, cell: (sample) => html`<${Status} of=${sample.outcome ?? "running"} />` }],
	num("duration", "Duration", 11, "", (sample) => duration(sample.duration_us)),
	["error", "Error", { cell: (sample) => cut(sample.error) || html`<span class="dim">–</span>`, hint: (sample) => visible(sample.error) }],
	["run", "Run", { w: 34, from: "p2", cell: (sample) => (sample.run ? html`<span class="mono">${sample.run}</span>` : html`<span class="dim">outside of any run</span>`) }],
];

// ---- Models: each call counted once

const EXAMPLE = `#[track_model(provider = "openai", model = self.model)]
async fn complete(&self, ask: &Ask) -> Result<Reply, ApiError> { … }`;

export function Models() {
	const answer = useRead("models", 2000);
	useStream("frame");
	const { models = [], agents = [], has_prices: hasPrices = true } = answer.data ?? {};
	const silent = models.some((row) => row.calls_without_usage > 0);
	return html`
		<${Head} title="Models" text="models" wide />
		<${Answer} of=${answer}>${() => !models.length
			? html`<${Empty} title="No model has been called yet." code=${EXAMPLE}>Annotate the function that asks the model.<//>`
			: html`
				${!hasPrices && html`<p class="hint">No prices are set, so costs are unpriced. Set them by <code>genai::set_pricing</code>.</p>`}
				${silent && html`<p class="hint">Some calls came without usage. The provider reported none; for OpenAI streams ask for it by <code>stream_options.include_usage</code>.</p>`}
				<${Section} title="By model"><${Table} name="By model" columns=${[...MODEL, ...SUMS]} rows=${models} keyOf=${(row) => `${row.provider} ${row.model}`} href=${(row) => callAddress("model", row.model, { operation: row.provider })} /><//>
				<${Section} title=${html`By agent <small>its own model calls</small>`}>${agents.length
					? html`<${Table} name="By agent" columns=${[AGENT, ...SUMS]} rows=${agents} keyOf=${(row) => row.agent} href=${(row) => row.agent && callAddress("agent", row.agent)} />`
					: html`<${Empty} title="No model call inside an agent has reported usage." />`}<//>`}<//>`;
}

const AGENT = ["agent", "Agent", { cell: (row) => cut(row.agent) || html`<span class="dim">outside of any agent</span>` }];

const pricesOf = ({ price_source: source, prices_as_of: day }) => (source ? `, last by ${source === "provider" ? "the provider" : `prices${day ? ` of ${cut(day)}` : " set here"}`}` : "");

const MODEL = [
	["model", "Model", { cell: (row) => html`<small class="dim">${cut(row.provider)}</small> ${cut(row.model)}`, hint: (row) => cut(`${row.provider} ${row.model}`) }],
	num("running", "Running", 8, "p2", (row) => count(row.running)),
	RATE,
	ERRORS,
	num("retries", "Retries", 8, "p2", (row) => count(row.retries)),
	["first", "First chunk", { w: 17, num: true, from: "p2", title: "p50 and p95 of the time to the first chunk of a stream, over five minutes", cell: (row) => (row.first_chunk_p95_us == null ? "–" : `${duration(row.first_chunk_p50_us)}, ${duration(row.first_chunk_p95_us)}`) }],
	["output_s", "Output/s", { w: 9, num: true, from: "p3", title: "Output tokens a second, over five minutes", cell: (row) => rate(row.output_tokens_per_s) }],
];

const SUMS = [
	num("calls", "Calls", 9, "p1", (row) => short(row.calls)),
	num("input", "Input", 9, "p1", (row) => short(row.tokens?.input)),
	["cached", "Cached", { w: 8, num: true, from: "p2", title: "The part of the input that came from the provider's cache", cell: (row) => percent(cachedPart(row.tokens)) }],
	num("output", "Output", 9, "p1", (row) => short(row.tokens?.output)),
	num("reasoning", "Reasoning", 10, "p3", (row) => short(row.tokens?.reasoning)),
	num("cost", "Cost", 11, "", (row) => html`<${Cost} of=${row.cost} from=${pricesOf(row)} />`),
	num("unpriced", "Unpriced tokens", 15, "p3", (row) => short(row.unpriced_tokens)),
	["silent", "No usage", { w: 10, num: true, from: "p3", title: "Calls without usage", cell: (row) => count(row.calls_without_usage) }],
];

// ---- Health

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
export function Word({ of = "unknown" }) {
	const [glyph, tone] = Object.hasOwn(WORDS, of) ? WORDS[of] : ["?", "dim"];
	return html`<span class="status ${tone}"><i aria-hidden="true">${glyph}</i> ${of.replace("_", " ")}</span>`;
}

// A letter a run, with its words, its colour and its line.
const RUNS = { p: ["passed", "ok", "8V14"], w: ["with a warning", "warn", "4V14"], f: ["✗ failed", "bad", "0V14"], t: ["◷ timed out", "bad", "0V6"], x: ["‼ panicked", "bad", "4V10"], s: ["… stale", "dim", "11V14"] };

export function Health() {
	const answer = useRead("health", 5000);
	const checks = answer.data?.checks;
	useStream("health", (name) => name === "health" && answer.again());
	const { history = [], status } = answer.data ?? {};
	return html`
		<${Head} title="Health" text="health"><span class="big">${answer.data && html`<${Word} of=${status} />`}</span><//>
		<${Answer} of=${answer}>${() => html`${checks.length
			? html`<div class="checks">${checks.map((check) => html`<${Check} key=${check.name} check=${check} />`)}</div>`
			: html`<${Empty} title="No check is registered." code=${'Monitor::builder().check(check_fn("index", async || index.ping().await))'}>The service is ready as soon as it listens.<//>`}
		<${Section} title="Readiness of this process">${history.length
			? html`<${Table} name="Readiness of this process" rows=${history} keyOf=${(transition, nth) => `${transition.time_us} ${nth}`} columns=${[
					["time", "Time", { w: 15, cell: (transition) => html`<${Time} us=${transition.time_us} />` }],
					["status", "Status", { w: 14, cell: (transition) => html`<${Word} of=${transition.status} />` }],
					["reason", "Reason", {}],
				]} />`
			: html`<${Empty} title="It has not changed." />`}<//>`}<//>`;
}

function Check({ check }) {
	useTicking(1000);
	const age = check.read_us == null ? null : now() - check.read_us;
	const isOld = check.interval_us && age > check.interval_us * 2;
	const transitions = (check.transitions ?? []).slice(0, 5);
	return html`<article class="check">
		<header><h2>${cut(check.name, 80)}</h2><${Word} of=${check.status} /></header>
		<p class="age num ${isOld ? "bad" : ""}" title="Age of the last reading">${age == null ? "–" : seconds(age) + " ago"}</p>
		<p class="message" title=${visible(check.message)}>${cut(check.message) || html`<span class="dim">no message</span>`}</p>
		<${Strip} runs=${check.strip} />
		<dl><${Pairs} of=${[
			["last run took", html`${duration(check.latency_us)} <${Spark} points=${check.latencies_us} label="duration of the last runs" />`],
			["next run in", check.next_us == null ? "–" : seconds(Math.max(0, check.next_us - now()))],
			["interval, deadline", `${duration(check.interval_us)}, ${duration(check.timeout_us)}`],
			["changes after", `${count(check.failures_to_unhealthy)} failed, ${count(check.passes_to_healthy)} passed`],
			["severity", cut(check.severity).replace("_", "-")],
		]} /></dl>
		${transitions.length > 0 && html`<ul class="transitions">${transitions.map(({ time_us, status, reason }) => html`<li><${Time} us=${time_us} /> <${Word} of=${status} /> <span title=${visible(reason)}>${cut(reason)}</span></li>`)}</ul>`}
	</article>`;
}

// The last 300 runs, the newest at the right. The lines differ, and words count them, so colour is not the only mark.
function Strip({ runs = "" }) {
	const last = [...runs.slice(-300)];
	const path = ([letter, [, tone, line]]) => html`<path class=${tone} d=${last.map((run, at) => (run === letter ? `M${300 - last.length + at} ${line}` : "")).join("")} />`;
	const said = Object.entries(RUNS).map(([letter, [word]]) => [last.filter((run) => run === letter).length, word]).filter(([n]) => n);
	const words = said.map(([n, word]) => `${n} ${word}`).join(", ");
	return html`<svg class="strip" viewBox="0 0 300 14" preserveAspectRatio="none" role="img" aria-label="Last runs: ${words}">${Object.entries(RUNS).map(path)}</svg>
		<p class="dim num">${words || " "}</p>`;
}

// ---- Logs

const LEVELS = ["error", "warn", "info", "debug", "trace"];
const MOST = 500;

export function Logs({ query }) {
	const answer = useRead(`logs?limit=${MOST}`);
	const [lines, setLines] = useState(null);
	// The stream may have brought later lines meanwhile.
	useEffect(() => answer.data && setLines((last) => withLines(answer.data.lines, (last ?? []).filter((line) => line.time_us > answer.data.lines.at(-1)?.time_us))), [answer.data]);
	// Lines may be told twice, and are known by their numbers.
	useStream("logs", (name, data) => name === "log" && setLines((last) => withLines(last ?? [], data.lines)));
	const [held, over] = useHeld(lines);
	const waiting = lines?.filter((line) => line.seq > held?.at(-1)?.seq).length;
	const level = query.level ?? "trace";
	const least = LEVELS.indexOf(level);
	const text = (query.q ?? "").toLowerCase();
	const shown = (held ?? []).filter((line) => line.missing || LEVELS.indexOf(line.level) <= least && (!text || `${line.logger} ${line.text} ${JSON.stringify(line.fields ?? {})}`.toLowerCase().includes(text)));
	return html`
		<${Head} title="Logs" text="logs" params=${{ level: query.level, q: query.q }}>
			<${Chips} label="Least level" choices=${LEVELS.map((level) => [level, level])} chosen=${level} to=${(level) => address(["logs"], { ...query, level: level === "trace" ? "" : level })} />
			<label>Text <${Field} id="search" type="search" name="q" value=${query.q} placeholder="logger, text or field" /></label>
			<span class="num dim counts">${count(shown.length)} of ${count(held?.length)} lines${waiting ? `, ${count(waiting)} more wait` : ""}</span>
		<//>
		<${Fault} error=${answer.error} />
		${answer.data && (answer.data.dropped > 0 || answer.data.suppressed > 0) && html`<p class="hint">⚠ ${count(answer.data.dropped)} lines were dropped and ${count(answer.data.suppressed)} suppressed as repetitions since the start.</p>`}
		${!lines ? !answer.error && html`<${Loading} />` : shown.length
			? html`<div class="log" ...${over}><${Lines} lines=${[...shown].reverse()} linked /></div>`
			: lines.length ? html`<${Empty} title="No line matches." />` : NO_LINES}`;
}

function withLines(last, lines) {
	const end = last.at(-1)?.seq;
	const fresh = lines.filter((line) => !(line.seq <= end));
	const missing = fresh[0]?.seq - end - 1;
	return [...last, ...(missing > 0 ? [{ seq: fresh[0].seq - 1, missing }] : []), ...fresh].slice(-MOST);
}

// ---- About

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
	const [fault, setFault] = useState(null);
	const hasToken = settings.some(({ name, value }) => name === "bearer_token" && value);
	return html`
		<${Head} title="About" text="about">${hasToken && !isPassed && html`<button onClick=${() => signOut(BASE).catch(setFault)}>sign out</button>`}<//>
		<${Fault} error=${fault} />
		<${Answer} of=${answer}>${() => html`<div class="cards">
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
		<${Section} title="Settings">${settings.length
			? html`<${Table} name="Settings" rows=${settings} keyOf=${(setting) => setting.name} columns=${[
					["name", "Setting", { w: 34 }], ["value", "Value", { cell: (row) => (row.secret ? html`<span class="dim">${row.value ? "set" : "unset"}</span>` : cut(row.value) || "unset") }], ["source", "From", { w: 24, from: "p1" }]]} />`
			: html`<${Empty} title="The service reports no settings." />`}<//>`}<//>`;
}

const Card = ({ title, rows }) => html`<section class="card"><h2>${title}</h2><dl><${Pairs} of=${rows} /></dl></section>`;
