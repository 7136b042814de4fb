//! Every way a request can end, each recorded exactly once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;

use axum::body::Bytes;
use futures_util::FutureExt as _;
use http::{Method, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt as _, Empty, Full};
use monitor_runtime::http::HttpLayer;
use tower::{BoxError, Layer as _, Service as _, ServiceExt as _, service_fn};

use crate::http_layer::bodies::{EndsElsewhere, PanicsWhenAsked, Script, Step};
use crate::http_layer::recorded::{Recorded, in_flight};

fn to(method: Method) -> Request<()> {
    Request::builder().method(method).body(()).unwrap()
}

/// Sends one request through the layer to a service that gives this response.
async fn answered<B: Body<Data: 'static> + Send>(
    method: Method,
    response: Response<B>,
) -> Response<monitor_runtime::http::ResponseBody<B>> {
    let mut response = Some(response);
    let service = service_fn(move |_: Request<()>| {
        let response = response.take().ok_or("asked once");
        async { response }
    });
    HttpLayer::new().layer(service).oneshot(to(method)).await.unwrap_or_else(|error| panic!("{error}"))
}

fn with_status<B>(status: StatusCode, body: B) -> Response<B> {
    Response::builder().status(status).body(body).unwrap()
}

async fn nothing(_: Request<()>) -> Result<Response<Empty<Bytes>>, BoxError> {
    std::future::pending().await
}

#[tokio::test]
async fn a_request_dropped_before_its_response_is_a_client_that_left() {
    let recorded = Recorded::start().await;
    let mut service = HttpLayer::new().layer(service_fn(nothing));

    let mut waiting = Box::pin(service.call(to(Method::GET)));
    assert!(waiting.as_mut().now_or_never().is_none());
    let never_polled = service.call(to(Method::POST));
    assert_eq!(in_flight(), "2");
    drop((waiting, never_polled));

    recorded.expect(&["GET unmatched 499 = 1", "POST unmatched 499 = 1"]);
}

#[tokio::test]
async fn a_body_dropped_before_its_end_is_a_client_that_left() {
    let recorded = Recorded::start().await;

    let unread = answered(Method::GET, Response::new(Full::<Bytes>::from("never read"))).await;
    drop(unread);
    let body = Script::new([Step::Data("a"), Step::Data("b"), Step::Never]);
    let mut half_read = answered(Method::PUT, Response::new(body)).await;
    half_read.frame().await.unwrap().unwrap();
    half_read.frame().await.unwrap().unwrap();
    assert!(half_read.frame().now_or_never().is_none());
    drop(half_read);

    recorded.expect(&["GET unmatched 499 = 1", "PUT unmatched 499 = 1"]);
}

#[tokio::test]
async fn a_body_that_is_read_to_its_end_has_the_responses_status() {
    let recorded = Recorded::start().await;

    let body = Script::new([Step::Data("a"), Step::Data("b")]);
    let response = answered(Method::GET, with_status(StatusCode::IM_A_TEAPOT, body)).await;
    assert_eq!(response.collect().await.unwrap().to_bytes(), "ab");

    recorded.expect(&["GET unmatched 418 = 1"]);
}

#[tokio::test]
async fn a_body_ends_with_its_last_frame_when_it_says_so() {
    let recorded = Recorded::start().await;

    let body = Script::new([Step::Data("a"), Step::Data("b")]).knowing_its_end();
    let mut response = answered(Method::GET, Response::new(body)).await;
    response.frame().await.unwrap().unwrap();
    recorded.still_open();
    response.frame().await.unwrap().unwrap();

    recorded.expect(&["GET unmatched 200 = 1"]);
}

#[tokio::test]
async fn a_body_ends_with_the_last_byte_it_promised() {
    let recorded = Recorded::start().await;

    let body = Script::new([Step::Data("abc"), Step::Data("de"), Step::Never]);
    let promise = Response::builder().header(header::CONTENT_LENGTH, "5").body(body).unwrap();
    let mut response = answered(Method::GET, promise).await;
    response.frame().await.unwrap().unwrap();
    recorded.still_open();
    response.frame().await.unwrap().unwrap();

    recorded.expect(&["GET unmatched 200 = 1"]);
}

