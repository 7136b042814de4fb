// Run: its tree with a waterfall, the chosen call, its log lines.
import { API, STATUS, TOKENS, address, clock, cost, count, cut, duration, fullTime, html, isPassed, now, setQuery, ticking, tokens, useEffect, useLayoutEffect, useMemo, useRef, useState, visible, where, within } from "./base.js";
import { ask, change, frame, useFollowed, useTicking } from "./live.js";
import { Chips, Cost, Empty, Fault, Head, Length, Lines, Loading, NO_LINES, Pairs, Section, Status, Table, Time, Tokens, callAddress, num } from "./parts.js";

const ROW = 26; // The height of a row in the style sheet.

export function Run({ id, query }) {
	const answer = useFollowed(`runs/${encodeURIComponent(id)}`, `run:${id}`, (last, name, change) =>
		name === "run" && change.id === id ? { ...last, runs: changedRuns(last.runs, change) } : last);
	const runs = answer.data?.runs;
	const nth = within(Math.trunc(query.nth) || 0, 0, (runs?.length ?? 1) - 1);
	const run = runs?.[nth];
	return html`
		<${Head} title=${html`<span class="dim">Run of</span> ${run ? cut(run.agent, 60) : "…"}`} text="runs/${encodeURIComponent(id)}">
			${runs?.length > 1 && html`<${Chips} label="Runs of this trace" choices=${runs.map((run, at) => [at, `${at + 1}. ${cut(run.agent, 30)}`])} chosen=${nth} to=${(nth) => address(["runs", id], { nth })} />`}
		<//>
		${answer.error?.status === 404
			? html`<${Empty} title=${visible(answer.error.message)}>Of each agent, the newest 50, the failed, the slow, the dear and the pinned runs are kept. <a href=${address(["runs"])}>See the kept ones</a>.<//>`
			: html`<${Fault} error=${answer.error} />`}
		${run ? html`<${Tree} key=${nth} run=${run} id=${id} query=${query} />` : !answer.error && html`<${Loading} />`}`;
}

// A change has nodes with their place, new or changed, log lines, and fields of the run. That of a further run has all.
function changedRuns(runs, { nodes, lines, id, nth = 0, ...fields }) {
	const run = runs[nth] ?? { nodes: [] };
	const next = { ...run, ...fields, nodes: [...run.nodes], lines: lines ? [...(run.lines ?? []).filter((line) => line.time_us < lines[0]?.time_us), ...lines] : run.lines };
	for (const { at, ...node } of nodes ?? []) next.nodes[at] = node;
	return nth > runs.length ? runs : runs.toSpliced(nth, 1, next);
}

function Tree({ run, id, query }) {
	const goesOn = run.status === "running";
	useTicking(200, goesOn);
	const until = goesOn ? Math.max(run.duration_us ?? 0, now() - run.started_us) : Math.max(run.duration_us, 1);
	const [opened, setOpened] = useState(new Set());
	const children = useMemo(() => family(run.nodes), [run.nodes]);
	const rows = useMemo(() => rowsOf(run, children, opened), [run.nodes, run.rolled_up, opened]);
	const folds = query.fold !== "0";
	// While the run goes on, the axis grows in steps, so that bars that have ended rest.
	const axis = goesOn ? 1.3 ** Math.ceil(Math.log(Math.max(until, 1)) / Math.log(1.3)) : until;
	// Calls without room as nodes may have been anywhere.
	const { scale, gaps } = scaleOf(run.nodes, children, axis, folds && !goesOn && !run.rolled_up?.length);
	const critical = query.critical ? criticalPath(run.nodes, children, until) : null;
	const first = firstError(run.nodes, children);
	const chosen = run.nodes[Number(query.node)] ? Number(query.node) : 0;
	const toggle = (key) => setOpened((last) => new Set(last.has(key) ? [...last].filter((other) => other !== key) : [...last, key]));
	const reveal = (at) => setOpened((last) => new Set([...last, ...around(run.nodes, at)]));
	useLayoutEffect(() => reveal(chosen), [chosen]);
	const show = (at) => {
		reveal(at);
		setQuery({ node: at });
	};
	return html`
		<div class="facts">
			<${Status} of=${run.status} /><span class="num big">${goesOn ? ticking(until) : duration(run.duration_us)}</span>
			<span>began <${Time} us=${run.started_us} /></span><span class="num">${count(run.steps)} steps${run.failed_steps ? html`, <b class="bad">${count(run.failed_steps)} failed</b>` : ""}</span>
			${run.tokens && html`<span>${tokens(run.tokens) == null ? "usage unknown" : html`<${Tokens} of=${run.tokens} /> tokens`}</span>`}${run.cost && html`<span><${Cost} of=${run.cost} /></span>`}
			${run.incomplete && html`<span class="badge warn" title="The recorder lost events of this run">incomplete</span>`}${run.rolled_up?.length > 0 && html`<span class="badge warn" title="The run had no room for all calls as nodes; the sums of the others are exact">truncated</span>`}
			${run.lost_texts > 0 && html`<span class="badge warn" title="Tags, notes and contents for which the run had no room">${count(run.lost_texts)} texts lost</span>`}${run.budget && html`<span class="badge warn">${run.budget} budget</span>`}
			${Object.entries(run.tags ?? {}).map(([name, value]) => html`<span class="badge">${cut(name, 60)}=${cut(value, 128)}</span>`)}
			<span class="dim mono" title="run id, as in log lines and traces">${id}</span>
			<${Actions} id=${id} run=${run} />
		</div>
		<div class="tools">
			<button class="chip" aria-pressed=${Boolean(critical)} onClick=${() => setQuery({ critical: critical ? "" : "1" })} title="The calls that decided when the run ended">critical path</button>
			${gaps.length || !folds ? html`<button class="chip" aria-pressed=${folds} onClick=${() => setQuery({ fold: folds ? "0" : "" })} title="Nothing but agents ran, which may have waited or worked">fold time without calls</button>` : ""}
			${first != null && html`<button class="chip bad" onClick=${() => show(first)}>first error: ${cut(run.nodes[first].name, 40)} ✗ ${cut(run.nodes[first].error ?? run.nodes[first].outcome, 60)}</button>`}
			<span class="legend dim"><i class="own"></i> own time <i class="inside"></i> in calls inside <i class="waits"></i> share not polled</span>
		</div>
		<div class="both">
			<${Waterfall} ...${{ run, rows, children, until, axis, scale, gaps, critical, chosen, opened, toggle }} />
			<${Details} run=${run} at=${chosen} children=${children} until=${until} />
		</div>
		<div class="split">
			<${RunLines} run=${run} chosen=${query.node == null ? null : chosen} all=${query.lines !== "node"} />
			<${Names} run=${run} children=${children} until=${until} />
		</div>`;
}

// Only the rows in sight are elements, so 2,000 nodes scroll as 20 do.
function Waterfall({ run, rows, children, until, axis, scale, gaps, critical, chosen, opened, toggle }) {
	const box = useRef();
	const [view, setView] = useState({ top: 0, height: 500 });
	const measured = () => setView({ top: box.current.scrollTop, height: box.current.clientHeight });
	useLayoutEffect(() => {
		const resized = new ResizeObserver(measured);
		resized.observe(box.current);
		return () => resized.disconnect();
	}, []);
	// The row that keys move from: the chosen call, or a row that is no call.
	const [active, setActive] = useState(null);
	const found = rows.findIndex((row) => (active == null ? row.at === chosen : row.key === active));
	const activeAt = Math.max(0, found);
	useEffect(() => setActive(null), [chosen]);
	useEffect(() => {
		const { scrollTop, clientHeight } = box.current;
		if (found >= 0 && (found * ROW < scrollTop || (found + 2) * ROW > scrollTop + clientHeight)) box.current.scrollTop = found * ROW - clientHeight / 2;
	}, [chosen, active, opened]);
	const go = (at) => {
		const row = rows[at];
		if (!row) return;
		setActive(row.at == null ? row.key : null);
		if (row.at != null) setQuery({ node: row.at });
	};
	const open = (row) => {
		setActive(row.key);
		toggle(row.key);
	};
	// https://www.w3.org/WAI/ARIA/apg/patterns/treeview/
	const pressed = (event) => {
		const row = rows[activeAt];
		const isOpen = opened.has(row.key);
		const above = rows.findLastIndex((other, at) => at < activeAt && other.depth < row.depth);
		const act = {
			ArrowDown: () => go(activeAt + 1),
			ArrowUp: () => go(activeAt - 1),
			Home: () => go(0),
			End: () => go(rows.length - 1),
			ArrowRight: () => (row.members && !isOpen ? open(row) : rows[activeAt + 1]?.depth > row.depth && go(activeAt + 1)),
			ArrowLeft: () => (isOpen ? open(row) : go(above)),
			Enter: () => (row.members ? open(row) : go(activeAt)),
		}[event.key];
		if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
		event.preventDefault();
		act();
	};
	const from = Math.max(0, Math.floor(view.top / ROW) - 8);
	const shown = rows.slice(from, Math.ceil((view.top + view.height) / ROW) + 8);
	const isShown = activeAt >= from && activeAt < from + shown.length;
	return html`<div class="waterfall">
		<div class="axis num dim"><span></span><span class="ticks">
			${[0, 0.25, 0.5, 0.75].map((part) => html`<i style=${{ left: `${part * 100}%` }}>${gaps.length ? "" : duration(axis * part).replace("0 µs", "0")}</i>`)}
			${gaps.map(([from, to]) => html`<b title="no call for ${duration(to - from)}" style=${{ left: `${scale(from) * 100}%` }}>⋯ ${duration(to - from)}</b>`)}
			${!gaps.length && html`<i class="end">${duration(axis)}</i>`}</span></div>
		<div class="rows" ref=${box} role="tree" aria-label="Calls of the run" tabindex="0" onKeyDown=${pressed} aria-activedescendant=${isShown ? `row-${activeAt}` : undefined}
				onScroll=${measured} onFocusIn=${({ target }) => target !== box.current && box.current.focus({ preventScroll: true })}>
			<div class="all" role="none" style=${{ height: `${rows.length * ROW}px` }}>
				${shown.map((row, nth) => {
					const at = from + nth;
					const item = {
						id: `row-${at}`, role: "treeitem", tabindex: -1, style: { transform: `translateY(${at * ROW}px)`, "--depth": Math.min(row.depth, 24) },
						"aria-level": row.depth + 1, "aria-setsize": row.size, "aria-posinset": row.nth,
					};
					const mark = at === activeAt ? "active" : "";
					if (row.sum) return html`<${SumRow} key=${row.key} ...${{ item, mark }} sum=${row.sum} />`;
					if (row.members) return html`<${GroupRow} key=${row.key} ...${{ item, mark, row, scale, until }} nodes=${run.nodes} isOpen=${opened.has(row.key)} open=${open} />`;
					return html`<${NodeRow} key=${row.key} ...${{ item, mark, row, run, children, scale, until }} isChosen=${row.at === chosen} fades=${critical && !critical.has(row.at)} />`;
				})}
			</div>
		</div>
	</div>`;
}

function NodeRow({ item, mark, row, run, children, scale, until, isChosen, fades }) {
	const node = run.nodes[row.at];
	const goesOn = node.outcome == null;
	const left = scale(node.start_us);
	const right = scale(endOf(node, until));
	const width = Math.max(right - left, 0.001);
	const part = (us) => `${((scale(us) - left) / width) * 100}%`;
	const inside = covered(run.nodes, children[row.at], until).filter(([from, to]) => scale(to) - scale(from) > 0.001).slice(0, 200);
	const waits = node.duration_us ? (node.waiting_us ?? 0) / node.duration_us : 0;
	const [glyph, , tone] = STATUS[node.outcome ?? "running"] ?? STATUS.unknown;
	return html`<a ...${item} aria-selected=${isChosen} class="line ${tone} ${mark} ${fades ? "fades" : ""}"
			href=${address(["runs", where().parts[1]], { ...where().query, node: row.at })} onClick=${(event) => !event.metaKey && !event.ctrlKey && (event.preventDefault(), setQuery({ node: row.at }))}>
		<span class="name"><i aria-hidden="true">${glyph}</i> <small>${row.depth ? node.kind : "run"}</small> ${cut(node.name, 80)} <${Badges} node=${node} of=${attemptsOf(run.nodes, children, row.at)} /></span>
		<span class="track"><span class="bar" style=${{ left: `${left * 100}%`, width: `${width * 100}%` }}>
			${inside.map(([from, to]) => html`<i class="inside" style=${{ left: part(from), width: `${((scale(to) - scale(from)) / width) * 100}%` }}></i>`)}
			${waits > 0.05 && html`<i class="waits" style=${{ width: `${waits * 100}%` }}></i>`}
			${(run.notes ?? []).filter((note) => note.node === row.at).map((note) => html`<i class="noted" style=${{ left: part(note.at_us) }} title=${cut(note.text, 256)}>◆</i>`)}
			${node.first_item_us != null && html`<i class="first" style=${{ left: part(node.start_us + node.first_item_us) }}></i>`}
		</span><${Label} left=${left} right=${left + width} rests=${goesOn}>${goesOn ? ticking(until - node.start_us) : duration(node.duration_us)}<//></span>
	</a>`;
}

// Behind the bar, else before it, else on it. That of a bar that grows rests.
function Label({ left, right, rests, children }) {
	const beside = !rests && right < 0.8 ? { left: `${right * 100}%` } : left > 0.5 && { right: `${(1 - left) * 100}%` };
	return html`<b class="num ${beside ? "" : "on"}" style=${beside || { right: `${rests ? 0 : (1 - right) * 100}%` }}>${children}</b>`;
}

function Badges({ node, of }) {
	const badges = [];
	if (node.outcome === "panic") badges.push(["panic", "bad"]);
	if (node.outcome === "cancelled") badges.push(["cancelled", "warn"]);
	if (node.judged) badges.push(["returned Ok", "bad"]);
	if (node.attempt > 1) badges.push([`attempt ${node.attempt}/${of}`]);
	if (node.repeat > 1) badges.push([`×${node.repeat} identical`, "warn"]);
	if (node.items) badges.push([`${node.first_item_us == null ? "" : `first ${duration(node.first_item_us)} · `}${count(node.items)} items`]);
	if (node.over_budget) badges.push(["over budget", "warn"]);
	if (node.detached) badges.push(["detached"]);
	return badges.map(([text, tone = ""]) => html`<span class="badge ${tone}">${text}</span> `);
}

function GroupRow({ item, mark, row, nodes, scale, until, isOpen, open }) {
	const { failures, least, median, most, tokens } = groupFigures(nodes, row.members);
	const [left, right] = [Math.min(...row.members.map((at) => scale(nodes[at].start_us))), Math.max(...row.members.map((at) => scale(endOf(nodes[at], until))))];
	const { kind, name } = nodes[row.members[0]];
	return html`<div ...${item} aria-expanded=${isOpen} class="line group ${mark}" onClick=${() => open(row)}
			title="least ${duration(least)}, median ${duration(median)}, most ${duration(most)}">
		<span class="name"><i aria-hidden="true">${isOpen ? "▾" : "▸"}</i> <small>${kind}</small> ${cut(name, 80)} <span class="badge">× ${count(row.members.length)}</span>
			${failures > 0 && html` <span class="badge bad">✗ ${count(failures)}</span>`}${tokens != null && html` <span class="badge">${count(tokens)} tokens</span>`}</span>
		<span class="track"><span class="bar" style=${{ left: `${left * 100}%`, width: `${Math.max(right - left, 0.001) * 100}%` }}></span>
		<${Label} left=${left} right=${right}>median ${duration(median)}<//></span></div>`;
}

