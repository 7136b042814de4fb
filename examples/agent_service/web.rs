//! The page of the service for a browser: a form that asks, and a link to the live page.

use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::header::{ACCEPT, CONTENT_SECURITY_POLICY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use crate::api::{self, ApiError, Service};
use crate::question::Question;
use crate::run;

/// The page has no script, and may load nothing.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'";

#[derive(Deserialize)]
pub(crate) struct Asked {
    question: String,
}

/// Shows the form to a browser. Other clients get what they get for any unknown path.
pub(crate) async fn form(State(service): State<Service>, headers: HeaderMap) -> Response {
    let accepts = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if !accepts.contains("text/html") {
        return api::not_found().await.into_response();
    }
    page(&service, "", "", StatusCode::OK)
}

/// Asks the question of the form, and shows its answer below.
pub(crate) async fn ask(
    State(service): State<Service>,
    form: Result<Form<Asked>, FormRejection>,
) -> Response {
    let Ok(Form(Asked { question })) = form else { return api::not_found().await.into_response() };
    match answer(&service, &question).await {
        Ok(answer) => page(&service, &question, &answer, StatusCode::OK),
        Err(ApiError { status, message }) => page(&service, &question, &message, status),
    }
}

async fn answer(service: &Service, question: &str) -> Result<String, ApiError> {
    let Service { store, model, time_limit, .. } = service;
    Ok(run::ask(store, model, &Question::new(question)?, *time_limit).await?.answer.text)
}

fn page(service: &Service, question: &str, answer: &str, status: StatusCode) -> Response {
    let [question, answer] = [question, answer].map(escaped);
    let live = service.live_page.as_deref().unwrap_or_default();
    let body = format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>agent_service</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 8vh auto; padding: 0 1rem }}
form {{ display: flex; gap: .5rem }}
input {{ flex: 1; min-width: 0; font: inherit; padding: .4rem .6rem }}
button {{ font: inherit; padding: .4rem 1rem }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; font: inherit }}
</style>
<h1>Ask the notes</h1>
<form method="post" action="/">
<input name="question" aria-label="Question" placeholder="what is a skill?" value="{question}" required autofocus>
<button>Ask</button>
</form>
<pre>{answer}</pre>
<p><a href="{live}" target="_blank" rel="noopener">Watch it work on the live page</a></p>
</html>
"#
    );
    (status, [(CONTENT_SECURITY_POLICY, POLICY)], Html(body)).into_response()
}

/// Text as it is written in HTML, also in an attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_client_is_no_markup() {
        assert_eq!(escaped(r#"<a b="1" c='2'>&"#), "&lt;a b=&quot;1&quot; c=&#39;2&#39;&gt;&amp;");
    }
}
