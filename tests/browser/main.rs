//! The live page in a browser, with the service in the test's own process.

mod access;
mod address;
mod details;
mod driver;
mod hostile;
mod instances;
mod lists;
mod reading;
mod readme;
mod steps;

use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use driver::{Browser, SCREENS};
use monitor_runtime::health::check_fn;
use monitor_runtime::{Dashboard, Monitor, run, track_agent, track_model, track_query, track_skill};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// A browser takes a core and hundreds of megabytes, so there is one at a time in a process.
static ONE: Mutex<()> = Mutex::new(());

/// A runtime for the checks of a monitor, and the monitor.
fn monitor() -> (Runtime, Monitor) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let check = check_fn("index", async || Ok::<_, std::io::Error>("12 files"));
    let builder = Monitor::builder().admin_port(0).check(check).dashboard(Dashboard::new());
    let monitor = runtime.block_on(async { builder.build().unwrap() });
    (runtime, monitor)
}

#[track_skill("web_search")]
fn search(words: &str) -> Result<usize, String> {
    if words.is_empty() { Err("nothing to search for".to_owned()) } else { Ok(words.len()) }
}

#[track_query("save_note", operation = "insert")]
fn save(_: usize) {}

#[track_agent("planner")]
fn plan(words: &str) -> Result<(), String> {
    let found = search(words)?;
    save(found);
    Ok(())
}

#[track_skill("think")]
async fn think(gate: oneshot::Receiver<()>) {
    gate.await.unwrap();
}

#[track_agent("writer")]
async fn write(gate: oneshot::Receiver<()>) -> Result<usize, String> {
    think(gate).await;
    search("green tea")
}

#[track_agent("editor")]
async fn edit(gate: oneshot::Receiver<()>) -> Result<usize, String> {
    search("tea")?;
    write(gate).await
}

/// A run that goes on until its gate opens.
fn start() -> (oneshot::Sender<()>, JoinHandle<Result<usize, String>>) {
    let (open, gate) = oneshot::channel();
    let run = || tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(edit(gate));
    (open, thread::spawn(run))
}

/// A hundred runs, a quarter of which fail.
fn run_a_hundred() {
    for at in 0..100 {
        let _ = plan(if at % 4 == 0 { "" } else { "green tea" });
    }
}

/// The part of a planner's calls that failed, by the metrics.
fn failed_part(monitor: &Monitor) -> f64 {
    let metrics = String::from_utf8(monitor.metrics().body().to_vec()).unwrap();
    let count = |status: &str| -> f64 {
        let labels = format!("agent_executions_total{{agent_id=\"planner\",status=\"{status}\"}} ");
        metrics
            .lines()
            .find_map(|line| line.strip_prefix(&*labels))
            .map_or(0.0, |value| value.parse().unwrap())
    };
    count("error") / ["success", "error", "panic", "cancelled"].map(count).iter().sum::<f64>()
}

#[test]
fn now_is_filled_when_it_opens_and_agrees_with_the_metrics() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_runtime, monitor) = monitor();
    run_a_hundred();
    let browser = Browser::of(&monitor);
    browser.open("");
    browser.settled();
    // Every plot has drawn points that the service kept.
    let drawn = "[...document.querySelectorAll('.plot canvas')].filter((canvas) => \
                 canvas.width && canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean)).length";
    browser.until(&format!("{drawn} === 4"));
    let cells = "[...document.querySelectorAll('table[aria-label=Agents] tbody tr')].map((row) => \
                 [...row.children].map((cell) => cell.textContent.trim()))";
    browser.until(&format!(
        "{cells}.some((row) => row[0] === 'planner' && row.some((cell) => cell.includes('%')))"
    ));
    let rows = browser.eval(cells);
    let planner = rows.as_array().unwrap().iter().find(|row| row[0] == "planner").unwrap().clone();
    let failed = failed_part(&monitor) * 100.0;
    let shown: Vec<f64> =
        planner.as_array().unwrap().iter().filter_map(|cell| percent(cell.as_str()?)).collect();
    assert!((shown[0] - failed).abs() <= 0.5, "{planner} but {failed} % failed");
    for screen in SCREENS {
        browser.open(screen);
        browser.settled();
        browser.assert_no_faults();
    }
}

