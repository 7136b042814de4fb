// The frame around every screen: top bar, footer, keyboard, theme, sign-in.
import { BASE, ROOT, address, bytes, count, cut, decoded, html, isPassed, render, storedTheme, useEffect, useRedraw, useRef, useState, useWhere, visible, visit, where, within } from "./base.js";
import { frame, isPaused, link, pause, signIn, start, useStream, useTicking } from "./live.js";
import { Ago, Lost, Pairs } from "./parts.js";
import { Run } from "./run.js";
import { About, Call, Calls, Health, Logs, Models, Now, Runs, Word } from "./screens.js";

const SCREENS = [["", "Now", Now], ["runs", "Runs", Runs], ["calls", "Calls", Calls], ["models", "Models", Models], ["health", "Health", Health], ["logs", "Logs", Logs], ["about", "About", About]];
const THEMES = ["auto", "light", "dark"];
// The query string of each list as it was left.
const LEFT = {};

const KEYS = [
	["1 … 7", "go to a screen"],
	["j, k", "next and previous row"],
	["Enter", "open the row"],
	["Esc", "back"],
	["/", "search"],
	["p", "pause and go on"],
	["t", "next theme"],
	["?", "this list"],
];

function screen({ parts: [name = "", id, rest], query }, theme) {
	if (name === "runs" && id != null && rest == null) return html`<${Run} key=${id} id=${id} query=${query} />`;
	if (name === "calls" && rest != null) return html`<${Call} key="${id} ${rest}" kind=${id} name=${rest} query=${query} />`;
	const Screen = (id == null && SCREENS.find(([part]) => part === name)?.[2]) || NoPage;
	return html`<${Screen} query=${query} theme=${theme} />`;
}

function NoPage() {
	useStream("frame");
	return html`<div class="empty"><h1>There is no such page.</h1><p>The screens are above.</p></div>`;
}

function App() {
	useRedraw("monitor-link");
	const at = useWhere();
	const [theme, setTheme] = useState(THEMES.find((theme) => theme === storedTheme()) ?? "auto");
	const help = useRef();
	useEffect(() => {
		document.documentElement.style.colorScheme = theme === "auto" ? "light dark" : theme;
		storedTheme(theme);
	}, [theme]);
	const nextTheme = () => setTheme((theme) => THEMES[(THEMES.indexOf(theme) + 1) % 3]);
	useEffect(() => {
		const pressed = (event) => onKey(event, { help: help.current, nextTheme });
		addEventListener("keydown", pressed);
		return () => removeEventListener("keydown", pressed);
	}, []);
	const [name = ""] = at.parts;
	if (at.parts.length === 1) LEFT[name] = location.search;
	const label = SCREENS.find(([part]) => part === name)?.[1] ?? "No such page";
	useEffect(() => {
		document.title = `${at.parts.length > 1 ? `${at.parts.at(-1)} · ` : ""}${label} · ${frame.instance?.service ?? "monitor"}`;
	});
	return html`
		<a class="skip" href="#main" onClick=${(event) => (event.preventDefault(), document.querySelector("main").focus())}>to the content</a>
		<${TopBar} name=${name} theme=${theme} nextTheme=${nextTheme} showHelp=${() => help.current.showModal()} />
		<${Faults} />
		<main id="main" tabindex="-1">${link.state === "login" ? html`<${Login} />` : screen(at, theme)}</main>
		<${Footer} />
		<dialog ref=${help} aria-label="Keys" onClick=${(event) => event.target === help.current && help.current.close()}>
			<h2>Keys</h2><dl class="keys"><${Pairs} of=${KEYS.map(([key, text]) => [html`<kbd>${key}</kbd>`, text])} /></dl>
			<p><button onClick=${() => help.current.close()}>Close</button></p>
		</dialog>`;
}

function TopBar({ name, theme, nextTheme, showHelp }) {
	const { instance, ready } = frame;
	return html`<header class="top">
		<div class="who"><b>${cut(instance?.service, 60) || "monitor"}</b> <span class="dim">${cut(instance?.version, 40)}</span>
			<span class="dim ids num" title="Every screen shows one instance">${instance ? html`${cut(instance.id, 60)} · pid ${instance.pid} · up <${Ago} us=${instance.started_us} past="" /> · <${Which} of=${instance.instances} />` : ""}</span></div>
		<div class="state">
			<a class="ready" href=${address(["health"])}>${ready ? html`<${Word} of=${ready.status} />` : html`<span class="status dim">…</span>`}</a>
			<${Dot} />
			<button onClick=${() => pause(!isPaused())} aria-pressed=${isPaused()} title="Pause, key p" class="pause">${isPaused() ? "▶ go on" : "❚❚ pause"}</button>
			<button onClick=${nextTheme} title="Theme, key t" class="theme"><span aria-hidden="true">◐</span><span> ${theme}</span></button>
			<button onClick=${showHelp} title="Keys, key ?" aria-label="Keys" class="help">?</button>
		</div>
		<nav class="screens" aria-label="Screens">${SCREENS.map(([part, label]) => html`<a href=${address(part ? [part] : [])} aria-current=${part === name ? "page" : undefined}>${label}</a>`)}</nav>
	</header>`;
}

const Which = ({ of }) => (of == null && !isPassed ? "this instance only" : html`1 of ${of || "several"} instances${isPassed && html` · <a href=${ROOT}>back to all</a>`}`);

