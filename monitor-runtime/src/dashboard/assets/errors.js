// Keeps every fault of the page itself in `window.monitorErrors`, which the page shows and browser tests read.
// It is loaded first and imports nothing, so it also sees the faults of the other modules.
const errors = (window.monitorErrors = []);

const note = (text) => {
	if (errors.length < 20) errors.push(text);
	dispatchEvent(new Event("monitor-error"));
};

addEventListener("error", (event) => note(event.message || `cannot load ${event.target?.src || event.target?.href}`), true);
addEventListener("unhandledrejection", (event) => note(String(event.reason?.message ?? event.reason)));
document.addEventListener("securitypolicyviolation", (event) =>
	note(`content security policy: ${event.violatedDirective} refused ${event.blockedURI || "inline code"}`));