#[tokio::test]
async fn a_body_ends_with_its_trailers() {
    let recorded = Recorded::start().await;

    let body = Script::new([Step::Data("a"), Step::Trailers, Step::Never]);
    let mut response = answered(Method::GET, Response::new(body)).await;
    response.frame().await.unwrap().unwrap();
    recorded.still_open();
    assert!(response.frame().await.unwrap().unwrap().is_trailers());

    recorded.expect(&["GET unmatched 200 = 1"]);
}

#[tokio::test]
async fn trailers_behind_the_last_promised_byte_are_passed_on() {
    let recorded = Recorded::start().await;

    let body = Script::new([Step::Data("abc"), Step::Trailers]);
    let promise = Response::builder().header(header::CONTENT_LENGTH, "3").body(body).unwrap();
    let mut response = answered(Method::GET, promise).await;
    response.frame().await.unwrap().unwrap();
    assert!(response.frame().await.unwrap().unwrap().is_trailers());

    recorded.expect(&["GET unmatched 200 = 1"]);
}

#[tokio::test]
async fn a_body_that_ends_while_nobody_asks_has_ended() {
    let recorded = Recorded::start().await;

    let body = EndsElsewhere::default();
    let end = body.clone();
    let response = answered(Method::GET, Response::new(body)).await;
    recorded.still_open();
    end.end();
    assert!(response.is_end_stream(), "so a server does not poll it");
    drop(response);

    recorded.expect(&["GET unmatched 200 = 1"]);
}

#[tokio::test]
async fn a_response_that_has_no_body_ends_with_its_head() {
    let recorded = Recorded::start().await;
    let unsent = || Script::new([Step::Data("never sent")]);

    let held = [
        answered(Method::HEAD, with_status(StatusCode::OK, unsent())).await,
        answered(Method::GET, with_status(StatusCode::NO_CONTENT, unsent())).await,
        answered(Method::GET, with_status(StatusCode::NOT_MODIFIED, unsent())).await,
        answered(Method::GET, with_status(StatusCode::SWITCHING_PROTOCOLS, unsent())).await,
        answered(Method::CONNECT, with_status(StatusCode::OK, unsent())).await,
    ];
    let empty = answered(Method::GET, Response::new(Empty::<Bytes>::new())).await;
    let zero = Response::builder().header(header::CONTENT_LENGTH, "0").body(unsent()).unwrap();
    let zero = answered(Method::GET, zero).await;

    let ended = [
        "CONNECT unmatched 200 = 1",
        "GET unmatched 101 = 1",
        "GET unmatched 200 = 2",
        "GET unmatched 204 = 1",
        "GET unmatched 304 = 1",
        "HEAD unmatched 200 = 1",
    ];
    // The two upgraded connections are in flight as long as their responses are held.
    recorded.expect_in_flight(&ended, "2");
    drop((held, empty, zero));
    recorded.expect(&ended);
}

#[tokio::test]
async fn a_refused_connect_has_a_body_like_any_response() {
    let recorded = Recorded::start().await;

    let response =
        answered(Method::CONNECT, with_status(StatusCode::FORBIDDEN, Full::<Bytes>::from("no"))).await;
    recorded.still_open();
    response.collect().await.unwrap();

    recorded.expect(&["CONNECT unmatched 403 = 1"]);
}

#[tokio::test]
async fn a_body_that_fails_counts_as_500() {
    let recorded = Recorded::start().await;

    let response = answered(Method::GET, Response::new(Script::new([Step::Data("a"), Step::Fail]))).await;
    assert_eq!(response.collect().await.unwrap_err().to_string(), "the body failed on purpose");

    recorded.expect(&["GET unmatched 500 = 1"]);
}

#[tokio::test]
async fn a_panicking_handler_counts_as_500_and_the_panic_goes_on() {
    async fn panicking(_: Request<()>) -> Result<Response<Empty<Bytes>>, BoxError> {
        tokio::task::yield_now().await;
        panic!("the handler panicked on purpose")
    }
    let recorded = Recorded::start().await;

    let service = HttpLayer::new().layer(service_fn(panicking));
    let died = tokio::spawn(service.oneshot(to(Method::GET))).await.unwrap_err();

    let message = died.into_panic().downcast::<&str>().unwrap();
    assert_eq!(*message, "the handler panicked on purpose");
    recorded.expect(&["GET unmatched 500 = 1"]);
}

