// One plot over time on a canvas. Plots share their cursor; dragging chooses a time range.
import { clock, html, tell, useEffect, useLayoutEffect, useRedraw, useRef, useState, within } from "./base.js";

const LEFT = 52;
const BOTTOM = 20;
const TOP = 6;

// The time under the pointer, for all plots.
let cursor = null;
function pointAt(time) {
	cursor = time;
	tell("monitor-cursor");
}

// About `most` round numbers from 0 to `top`.
function ticksTo(top, most) {
	const raw = top / most;
	const power = 10 ** Math.floor(Math.log10(raw));
	const step = [1, 2, 5, 10].find((factor) => factor * power >= raw) * power;
	return Array.from({ length: Math.floor(top / step) + 1 }, (_, at) => at * step);
}

const TIME_STEPS = [1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];

function timeTicks(from, to, most) {
	const step = TIME_STEPS.find((step) => (to - from) / step <= most) ?? 7200 * Math.ceil((to - from) / most / 7200);
	const first = Math.ceil(from / step) * step;
	return Array.from({ length: Math.max(0, Math.floor((to - first) / step) + 1) }, (_, at) => first + at * step);
}

const highest = (lines) => Math.max(...lines.flat().filter((point) => point != null), 0) * 1.1 || 1;

// Canvas needs resolved colours, and a theme may change them.
function colours(element, names) {
	const probe = element.appendChild(document.createElement("i"));
	const all = Object.fromEntries(names.map((name) => [name, ((probe.style.color = `var(${name})`), getComputedStyle(probe).color)]));
	probe.remove();
	return all;
}

function draw(canvas, { series, data, format, right, from, to, none }) {
	const { clientWidth: width, clientHeight: height, parentElement } = canvas;
	const ratio = devicePixelRatio || 1;
	if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
	const pen = canvas.getContext("2d");
	const tone = colours(parentElement, ["--line", "--dim", ...series.map(([, , name]) => name)]);
	const edge = width - (right ? 44 : 8);
	const floor = height - BOTTOM;
	const x = (time) => LEFT + ((time - from) / (to - from)) * (edge - LEFT);
	pen.setTransform(ratio, 0, 0, ratio, 0, 0);
	pen.clearRect(0, 0, width, height);
	pen.font = `11px ${getComputedStyle(parentElement).fontFamily}`;
	pen.fillStyle = tone["--dim"];
	pen.strokeStyle = tone["--line"];
	pen.lineWidth = 1;

	// A point more on both sides, so that lines go on to the edges.
	const { times } = data;
	const shown = times.map((_, at) => at).filter((at) => isInside(times, from, to) && (times[at + 1] ?? Infinity) >= from && (times[at - 1] ?? 0) <= to);
	const linesOf = (side) => series.filter(([, , , own]) => own === side).map(([key]) => shown.map((at) => data.series[key]?.[at] ?? null));
	const tops = { undefined: highest(linesOf(undefined)), right: highest(linesOf("right")) };
	const y = (point, side) => floor - (point / tops[side]) * (floor - TOP);

	const isEmpty = linesOf(undefined).flat().every((point) => point == null);
	for (const tick of isEmpty ? [0] : ticksTo(tops.undefined, 4)) {
		const at = Math.round(y(tick)) + 0.5;
		pen.beginPath();
		pen.moveTo(LEFT, at);
		pen.lineTo(edge, at);
		pen.stroke();
		pen.textAlign = "right";
		pen.fillText(tick ? format(tick) : "0", LEFT - 6, at + 3.5);
	}
	pen.textAlign = "left";
	if (right && !isEmpty) for (const tick of ticksTo(tops.right, 4)) pen.fillText(right(tick), edge + 6, y(tick, "right") + 4);
	pen.textAlign = "center";
	if (isEmpty) pen.fillText(none, (LEFT + edge) / 2, floor / 2);
	for (const tick of timeTicks(from, to, (edge - LEFT) / 90)) if (x(tick) < edge - 20) pen.fillText(clock(tick * 1e6), Math.max(x(tick), LEFT + 24), height - 5);

	pen.save();
	pen.beginPath();
	pen.rect(LEFT, 0, edge - LEFT, height);
	pen.clip();
	pen.lineWidth = 1.5;
	for (const [key, , name, side] of series) {
		pen.strokeStyle = tone[name];
		pen.setLineDash(side ? [4, 3] : []);
		pen.beginPath();
		let isDown = false;
		for (const at of shown) {
			const point = data.series[key]?.[at];
			if (point != null) pen[isDown ? "lineTo" : "moveTo"](x(data.times[at]), y(point, side));
			isDown = point != null;
		}
		pen.stroke();
	}
	pen.restore();
	if (cursor != null && cursor >= from && cursor <= to) {
		pen.strokeStyle = tone["--dim"];
		pen.lineWidth = 1;
		pen.beginPath();
		pen.moveTo(x(cursor), TOP);
		pen.lineTo(x(cursor), floor);
		pen.stroke();
	}
	canvas.timeAt = (px) => from + (within(px - LEFT, 0, edge - LEFT) / (edge - LEFT)) * (to - from);
}

