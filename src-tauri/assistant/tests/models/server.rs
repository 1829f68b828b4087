//! An inference server of the user's, from the well-behaved to the hostile.

use std::{
    io::Write,
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use afterwatch_assistant::{
    chosen::ServerPlace,
    generator::{Generated, Generator, Heard, Prompt},
    key::Keys,
    server::{Patience, Server},
};
use afterwatch_core::port::ModelError;
use afterwatch_model_protocol::{Message, Role};
use serde_json::json;

use crate::stub::{Stub, head, whole};

const SOON: Patience = Patience { silence: Duration::from_millis(800), list: Duration::from_millis(800) };

fn prompt() -> Prompt {
    Prompt {
        messages: vec![
            Message { role: Role::System, text: "You write.".to_owned() },
            Message { role: Role::User, text: "Why?".to_owned() },
        ],
        fixed: 1,
        grammar: "root ::= \"{}\"".to_owned(),
        schema: json!({"type": "object", "properties": {"a": {"type": "string"}}}),
        max_tokens: 200,
        temperature: 0.2,
        seed: 7,
    }
}

fn server(stub: &Stub, key: Option<&str>) -> Server {
    let place =
        ServerPlace { url: format!("{}/v1", stub.url), model: "qwen".to_owned(), context: None, has_key: false };
    Server::new(&place, key.map(str::to_owned), SOON).unwrap()
}

/// What came of it, and what was heard meanwhile.
async fn ask(server: &Server) -> (Result<Generated, ModelError>, String, Vec<(u32, u32)>) {
    let (pieces, reading) = (Mutex::new(String::new()), Mutex::new(Vec::new()));
    let hear = |h: Heard| match h {
        Heard::Piece { text, .. } => pieces.lock().unwrap().push_str(&text),
        Heard::Reading { done, all } => reading.lock().unwrap().push((done, all)),
        _ => {}
    };
    let done = server.generate(prompt(), &hear).await;
    (done, pieces.into_inner().unwrap(), reading.into_inner().unwrap())
}

fn begin(stream: &mut TcpStream) {
    head(stream, "200 OK", &[("Content-Type", "text/event-stream; charset=utf-8")]);
}

fn event(stream: &mut TcpStream, value: &serde_json::Value) {
    let _ = stream.write_all(format!("data: {value}\n\n").as_bytes());
    let _ = stream.flush();
}

fn piece(stream: &mut TcpStream, text: &str) {
    event(stream, &json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]}));
}

fn stop(stream: &mut TcpStream, reason: &str) {
    event(stream, &json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}));
    event(stream, &json!({"choices": [], "usage": {"prompt_tokens": 42, "completion_tokens": 3}}));
    let _ = stream.write_all(b"data: [DONE]\n\n");
}