#[tokio::test]
async fn a_service_that_panics_when_called_counts_as_500() {
    let recorded = Recorded::start().await;
    let panicking = |_: Request<()>| -> std::future::Ready<Result<Response<Empty<Bytes>>, BoxError>> {
        panic!("the service panicked on purpose")
    };

    let mut service = HttpLayer::new().layer(service_fn(panicking));
    assert!(catch_unwind(AssertUnwindSafe(|| service.call(to(Method::GET)))).is_err());

    recorded.expect(&["GET unmatched 500 = 1"]);
}

#[tokio::test]
async fn a_panicking_body_counts_as_500() {
    let recorded = Recorded::start().await;

    let response = answered(Method::GET, Response::new(Script::new([Step::Data("a"), Step::Panic]))).await;
    assert!(tokio::spawn(response.collect()).await.unwrap_err().is_panic());

    recorded.expect(&["GET unmatched 500 = 1"]);
}

#[tokio::test]
async fn a_body_that_panics_when_asked_for_its_end_counts_as_500() {
    let recorded = Recorded::start().await;

    let answer = AssertUnwindSafe(answered(Method::GET, Response::new(PanicsWhenAsked)));
    assert!(answer.catch_unwind().await.is_err());

    recorded.expect(&["GET unmatched 500 = 1"]);
}

#[tokio::test]
async fn a_response_is_given_once() {
    let recorded = Recorded::start().await;
    let service =
        service_fn(|_: Request<()>| async { Ok::<_, BoxError>(Response::new(Empty::<Bytes>::new())) });

    let mut answer = Box::pin(HttpLayer::new().layer(service).call(to(Method::GET)));
    assert!(answer.as_mut().now_or_never().is_some());
    assert!(answer.now_or_never().is_none(), "nothing comes any more");

    recorded.expect(&["GET unmatched 200 = 1"]);
}

#[tokio::test]
async fn a_request_dropped_by_another_panic_is_a_client_that_left() {
    let recorded = Recorded::start().await;
    let mut service = HttpLayer::new().layer(service_fn(nothing));

    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _waiting = service.call(to(Method::GET));
        panic!("something else panicked on purpose")
    }));

    assert!(panicked.is_err());
    recorded.expect(&["GET unmatched 499 = 1"]);
}

#[tokio::test]
async fn length_and_end_of_the_inner_body_show_through() {
    let _recorded = Recorded::start().await;

    let mut response = answered(Method::GET, Response::new(Full::<Bytes>::from("12345"))).await;
    assert_eq!(response.size_hint().exact(), Some(5));
    assert!(!response.is_end_stream());
    response.frame().await.unwrap().unwrap();
    assert!(response.is_end_stream());
    assert_eq!(response.size_hint().exact(), Some(0));
    assert!(response.frame().await.is_none(), "it stays at its end");

    let unknown = answered(Method::GET, Response::new(Script::new([Step::Data("a")]))).await;
    assert_eq!(unknown.size_hint().exact(), None);
    let mut unknown = pin!(unknown.into_body());
    unknown.frame().await.unwrap().unwrap();
    assert!(!unknown.is_end_stream());
}

#[tokio::test]
async fn a_large_body_comes_whole_to_one_who_collects_it() {
    let recorded = Recorded::start().await;
    let data: Vec<u8> = (0..1_000_003_u32).map(|at| at.to_le_bytes()[at as usize % 4]).collect();

    let mut response = answered(Method::GET, Response::new(Full::<Bytes>::from(data.clone()))).await;
    let mut read = response.frame().await.unwrap().unwrap().into_data().unwrap().to_vec();
    assert_eq!(response.size_hint().exact(), Some((data.len() - read.len()) as u64));
    assert!(!response.is_end_stream());
    recorded.still_open();
    let rest = response.collect().await.unwrap().to_bytes();
    read.extend_from_slice(&rest);

    assert!(read == data, "{} bytes of {}", read.len(), data.len());
    recorded.expect(&["GET unmatched 200 = 1"]);
}

#[tokio::test]
async fn a_large_body_not_read_to_its_end_is_a_client_that_left() {
    let recorded = Recorded::start().await;

    let mut response = answered(Method::GET, Response::new(Full::<Bytes>::from(vec![7; 200_000]))).await;
    let mut read = 0;
    while let Some(frame) = response.frame().await {
        read += frame.unwrap().data_ref().unwrap().len();
        if read > 190_000 {
            break;
        }
    }
    recorded.still_open();
    drop(response);

    recorded.expect(&["GET unmatched 499 = 1"]);
}