const isInside = (times, from, to) => times[0] <= to && times.at(-1) >= from;

const nearest = (times, time) => times.reduce((best, other, at) => (Math.abs(other - time) < Math.abs(times[best] - time) ? at : best), 0);

// `series` are [key, label, colour, side?]; `data` has `times` in seconds and a list of points for each key.
export function Plot(props) {
	const { title, unit, series, data, format, right, onZoom, from, to } = props;
	const canvas = useRef();
	const latest = useRef(props);
	latest.current = props;
	useRedraw("monitor-cursor");
	const [drag, setDrag] = useState(null);
	useEffect(() => {
		const resized = new ResizeObserver(() => draw(canvas.current, latest.current));
		resized.observe(canvas.current);
		return () => resized.disconnect();
	}, []);
	useLayoutEffect(() => draw(canvas.current, props));
	const px = (event) => event.clientX - canvas.current.getBoundingClientRect().left;
	const moved = (event) => {
		pointAt(canvas.current.timeAt(px(event)));
		if (drag) setDrag([drag[0], px(event)]);
	};
	const released = (event) => {
		if (drag && Math.abs(px(event) - drag[0]) > 4) {
			const [from, to] = [drag[0], px(event)].sort((a, b) => a - b).map(canvas.current.timeAt);
			onZoom(Math.floor(from * 1e6), Math.ceil(to * 1e6));
		}
		setDrag(null);
	};
	const at = isInside(data.times, from, to) ? nearest(data.times, cursor ?? to) : -1;
	const values = series.map(([key, label, , side]) => [label, (side ? right : format)(data.series[key]?.[at] ?? null)]);
	return html`<section class="plot">
		<header><h2>${title} <small>${unit}</small></h2><span class="dim num">${cursor != null && at >= 0 ? clock(data.times[at] * 1e6) : ""}</span></header>
		<dl>${series.map(([key, label, name], nth) => html`<div key=${key}><dt><i class="swatch" style=${{ background: `var(${name})` }}></i>${label}</dt><dd class="num">${values[nth][1]}</dd></div>`)}</dl>
		<div class="canvas"><canvas ref=${canvas} role="img" aria-label="${title}, ${unit}: ${values.map((value) => value.join(" ")).join(", ")}"
			onPointerDown=${(event) => (canvas.current.setPointerCapture(event.pointerId), setDrag([px(event), px(event)]))}
			onPointerMove=${moved} onPointerUp=${released} onPointerCancel=${() => setDrag(null)} onPointerLeave=${() => pointAt(null)}></canvas>
			${drag && html`<i class="dragged" style=${{ left: `${Math.min(...drag)}px`, width: `${Math.abs(drag[1] - drag[0])}px` }}></i>`}</div>
	</section>`;
}