const SumRow = ({ item, mark, sum }) => html`<div ...${item} class="line group ${mark}" title="The run had no room for these calls as nodes; their sums are exact">
	<span class="name"><i aria-hidden="true">Σ</i> <small>${sum.kind}</small> ${cut(sum.name, 80)} <span class="badge">× ${count(sum.calls)} rolled up</span>${sum.failures > 0 && html` <span class="badge bad">✗ ${count(sum.failures)}</span>`}</span>
	<span class="track dim num">total ${duration(sum.total_us)}, longest ${duration(sum.longest_us)}</span></div>`;

function Details({ run, at, children, until }) {
	const node = run.nodes[at];
	const { model } = node;
	const self = selfTime(run, children, at, until);
	const fields = [
		["outcome", html`<${Status} of=${node.outcome ?? "running"} judged=${node.judged} />`],
		["began", html`<span title=${fullTime(run.started_us + node.start_us)}>${clock(run.started_us + node.start_us)}, ${duration(node.start_us)} into the run</span>`],
		["duration", node.duration_us == null ? ticking(until - node.start_us) : duration(node.duration_us)],
		["own time", duration(self)],
		["not polled", node.waiting_us ? duration(node.waiting_us) : null],
		["first item", node.first_item_us == null ? null : duration(node.first_item_us)],
		["items", node.items ? count(node.items) : null],
		["operation", node.operation && cut(node.operation)],
		["attempt", node.attempt > 1 ? `${node.attempt} of ${attemptsOf(run.nodes, children, at)}${node.retry_reason ? `, ${cut(node.retry_reason, 60)}` : ""}` : null],
		["repeats", node.repeat > 1 ? `${node.repeat} calls with these arguments` : null],
		["over budget", node.limits_hit?.join(", ")],
		["not verifiable", node.limits_unverifiable?.join(", ")],
		["calls inside", children[at].length ? count(children[at].length) : null],
		["site", node.site && html`<span class="mono">${cut(node.site)}</span>`],
		["model", model && cut(`${model.provider} ${model.request_model}${model.response_model && model.response_model !== model.request_model ? ` → ${model.response_model}` : ""}`)],
		["first chunk", model?.first_chunk_us == null ? null : duration(model.first_chunk_us)],
		...TOKENS.map((part) => [`${part.replace("_", " ")} tokens`, model ? count(model.tokens?.[part]) : null]),
		["cost", model && html`<${Cost} of=${model.cost} />`],
		["finish", model?.finish && cut(model.finish)],
		...Object.entries(node.content ?? {}).map(([name, text]) => [cut(name, 40), html`<pre class="content" tabindex="0">${visible(text, true)}</pre>`]),
		["refused", model?.refused ? "yes" : null],
		["backoff", model?.backoff_us ? `${duration(model.backoff_us)} in ${model.attempts} attempts` : null],
	];
	return html`<aside class="details" aria-label="The chosen call">
		<h2><small>${node.kind}</small> <a href=${callAddress(node.kind, node.name, { operation: node.operation || model?.provider })}>${cut(node.name)}</a></h2>
		${node.error && html`<pre class="error" tabindex="0">${visible(node.error, true)}</pre>`}
		<dl><${Pairs} of=${fields} /></dl>
		${(run.notes ?? []).filter((note) => note.node === at).map((note) => html`<p class="note">◆ ${duration(note.at_us)} into the run: ${cut(note.text, 256)}</p>`)}
		${node.parent != null && html`<button onClick=${() => setQuery({ node: node.parent })}>to ${cut(run.nodes[node.parent].name, 40)}</button>`}
	</aside>`;
}