fn percent(cell: &str) -> Option<f64> {
    cell.strip_suffix('%')?.trim().parse().ok()
}

/// Keeps in `window.orphans` each row whose parent is not above it, after every change of the tree.
const WATCH_TREE: &str = "(() => {
    window.orphans = [];
    const look = () => {
        let above = 0;
        for (const row of [...document.querySelectorAll('[role=treeitem]')].sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top)) {
            const level = Number(row.getAttribute('aria-level'));
            if (level > above + 1) window.orphans.push(row.textContent);
            above = level;
        }
    };
    look();
    new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
    window.isTheSamePage = true;
    return true;
})()";

#[test]
fn a_run_is_a_tree_while_it_goes_on_and_ends_in_place() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_runtime, monitor) = monitor();
    let browser = Browser::of(&monitor);
    browser.open("");
    browser.settled();
    let (open, running) = start();
    browser.until("document.querySelector('.running tbody tr')?.innerText.includes('writer › skill think')");
    let id = run::started().unwrap().running()[0].id();
    browser.open(&format!("runs/{id}"));
    browser.until("document.querySelectorAll('[role=treeitem]').length === 4");
    browser.eval(WATCH_TREE);
    let elapsed = "parseFloat(document.querySelector('.facts .big').textContent)";
    let before = browser.eval(elapsed).as_f64().unwrap();
    browser.until(&format!("{elapsed} > {before}"));
    open.send(()).unwrap();
    running.join().unwrap().unwrap();
    browser.until("document.querySelectorAll('[role=treeitem]').length === 5");
    browser.until("document.querySelector('.facts .status').textContent.includes('✓')");
    assert_eq!(browser.eval("window.isTheSamePage"), true, "the page was not loaded again");
    assert_eq!(browser.eval("window.orphans"), json!([]));
    browser.assert_no_faults();
}

#[track_skill("read_page")]
fn read_page() {}

#[track_skill("take_note")]
fn take_note() {}

#[track_agent("chapter")]
fn read_chapters(further: u32) {
    for _ in 0..4 {
        read_page();
        take_note();
    }
    if further > 0 {
        read_chapters(further - 1);
    }
}

#[track_agent("book")]
fn read_book(pages: u32) {
    read_chapters(55);
    for page in 0..pages {
        read_page();
        // A read makes room in the queue, which calls without a pause fill faster than the recorder reads.
        if page % 500 == 0 {
            run::started().unwrap().running();
        }
    }
}

#[test]
fn a_run_of_thousands_of_calls_is_a_short_page() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_runtime, monitor) = monitor();
    read_book(20_000);
    let id = run::started().unwrap().newest().iter().find(|run| run.agent() == "book").unwrap().id();
    let browser = Browser::of(&monitor);
    browser.open(&format!("runs/{id}"));
    browser.settled();
    let rows = "[...document.querySelectorAll('[role=treeitem]')]";
    browser.until(&format!("{rows}.length > 10"));
    // Every call of a name behind the chapters is in a row that folds them, or in the sum of those without room.
    let group =
        format!("{rows}.find((row) => row.classList.contains('group') && row.ariaExpanded === 'false')");
    let sum = format!("{rows}.find((row) => row.textContent.includes('rolled up'))");
    browser.until(&format!("(document.querySelector('.rows').scrollTop = 1e6, {group} && {sum})"));
    let figure = |row: &str| {
        let figure = browser.eval(&format!("{row}.querySelector('.badge').textContent.replace(/\\D/g, '')"));
        figure.as_str().unwrap().parse::<u32>().unwrap()
    };
    let (folded, rolled_up) = (figure(&group), figure(&sum));
    assert_eq!(folded + rolled_up, 20_000, "{folded} and {rolled_up}");
    assert!((1_000..2_000).contains(&folded), "{folded}");
    // Unfolded, there are 2,000 rows, of which the page has those in sight.
    browser.eval(&format!("{group}.click()"));
    browser.until(&format!("document.querySelector('.rows').scrollHeight > {folded} * 26"));
    let shown = browser.eval(&format!("{rows}.length"));
    assert!((10..400).contains(&shown.as_u64().unwrap()), "{shown} rows are elements");
    browser.assert_no_faults();
}