#[tokio::test]
async fn an_answer_is_streamed_with_its_figures_and_the_request_carries_schema_and_key() {
    let stub = Stub::new(|_, _, stream| {
        begin(stream);
        event(
            stream,
            &json!({"choices": [], "prompt_progress": {"total": 42, "cache": 0, "processed": 20, "time_ms": 3}}),
        );
        let _ = stream.write_all(b": keep alive\n\n");
        event(stream, &json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": null}}]}));
        for text in ["{\"a\":", "\"é", "\"}"] {
            piece(stream, text);
        }
        stop(stream, "stop");
    });
    let server = server(&stub, Some("sk-1"));
    let (done, heard, reading) = ask(&server).await;
    let done = done.unwrap();
    assert_eq!(done.text, "{\"a\":\"é\"}");
    assert_eq!((done.prompt_tokens, done.generated_tokens, done.complete), (42, 3, true));
    assert_eq!((heard.as_str(), reading), ("{\"a\":\"é\"}", vec![(20, 42)]));
    let request = &stub.seen()[0];
    assert_eq!(request.line, "POST /v1/chat/completions");
    assert_eq!(request.header("authorization"), Some("Bearer sk-1"));
    let body = request.json();
    assert_eq!(body["response_format"]["json_schema"]["schema"], prompt().schema);
    assert_eq!(body["messages"][1], json!({"role": "user", "content": "Why?"}));
    assert_eq!((&body["stream"], &body["seed"], &body["model"]), (&json!(true), &json!(7), &json!("qwen")));
    assert_eq!(body["chat_template_kwargs"]["enable_thinking"], json!(false));
}

#[tokio::test]
async fn a_server_that_knows_no_schema_is_asked_in_simpler_forms_and_remembered_so() {
    let stub = Stub::new(|request, _, stream| {
        let body = request.json();
        if body["response_format"]["type"] == "json_schema" {
            return whole(
                stream,
                "400 Bad Request",
                "application/json",
                r#"{"error":{"message":"response_format json_schema is not supported"}}"#,
            );
        }
        begin(stream);
        piece(stream, "{}");
        stop(stream, "stop");
    });
    let server = server(&stub, None);
    assert_eq!(ask(&server).await.0.unwrap().text, "{}");
    let asked = stub.seen().len();
    assert_eq!(asked, 3);
    let last = stub.seen()[2].json();
    assert_eq!(last["response_format"]["type"], "json_object");
    // Without a schema in the request the words carry it.
    assert!(last["messages"][0]["content"].as_str().unwrap().contains("\"properties\""));
    ask(&server).await.0.unwrap();
    assert_eq!(stub.seen().len(), asked + 1);
}

#[tokio::test]
async fn a_server_that_knows_nothing_but_words_is_asked_in_words_and_its_fences_are_taken_away() {
    let stub = Stub::new(|request, _, stream| {
        if request.json().get("response_format").is_some() {
            return whole(
                stream,
                "422 Unprocessable Entity",
                "application/json",
                r#"{"detail":"extra fields not permitted"}"#,
            );
        }
        begin(stream);
        for text in ["<think>", "hm {", "</think>", "```json\n", "{\"a\":1}", "\n```"] {
            piece(stream, text);
        }
        stop(stream, "stop");
    });
    let (done, heard, _) = ask(&server(&stub, None)).await;
    assert_eq!(done.unwrap().text, "{\"a\":1}");
    assert!(heard.starts_with("{\"a\":1}") && !heard.contains("hm"), "{heard}");
    assert_eq!(stub.seen().len(), 4);
}

#[tokio::test]
async fn refusals_are_sentences_and_the_key_is_in_none_of_them() {
    for (status, body, words) in [
        ("401 Unauthorized", r#"{"error":{"message":"Incorrect API key"}}"#, "refuses the key"),
        ("404 Not Found", r#"{"error":{"message":"The model `qwen` does not exist"}}"#, "has no model qwen"),
        (
            "400 Bad Request",
            r#"{"error":{"message":"This model's maximum context length is 4096 tokens","code":"context_length_exceeded"}}"#,
            "does not fit",
        ),
        ("500 Internal Server Error", "boom", "refuses the request with 500"),
    ] {
        let stub = Stub::new(move |_, _, stream| whole(stream, status, "application/json", body));
        let told = ask(&server(&stub, Some("sk-secret-9"))).await.0.unwrap_err().message;
        assert!(told.contains(words) && !told.contains("sk-secret-9"), "{status}: {told}");
        // None of these is mended by asking in another form.
        assert_eq!(stub.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_keeps_what_came_and_one_that_is_silent_is_given_up() {
    let cut = Stub::new(|_, _, stream| {
        begin(stream);
        piece(stream, "{\"a\":\"so ");
    });
    let error = ask(&server(&cut, None)).await.0.unwrap_err();
    assert!(error.message.contains("in its middle"), "{}", error.message);
    assert_eq!(error.so_far, "{\"a\":\"so ");
    // What keeps a connection alive is no token.
    let silent = Stub::new(|_, _, stream| {
        begin(stream);
        piece(stream, "{\"a\":");
        for _ in 0..100 {
            thread::sleep(Duration::from_millis(100));
            if stream.write_all(b": ping\n\n").is_err() {
                return;
            }
        }
    });
    let began = Instant::now();
    let error = ask(&server(&silent, None)).await.0.unwrap_err();
    assert!(error.message.contains("gave no word"), "{}", error.message);
    assert_eq!(error.so_far, "{\"a\":");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn slow_is_not_silent() {
    let stub = Stub::new(|_, _, stream| {
        begin(stream);
        for n in 1..=4 {
            event(stream, &json!({"choices": [], "prompt_progress": {"total": 4, "processed": n}}));
            thread::sleep(Duration::from_millis(300));
        }
        for text in ["{", "}", " "] {
            thread::sleep(Duration::from_millis(300));
            piece(stream, text);
        }
        stop(stream, "length");
    });
    let (done, _, reading) = ask(&server(&stub, None)).await;
    assert!(!done.unwrap().complete);
    assert_eq!(reading.len(), 4);
}

#[tokio::test]
async fn a_hostile_stream_ends_in_a_sentence_and_not_in_the_memory() {
    let line = Stub::new(|_, _, stream| {
        begin(stream);
        while stream.write_all(&[b'x'; 65_536]).is_ok() {}
    });
    assert!(ask(&server(&line, None)).await.0.unwrap_err().message.contains("a line without end"));
    let endless = Stub::new(|_, _, stream| {
        begin(stream);
        for _ in 0..100_000 {
            piece(stream, "{\"a\":\"x");
        }
    });
    assert!(ask(&server(&endless, None)).await.0.unwrap_err().message.contains("writes without end"));
    let nonsense = Stub::new(|_, _, stream| {
        begin(stream);
        let _ = stream.write_all(b"data: \xff\xfe{]\n\n");
    });
    assert!(ask(&server(&nonsense, None)).await.0.unwrap_err().message.contains("OpenAI-compatible"));
    let angry = Stub::new(|_, _, stream| {
        begin(stream);
        piece(stream, "{");
        event(stream, &json!({"error": {"message": "CUDA \u{1b}[31mout of memory"}}));
    });
    let told = ask(&server(&angry, None)).await.0.unwrap_err().message;
    assert!(told.contains("out of memory") && !told.contains('\u{1b}'), "{told}");
    let page = Stub::new(|_, _, stream| whole(stream, "200 OK", "text/html", "<html>Welcome</html>"));
    assert!(ask(&server(&page, None)).await.0.unwrap_err().message.contains("OpenAI-compatible"));
}

#[tokio::test]
async fn an_answer_in_one_piece_is_taken_too() {
    let stub = Stub::new(|_, _, stream| {
        let body = json!({"choices": [{"message": {"role": "assistant", "content": "{\"a\":1}"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9, "completion_tokens": 4}});
        whole(stream, "200 OK", "application/json", &body.to_string());
    });
    let done = ask(&server(&stub, None)).await.0.unwrap();
    assert_eq!((done.text.as_str(), done.prompt_tokens), ("{\"a\":1}", 9));
}

#[tokio::test]
async fn evidence_is_not_sent_on_to_where_a_server_redirects() {
    let other = Stub::new(|_, _, stream| whole(stream, "200 OK", "application/json", "{}"));
    let to = format!("{}/v1/chat/completions", other.url);
    let stub = Stub::new(move |_, _, stream| {
        head(stream, "307 Temporary Redirect", &[("Location", &to), ("Content-Length", "0")])
    });
    let told = ask(&server(&stub, Some("sk-1"))).await.0.unwrap_err().message;
    assert!(told.contains("redirects to another address"), "{told}");
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn the_keychain_is_asked_once_and_only_when_something_is_written() {
    let stub = Stub::new(|_, _, stream| {
        let body = json!({"choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}]});
        whole(stream, "200 OK", "application/json", &body.to_string());
    });
    let (chain, asked) = (keyring_core::mock::Store::new().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = asked.clone();
    let keys = Keys::over(move || {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(chain.clone())
    });
    let url = format!("{}/v1", stub.url);
    let place = ServerPlace { url: url.clone(), model: "qwen".to_owned(), context: None, has_key: true };
    let server = Server::with_kept_key(&place, keys.clone(), SOON).unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    // Nothing is sent without the key that belongs to it.
    let told = ask(&server).await.0.unwrap_err().message;
    assert!(told.contains("did not give the key") && told.contains("Unlock it") && stub.seen().is_empty(), "{told}");
    keys.set(&url, "sk-5".to_owned()).await.unwrap();
    let before = asked.load(Ordering::Relaxed);
    for _ in 0..2 {
        ask(&server).await.0.unwrap();
    }
    assert_eq!(asked.load(Ordering::Relaxed), before + 1);
    assert!(stub.seen().iter().all(|request| request.header("authorization") == Some("Bearer sk-5")));
}

#[tokio::test]
async fn nobody_there_is_said_with_what_to_do() {
    let place =
        ServerPlace { url: "http://127.0.0.1:9/v1".to_owned(), model: "m".to_owned(), context: None, has_key: false };
    let server = Server::new(&place, None, SOON).unwrap();
    let told = ask(&server).await.0.unwrap_err().message;
    assert!(told.starts_with("127.0.0.1:9 cannot be reached") && told.contains("Start the inference server"), "{told}");
}

#[tokio::test]
async fn dropping_the_question_closes_the_connection_so_that_the_server_stops() {
    let (closed, is_closed) = std::sync::mpsc::channel();
    let stub = Stub::new(move |_, _, stream| {
        begin(stream);
        for _ in 0..2_000 {
            thread::sleep(Duration::from_millis(5));
            if stream.write_all(b"data: {\"choices\":[{\"delta\":{\"content\":\"{\"}}]}\n\n").is_err() {
                let _ = closed.send(());
                return;
            }
        }
    });
    let server = server(&stub, None);
    let short = tokio::time::timeout(Duration::from_millis(150), ask(&server)).await;
    assert!(short.is_err());
    let wait = tokio::task::spawn_blocking(move || is_closed.recv_timeout(Duration::from_secs(2)));
    wait.await.unwrap().expect("the server was not let go within two seconds");
}

#[tokio::test]
async fn the_list_of_models_tells_the_context_and_whether_the_model_is_there() {
    let list = |body: &'static str| Stub::new(move |_, _, stream| whole(stream, "200 OK", "application/json", body));
    let vllm = list(r#"{"data":[{"id":"qwen","max_model_len":32768},{"id":"other"}]}"#);
    let here = server(&vllm, None);
    assert_eq!(here.context().await.unwrap(), 32_768);
    assert!(here.check().await.unwrap().contains("answers and has qwen"));
    assert_eq!(vllm.seen()[0].line, "GET /v1/models");
    let ollama = list(r#"{"object":"list","data":[{"id":"llama3"}]}"#);
    let told = server(&ollama, None).check().await.unwrap_err().message;
    assert!(told.contains("has no model qwen. It has: llama3."), "{told}");
    // A server that does not tell is assumed to have little room; one without a list can still write.
    assert_eq!(server(&ollama, None).context().await.unwrap(), 4096);
    let bare = Stub::new(|_, _, stream| whole(stream, "404 Not Found", "text/plain", "404"));
    assert_eq!(server(&bare, None).context().await.unwrap(), 4096);
    let hung = Stub::new(|_, _, _| thread::sleep(Duration::from_secs(30)));
    assert!(server(&hung, None).check().await.unwrap_err().message.contains("did not answer within"));
}

/// Against a real server: `AFTERWATCH_TEST_SERVER=http://localhost:8080/v1 AFTERWATCH_TEST_MODEL=name`.
#[tokio::test]
#[ignore = "needs an inference server, named by AFTERWATCH_TEST_SERVER and AFTERWATCH_TEST_MODEL"]
async fn a_real_server_writes_json_of_the_schema() {
    let named = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let place = ServerPlace {
        url: named("AFTERWATCH_TEST_SERVER"),
        model: named("AFTERWATCH_TEST_MODEL"),
        context: None,
        has_key: false,
    };
    let server = Server::new(&place, None, Patience::default()).unwrap();
    assert!(server.context().await.unwrap() >= 256);
    let (done, heard, _) = ask(&server).await;
    let done = done.unwrap();
    assert!(done.text.starts_with('{') && heard.starts_with('{'), "{done:?}");
    assert!(done.generated_tokens > 0 && done.prompt_tokens > 0, "{done:?}");
    if done.complete {
        serde_json::from_str::<serde_json::Value>(&done.text).unwrap();
    }
}