function RunLines({ run, chosen, all }) {
	const lines = (run.lines ?? []).filter((line) => all || chosen == null || line.node === chosen);
	const only = chosen != null && html`<button class="chip" aria-pressed=${!all} onClick=${() => setQuery({ lines: all ? "node" : "" })}>of the chosen call only</button>`;
	const lost = run.left_out_lines > 0 && html`<small class="bad" title="The first, the last and the severe ones are kept">${count(run.left_out_lines)} lines left out</small>`;
	const isLogged = run.lines?.length || frame.keeps?.log_lines > 0;
	return html`<${Section} title=${html`Log lines <small class="num">${count(lines.length)}</small>`} note=${[lost, only]}>
		${lines.length ? html`<${Lines} lines=${lines} />` : isLogged ? html`<${Empty} title="This ${all ? "run" : "call"} has logged nothing." />` : NO_LINES}
	<//>`;
}

function Names({ run, children, until }) {
	const rows = useMemo(() => byName(run, children, until), [run.nodes, run.status === "running" ? Math.floor(until / 1e6) : until]);
	const total = rows.reduce((sum, row) => sum + row.self_us, 0) || 1;
	const columns = [
		["name", "Own time by name", { cell: (row) => html`<small class="dim">${row.kind}</small> ${cut(row.name)}` }],
		num("calls", "Calls", 8, "", (row) => count(row.calls)),
		num("failures", "Failed", 8, "p1", (row) => count(row.failures)),
		["self", "Own time", { w: 20, vw: 26, num: true, cell: (row) => html`<${Length} part=${row.self_us / total}>${duration(row.self_us)}<//>` }],
		num("cost", "Cost", 11, "p1", (row) => (row.of ? cost(row) : "–")),
	];
	return html`<${Section} title="Where the time went">
		<${Table} name="Own time by name" columns=${columns} rows=${rows} href=${(row) => callAddress(row.kind, row.name)} /><//>`;
}

