//! Who may follow the page, and what it says to others.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::PoisonError;
use std::thread::sleep;
use std::time::Duration;

use monitor_runtime::{Dashboard, Monitor};

use crate::driver::Browser;

/// The pages that may follow a process.
const MOST: usize = 16;

/// Follows the page at this URL as a browser does, until this is dropped.
fn follow(root: &str) -> BufReader<TcpStream> {
    let host = root.trim_start_matches("http://").split('/').next().unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /monitor/api/v1/stream?topics=frame HTTP/1.1\r\nhost: {host}\r\n\r\n").unwrap();
    let mut stream = BufReader::new(stream);
    let mut status = String::new();
    stream.read_line(&mut status).unwrap();
    assert!(status.contains("200"), "{status}");
    stream
}

#[test]
fn a_page_too_many_shows_the_sentence_of_the_server() {
    let _one = crate::ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_runtime, monitor) = crate::monitor();
    let root = monitor.dashboard_url().unwrap();
    let pages: Vec<_> = (0..MOST).map(|_| follow(&root)).collect();
    let browser = Browser::of(&monitor);
    browser.open("");
    browser.until("document.querySelector('.fault')?.textContent.includes('16 pages follow this process; close one of them')");
    browser.until("document.querySelector('.dot').textContent.includes('reconnecting')");
    drop(pages);
    browser.until("document.querySelector('.dot').textContent.includes('live')");
    browser.until("!document.querySelector('.fault')");
    browser.assert_no_faults();
}

#[test]
fn a_page_below_a_path_that_ends_in_i_is_no_other_instance() {
    let _one = crate::ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let dashboard = Dashboard::new().on_main_port();
    let builder = Monitor::builder().base_path("/api").bearer_token("s3cret").dashboard(dashboard);
    let monitor = runtime.block_on(async { builder.build().unwrap() });
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let browser = Browser::at(&format!("http://{}/api/monitor/", listener.local_addr().unwrap()));
    runtime.spawn(async move { monitor.serve(listener, axum::Router::new()).await });
    browser.open("about");
    browser.until("document.querySelector('form.login')?.getAttribute('action') === '/api/monitor/login'");
    // Another screen, since a browser does not load a page again for its fragment alone.
    browser.open("runs#token=s3cret");
    browser.settled();
    browser.until("document.querySelector('.who').innerText.includes('this instance only')");
    browser.assert_no_faults();
}

#[test]
fn a_link_signs_in_and_a_button_signs_out() {
    let _one = crate::ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let builder = Monitor::builder().admin_port(0).bearer_token("a+b/c==").dashboard(Dashboard::new());
    let monitor = builder.build().unwrap();
    let browser = Browser::of(&monitor);
    browser.open("runs#token=a+b/c==");
    browser.settled();
    browser.until("document.querySelector('.dot').textContent.includes('live')");
    assert_eq!(browser.eval("location.hash"), "", "the token is wiped");
    browser.open("about");
    browser.settled();
    let sign_out =
        "[...document.querySelectorAll('main button')].find((button) => button.textContent === 'sign out')";
    browser.until(sign_out);
    browser.eval(&format!("{sign_out}.click()"));
    browser.until("document.querySelector('main form.login')");
    browser.open("runs#token=a+b/c");
    let sentence =
        "document.querySelector('.login [role=alert]')?.textContent.includes('this is not the token')";
    browser.until(sentence);
    // The answers to the reads of a page without a session do not take it away.
    sleep(Duration::from_secs(1));
    browser.until(sentence);
    browser.eval("document.querySelector('.login input').focus()");
    browser.press("a+b/c==");
    browser.press("\u{e007}");
    browser.settled();
    browser.until("document.querySelector('.dot').textContent.includes('live')");
    browser.assert_no_faults();
}