function Dot() {
	useTicking(1000, link.state === "reconnecting");
	const wait = Math.max(0, Math.ceil((link.retryAt - Date.now()) / 1000));
	return html`<span class="dot ${link.state}" title=${link.reason}><i aria-hidden="true"></i><span role="status">${link.state === "hidden" ? "resting" : link.state}</span>
		${link.state === "reconnecting" && html`<span class="num" aria-hidden="true">${wait} s</span>`}</span>`;
}

// Faults of the page itself are shown, so that nobody trusts figures of a page that broke.
function Faults() {
	useRedraw("monitor-error");
	return html`${link.state === "reconnecting" && link.reason && html`<p class="fault wide" role="alert">No events come: ${visible(link.reason)}.</p>`}
		${link.state === "stopped" && html`<p class="fault wide" role="alert">The page has stopped: ${visible(link.reason)}. <button onClick=${() => location.reload()}>load it again</button></p>`}
		${window.monitorErrors.length > 0 && html`<p class="fault wide" role="alert">This page has a fault: ${visible(window.monitorErrors[0])}${window.monitorErrors.length > 1 ? ` (and ${window.monitorErrors.length - 1} more)` : ""}</p>`}`;
}

function Footer() {
	const { keeps } = frame;
	return html`<footer class="num">${keeps ? html`
		<span>kept ${count(keeps.kept)} of ${count(keeps.ended)} runs</span>
		${keeps.oldest_us && html`<span>oldest <${Ago} us=${keeps.oldest_us} past="" /></span>`}
		<span>${bytes(keeps.bytes)} of ${bytes(keeps.memory)}</span>
		<span><${Lost} n=${keeps.lost_events} /> events lost</span>
		${keeps.lost > 0 && html`<span><${Lost} n=${keeps.lost} /> runs not recorded</span>`}
		${keeps.log_lines != null && html`<span>log lines ${count(keeps.log_lines)}, <${Lost} n=${keeps.log_dropped} /> dropped</span>`}` : " "}</footer>`;
}

function Login() {
	const [fault, setFault] = useState(link.reason);
	const submit = async (event) => {
		event.preventDefault();
		setFault(await signIn(ROOT, new FormData(event.target).get("token")));
	};
	return html`<form class="login" method="post" action="${ROOT}login" onSubmit=${submit}>
		<h1>Sign in</h1>
		<p>The service shows this page to those who know its token, the one for <code>Authorization: Bearer</code>.</p>
		<label>Token <input type="password" name="token" autocomplete="current-password" required autofocus /></label>
		<button>Sign in</button>
		<p class="bad" role="alert">${fault ? `✗ ${visible(fault)}` : " "}</p>
	</form>`;
}

function onKey(event, { help, nextTheme }) {
	if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
	if (event.key === "Escape") return back(event.target);
	if (event.target.closest("input, select, textarea")) return;
	const nth = Number(event.key);
	if (nth >= 1 && nth <= SCREENS.length) return visit(address(SCREENS[nth - 1][0] ? [SCREENS[nth - 1][0]] : []));
	const action = {
		j: () => move(1),
		k: () => move(-1),
		p: () => pause(!isPaused()),
		t: nextTheme,
		"?": () => help.showModal(),
		"/": search,
	}[event.key];
	if (!action) return;
	event.preventDefault();
	action();
}

// Out of a field first, then to the screen above.
function back(target) {
	if (target.matches("input, select")) return target.blur();
	const { parts } = where();
	if (parts.length > 1) visit(address([parts[0]]) + (LEFT[parts[0]] ?? ""));
	else if (parts.length === 1 && parts[0]) visit(address([]));
}

function search() {
	const field = document.getElementById("search");
	if (field) return field.focus();
	visit(address(["runs"]));
	setTimeout(() => document.getElementById("search")?.focus(), 50);
}

function move(by) {
	if (where().parts[0] === "runs" && where().parts[1]) {
		const tree = document.querySelector(".rows");
		tree?.focus({ preventScroll: true });
		return tree?.dispatchEvent(new KeyboardEvent("keydown", { key: by > 0 ? "ArrowDown" : "ArrowUp" }));
	}
	const rows = [...document.querySelectorAll("main a.row")];
	const at = rows.indexOf(document.activeElement?.closest("tr")?.querySelector("a.row"));
	rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : within(at + by, 0, rows.length - 1)]?.focus();
}

// Links inside the page do not load it again.
document.addEventListener("click", (event) => {
	const a = event.target.closest?.("a[href]");
	if (!a || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || a.download || a.target) return;
	const to = new URL(a.href);
	const inside = to.pathname.slice(BASE.length);
	if (to.origin !== location.origin || !to.pathname.startsWith(BASE) || /^(api|assets|i)\//.test(inside)) return;
	event.preventDefault();
	visit(to.pathname + to.search);
});

// A link may carry the token behind the #, which is sent to no server. It is used once and wiped.
async function begin() {
	// Not by URLSearchParams, which take a + for a space.
	const token = decoded(/[#&]token=([^&]*)/.exec(location.hash)?.[1] ?? "");
	if (token) {
		history.replaceState(null, "", location.pathname + location.search);
		link.reason = (await signIn(ROOT, token)) ?? "";
	}
	start();
	render(html`<${App} />`, document.getElementById("app"));
}
begin();