function Actions({ id, run }) {
	const [said, setSaid] = useState("");
	const timer = useRef(0);
	// Does something, and says for a while what became of it.
	const after = (act) => async () => {
		setSaid(await act().catch((error) => `✗ ${visible(error.message)}`));
		clearTimeout(timer.current);
		timer.current = setTimeout(() => setSaid(""), 4000);
	};
	const api = `${API}runs/${encodeURIComponent(id)}`;
	const copyTree = async () => copy(await (await ask(`${api}?format=text`)).text());
	const pin = async () => {
		await change(`${api}/${run.pinned ? "unpin" : "pin"}`);
		run.pinned = !run.pinned;
		return run.pinned ? "pinned" : "unpinned";
	};
	return html`<span class="actions">
		<button onClick=${after(() => copy(location.href))}>copy link</button><button onClick=${after(copyTree)}>copy as text</button>
		<a class="button" href=${api} download="run-${id}.json">JSON</a>
		${run.status !== "running" && !isPassed && html`<button aria-pressed=${Boolean(run.pinned)} onClick=${after(pin)}>pin</button>`}
		<span class="said dim" role="status">${said}</span></span>`;
}

// Browsers have a clipboard only where the page is local or came by HTTPS. Elsewhere they copy what is selected.
async function copy(text) {
	try {
		await navigator.clipboard.writeText(text);
	} catch {
		const focused = document.activeElement;
		const field = document.body.appendChild(document.createElement("textarea"));
		field.value = text;
		field.select();
		const isCopied = document.execCommand("copy");
		field.remove();
		focused?.focus();
		if (!isCopied) throw new Error("the browser refuses to copy");
	}
	return "copied";
}