#[track_model("quotes", provider = "local")]
fn quote() {}

#[track_agent("quoter")]
fn answer_by_quotes() {
    quote();
}

#[test]
fn unknown_usage_is_shown_as_such() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_runtime, monitor) = monitor();
    answer_by_quotes();
    let id = run::started().unwrap().newest().iter().find(|run| run.agent() == "quoter").unwrap().id();
    let browser = Browser::of(&monitor);
    browser.open(&format!("runs/{id}"));
    browser.until("document.querySelector('.facts')?.innerText.includes('usage unknown')");
    for screen in ["runs", "models", &format!("runs/{id}")] {
        browser.open(screen);
        browser.settled();
        let text = browser.text();
        assert!(!text.contains("–+") && !text.contains("No model was called"), "{screen}: {text}");
    }
    browser.open("models");
    browser.until("document.body.innerText.includes('No model call inside an agent has reported usage.')");
    browser.assert_no_faults();
}

#[test]
fn eight_tabs_share_the_connections_of_a_browser() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_runtime, monitor) = monitor();
    let browser = Browser::of(&monitor);
    for tab in 0..8 {
        if tab > 0 {
            browser.open_tab();
        }
        browser.open("");
        browser.settled();
    }
    let clients =
        "fetch('/monitor/api/v1/about').then((answer) => answer.json()).then((about) => about.clients)";
    let begun = Instant::now();
    while browser.eval(clients) != 1 && begun.elapsed() < Duration::from_mins(1) {
        thread::sleep(Duration::from_millis(20));
    }
    let clients = browser.eval(clients);
    assert_eq!(clients, 1, "hidden tabs hold no stream");
    browser.assert_no_faults();
}

#[test]
fn screens_fit_every_width_and_name_what_can_be_used() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_runtime, monitor) = monitor();
    run_a_hundred();
    let id = run::started().unwrap().failed("planner")[0].id();
    let browser = Browser::of(&monitor);
    browser.open("");
    let run = format!("runs/{id}");
    let unnamed = "[...document.querySelectorAll('a[href], button, input, select, [role=tree], dialog, nav, table')].filter((element) => \
                   !(element.getAttribute('aria-label') || element.textContent.trim() || element.labels?.length)).map((element) => element.outerHTML)";
    for theme in ["light", "dark"] {
        browser.theme(theme);
        for width in [320, 760, 1_280, 2_560] {
            browser.resize(width, 900);
            for screen in SCREENS.into_iter().chain([&*run, "calls/agent/planner"]) {
                browser.open(screen);
                browser.settled();
                let wide = browser.eval("document.scrollingElement.scrollWidth");
                assert!(wide.as_u64().unwrap() <= width.into(), "{screen} is {wide} wide at {width}");
                assert_eq!(browser.eval(unnamed), json!([]), "{screen}");
                browser.assert_no_faults();
                // Contrast depends on the theme, the rest on the width.
                let asked = [(320, "dark"), (1_280, "light")].contains(&(width, theme));
                if let Some((broken, kept)) = asked.then(|| browser.accessibility()).flatten() {
                    assert_eq!(broken, json!([]), "{screen} at {width}, {theme}");
                    assert!(kept >= 10, "{kept} rules were applied to {screen}");
                }
            }
        }
    }
}