// ---- Nothing below touches the page

const GROUP_FROM = 9; // More siblings of one name fold into one row.
const FOLD_FROM = 0.2; // An idle gap longer than this part of the axis is folded.
const FOLD_TO = 0.03; // The part of the axis that a folded gap takes.

const endOf = (node, until) => node.start_us + (node.duration_us ?? Math.max(0, until - node.start_us));
const failed = (node) => node.outcome != null && node.outcome !== "success";

// Of each node its children, and of each its depth. A parent is always before its children.
function family(nodes) {
	const children = nodes.map(() => []);
	nodes.forEach((node, at) => node.parent != null && children[node.parent]?.push(at));
	return children;
}

// Rows from the top: nodes, groups of like siblings, and sums of calls that the run had no room for.
function rowsOf(run, children, opened) {
	const rows = [];
	const sums = Map.groupBy(run.rolled_up ?? [], (calls) => calls.parent);
	const pending = [{ at: 0, key: 0, depth: 0, size: 1, nth: 1 }];
	while (pending.length) {
		const row = pending.pop();
		rows.push(row);
		if (row.sum || (row.members && !opened.has(row.key))) continue;
		const below = row.members ? row.members.map(rowOf) : childRows(run.nodes, children[row.at]);
		if (!row.members) for (const sum of sums.get(row.at) ?? []) below.push({ sum, key: `sum ${row.at} ${sum.kind} ${sum.name}` });
		pending.push(...below.map((other, at) => ({ ...other, depth: row.depth + 1, size: below.length, nth: at + 1 })).reverse());
	}
	return rows;
}

const rowOf = (at) => ({ at, key: at });
const groupOf = (nodes, at) => `${nodes[at].parent} ${nodes[at].kind} ${nodes[at].name}`;

// The keys of all groups that a call is in.
function around(nodes, at) {
	const keys = [];
	for (; nodes[at]?.parent != null; at = nodes[at].parent) keys.push(groupOf(nodes, at));
	return keys;
}

// The attempts that were made of a call in all: further ones follow it.
function attemptsOf(nodes, children, at) {
	let { attempt, parent } = nodes[at];
	if (attempt < 2) return attempt;
	for (const other of children[parent] ?? []) {
		if (other <= at || groupOf(nodes, other) !== groupOf(nodes, at)) continue;
		if (nodes[other].attempt <= attempt) break;
		attempt = nodes[other].attempt;
	}
	return attempt;
}

function childRows(nodes, children) {
	const groups = Map.groupBy(children, (at) => groupOf(nodes, at));
	return children.flatMap((at) => {
		const key = groupOf(nodes, at);
		const members = groups.get(key);
		if (members.length < GROUP_FROM) return rowOf(at);
		return at === members[0] ? { members, key } : [];
	});
}

function groupFigures(nodes, members) {
	const durations = members.map((at) => nodes[at].duration_us).filter((us) => us != null).sort((a, b) => a - b);
	const all = members.map((at) => tokens(nodes[at].model?.tokens)).filter((n) => n != null);
	return {
		failures: members.filter((at) => failed(nodes[at])).length,
		least: durations[0],
		median: durations[durations.length >> 1],
		most: durations.at(-1),
		tokens: all.length ? all.reduce((a, b) => a + b) : null,
	};
}

// The times that the children of a node cover, as intervals in order.
function covered(nodes, children, until) {
	const spans = children.map((at) => [nodes[at].start_us, endOf(nodes[at], until)]).sort((a, b) => a[0] - b[0]);
	const union = [];
	for (const [from, to] of spans) {
		const last = union.at(-1);
		if (last && from <= last[1]) last[1] = Math.max(last[1], to);
		else union.push([from, to]);
	}
	return union;
}

// The time of a call without that of its calls, also those that the run had no room for.
function selfTime({ nodes, rolled_up = [] }, children, at, until) {
	const node = nodes[at];
	const end = endOf(node, until);
	const inside = covered(nodes, children[at], until).reduce((sum, [from, to]) => sum + Math.max(0, Math.min(to, end) - Math.max(from, node.start_us)), 0);
	const summed = rolled_up.reduce((sum, calls) => sum + (calls.parent === at ? calls.total_us : 0), 0);
	return Math.max(0, end - node.start_us - inside - summed);
}

// Maps times to 0 … 1. Gaps in which no innermost call is open are folded, so a run that waited hours can be read.
function scaleOf(nodes, children, until, folds) {
	const total = Math.max(until, 1);
	const gaps = [];
	if (folds) {
		const leaves = nodes.map((_, at) => at).filter((at) => !children[at].length);
		let last = 0;
		for (const [from, to] of [...covered(nodes, leaves, until), [total, total]]) {
			if (from - last > total * FOLD_FROM) gaps.push([last, from]);
			last = to;
		}
	}
	const shown = total - gaps.reduce((sum, [from, to]) => sum + to - from, 0);
	const room = 1 - gaps.length * FOLD_TO;
	const scale = (us) => {
		let [folded, hidden] = [0, 0];
		for (const [from, to] of gaps) {
			const part = within((us - from) / (to - from), 0, 1);
			folded += FOLD_TO * part;
			hidden += (to - from) * part;
		}
		return shown > 0 ? ((within(us, 0, total) - hidden) / shown) * room + folded : folded;
	};
	return { scale, gaps };
}

// The calls that decided when the run ended: back from its end, the child that ended last before that moment.
function criticalPath(nodes, children, until) {
	const path = new Set();
	const pending = [[0, endOf(nodes[0], until)]];
	while (pending.length) {
		const [at, end] = pending.pop();
		path.add(at);
		let moment = end;
		const byEnd = children[at].filter((child) => !nodes[child].detached).sort((a, b) => endOf(nodes[b], until) - endOf(nodes[a], until));
		for (const child of byEnd) {
			const childEnd = endOf(nodes[child], until);
			if (childEnd <= moment + 1 && nodes[child].start_us < moment) {
				pending.push([child, childEnd]);
				moment = nodes[child].start_us;
			}
		}
	}
	return path;
}

// The first error: the failed call without a failed call inside that ended first.
function firstError(nodes, children) {
	let first = null;
	nodes.forEach((node, at) => {
		if (!failed(node) || children[at].some((child) => failed(nodes[child]))) return;
		if (first == null || endOf(node, 0) < endOf(nodes[first], 0)) first = at;
	});
	return first;
}

function byName(run, children, until) {
	const rows = new Map();
	const add = ({ kind, name }, calls, failures, self_us, cost) => {
		const key = `${kind} ${name}`;
		const row = rows.get(key) ?? { key, kind, name, calls: 0, failures: 0, self_us: 0, nano_usd: 0, priced: 0, of: 0 };
		rows.set(key, row);
		for (const [part, n] of Object.entries({ calls, failures, self_us, nano_usd: cost?.nano_usd, priced: cost?.priced, of: cost?.of })) row[part] += n ?? 0;
	};
	run.nodes.forEach((node, at) => add(node, 1, Number(failed(node)), selfTime(run, children, at, until), node.model?.cost));
	for (const calls of run.rolled_up ?? []) add(calls, calls.calls, calls.failures, calls.total_us, calls.cost);
	return [...rows.values()].sort((a, b) => b.self_us - a.self_us);
}
