//! TLS: whose certificate is refused, by whom, and what to do; and proxies.

use std::{sync::Arc, time::Duration};

use afterwatch_cluster::Limits;
use afterwatch_core::{
    observation::{Connection, Fact},
    port::Cluster,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpListener};
use tokio_rustls::{TlsAcceptor, rustls};

use crate::support::{Config, Memory, Stub, limits};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Authority {
        let mut parameters = CertificateParams::new(Vec::<String>::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem_base64(&self) -> String {
        base64(&self.0.pem())
    }

    /// Certificate and key, valid until this year.
    fn issue(&self, names: &[&str], until: i32) -> (rcgen::Certificate, KeyPair) {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        (parameters.signed_by(&key, &self.0).unwrap(), key)
    }
}

fn base64(text: &str) -> String {
    use ::base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.encode(text)
}

/// A TLS server in front of a healthy stub.
async fn tls_server(stub: &Stub, certificate: rcgen::Certificate, key: KeyPair) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let behind = stub.address.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            tokio::spawn(async move {
                let Ok(mut front) = acceptor.accept(stream).await else { return };
                let Ok(mut back) = tokio::net::TcpStream::connect(behind).await else { return };
                let _ = tokio::io::copy_bidirectional(&mut front, &mut back).await;
            });
        }
    });
    port
}

async fn state(cluster: Value, user: Value) -> Connection {
    let memory = Memory::default();
    Config::with_cluster(cluster, user).cluster().scan(memory.sink()).await;
    let mut states = memory.facts().into_iter().filter_map(|f| match f {
        Fact::Connection(state) => Some(state),
        _ => None,
    });
    states.next_back().unwrap()
}

fn misconfigured(state: Connection) -> (String, String) {
    match state {
        Connection::Misconfigured { message, hint } => (message, hint),
        other => panic!("{other:?}"),
    }
}

fn unreachable(state: Connection) -> (String, String) {
    match state {
        Connection::Unreachable { message, hint } => (message, hint),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_certificate_of_the_right_authority_is_accepted_and_of_another_named_as_such() {
    let stub = Stub::start(|_| None).await;
    let authority = Authority::new();
    let (certificate, key) = authority.issue(&["127.0.0.1"], 2100);
    let server = format!("https://127.0.0.1:{}", tls_server(&stub, certificate, key).await);
    let right = json!({"server": server, "certificate-authority-data": authority.pem_base64()});
    assert!(matches!(state(right, json!({})).await, Connection::Connected { .. }));
    let wrong = json!({"server": server, "certificate-authority-data": Authority::new().pem_base64()});
    let (message, hint) = misconfigured(state(wrong, json!({})).await);
    assert!(message.contains("signed by an authority that is not trusted"), "{message}");
    assert!(hint.contains("certificate-authority"), "{hint}");
    let any = json!({"server": server, "insecure-skip-tls-verify": true});
    assert!(matches!(state(any, json!({})).await, Connection::Connected { .. }));
}

#[tokio::test]
async fn base64_that_is_wrapped_is_read_as_kubectl_reads_it() {
    let wrap = |text: String| -> String {
        let bytes: Vec<char> = text.chars().collect();
        bytes.chunks(76).flat_map(|line| line.iter().copied().chain(['\r', '\n'])).collect()
    };
    let stub = Stub::start(|_| None).await;
    let authority = Authority::new();
    let (certificate, key) = authority.issue(&["127.0.0.1"], 2100);
    let server = format!("https://127.0.0.1:{}", tls_server(&stub, certificate, key).await);
    let (mine, my_key) = authority.issue(&["me"], 2100);
    let user = json!({
        "client-certificate-data": wrap(base64(&mine.pem())),
        "client-key-data": wrap(base64(&my_key.serialize_pem())),
    });
    let cluster = json!({"server": server, "certificate-authority-data": wrap(authority.pem_base64())});
    let state = state(cluster, user).await;
    assert!(matches!(state, Connection::Connected { .. }), "{state:?}");
}

#[tokio::test]
async fn a_foreign_certificate_in_between_is_trouble_that_may_pass() {
    let stub = Stub::start(|_| None).await;
    let authority = Authority::new();
    let (certificate, key) = Authority::new().issue(&["127.0.0.1"], 2100);
    let port = tls_server(&stub, certificate, key).await;
    let cluster =
        json!({"server": format!("https://127.0.0.1:{port}"), "certificate-authority-data": authority.pem_base64()});
    let memory = Memory::default();
    let limits = Limits { refused: Duration::from_millis(200), ..limits() };
    let handle = Config::with_cluster(cluster, json!({})).cluster().with_limits(limits).watch(memory.sink());
    memory.until(|f| matches!(f, Fact::Connection(Connection::Misconfigured { .. })).then_some(())).await;
    let asked = handle.metrics().requests;
    for _ in 0..50 {
        if handle.metrics().requests > asked {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("never tried again");
}

#[tokio::test]
async fn a_certificate_for_another_name_points_at_tls_server_name_which_helps() {
    let stub = Stub::start(|_| None).await;
    let authority = Authority::new();
    let (certificate, key) = authority.issue(&["kubernetes.internal"], 2100);
    let server = format!("https://127.0.0.1:{}", tls_server(&stub, certificate, key).await);
    let mut cluster = json!({"server": server, "certificate-authority-data": authority.pem_base64()});
    let (message, hint) = misconfigured(state(cluster.clone(), json!({})).await);
    assert!(message.contains("for another name"), "{message}");
    assert!(hint.contains("tls-server-name"), "{hint}");
    cluster["tls-server-name"] = "kubernetes.internal".into();
    assert!(matches!(state(cluster, json!({})).await, Connection::Connected { .. }));
}

#[tokio::test]
async fn an_expired_server_certificate_is_said_to_be_expired() {
    let stub = Stub::start(|_| None).await;
    let authority = Authority::new();
    let (certificate, key) = authority.issue(&["127.0.0.1"], 2021);
    let server = format!("https://127.0.0.1:{}", tls_server(&stub, certificate, key).await);
    let cluster = json!({"server": server, "certificate-authority-data": authority.pem_base64()});
    let (message, _) = unreachable(state(cluster, json!({})).await);
    assert!(message.contains("has expired"), "{message}");
}

#[tokio::test]
async fn an_expired_client_certificate_is_said_to_be_expired_before_anything_is_sent() {
    let stub = Stub::start(|_| None).await;
    let (certificate, key) = Authority::new().issue(&["me"], 2021);
    let user =
        json!({"client-certificate-data": base64(&certificate.pem()), "client-key-data": base64(&key.serialize_pem())});
    match state(json!({"server": stub.address}), user).await {
        Connection::LoginNeeded { message, hint } => {
            assert!(message.contains("`u` expired on 2021-01-01"), "{message}");
            assert!(hint.contains("kubeconfig"), "{hint}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(stub.count(|_| true), 0);
}

#[tokio::test]
async fn broken_authorities_keys_and_addresses_are_the_kubeconfigs_fault() {
    let server = "https://127.0.0.1:1";
    let (message, _) =
        misconfigured(state(json!({"server": server, "certificate-authority-data": "%%%"}), json!({})).await);
    assert!(message.contains("base64 is broken"), "{message}");
    let (message, _) =
        misconfigured(state(json!({"server": server, "certificate-authority": "gone.crt"}), json!({})).await);
    assert!(message.contains("gone.crt"), "{message}");
    let (message, _) =
        misconfigured(state(json!({"server": server, "certificate-authority-data": base64("words")}), json!({})).await);
    assert!(message.contains("no certificate in it"), "{message}");
    let user = json!({"client-certificate-data": base64("x"), "client-key-data": base64("planted-key")});
    let (message, _) = misconfigured(state(json!({"server": server}), user).await);
    assert!(message.contains("user `u` cannot be used") && !message.contains("planted-key"), "{message}");
    let (message, _) = misconfigured(state(json!({"server": "ftp://x"}), json!({})).await);
    assert!(message.contains("https://"), "{message}");
    let (message, hint) =
        misconfigured(state(json!({"server": server}), json!({"auth-provider": {"name": "azure"}})).await);
    assert!(message.contains("azure") && hint.contains("kubelogin"), "{message} {hint}");
}

#[tokio::test]
async fn plain_http_behind_an_https_address_is_told_apart_from_a_dead_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 1024]).await;
        }
    });
    let (message, hint) = unreachable(state(json!({"server": server}), json!({})).await);
    assert!(message.contains("does not speak the protocol"), "{message}");
    assert!(hint.contains("http or https"), "{hint}");
}

#[tokio::test]
async fn a_proxy_is_used_and_one_that_refuses_is_named_without_its_password() {
    let stub = Stub::start(|_| None).await;
    let proxy = |answer: &'static str, onward: bool| async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut front, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let Ok(byte) = tokio::io::AsyncReadExt::read_u8(&mut front).await else { return };
                        head.push(byte);
                    }
                    let head = String::from_utf8_lossy(&head).into_owned();
                    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
                    let _ = front.write_all(answer.as_bytes()).await;
                    if onward && let Ok(mut back) = tokio::net::TcpStream::connect(target).await {
                        let _ = tokio::io::copy_bidirectional(&mut front, &mut back).await;
                    }
                });
            }
        });
        port
    };
    let good = proxy("HTTP/1.1 200 OK\r\n\r\n", true).await;
    let cluster = json!({"server": stub.address, "proxy-url": format!("http://127.0.0.1:{good}")});
    assert!(matches!(state(cluster, json!({})).await, Connection::Connected { .. }));
    for (answer, words) in [
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "did not let the connection"),
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "wants a login"),
    ] {
        let port = proxy(answer, false).await;
        let cluster =
            json!({"server": stub.address, "proxy-url": format!("http://me:planted-password@127.0.0.1:{port}")});
        let (message, _) = unreachable(state(cluster, json!({})).await);
        assert!(message.contains(words), "{message}");
        assert!(!message.contains("planted-password"), "{message}");
    }
    let cluster = json!({"server": stub.address, "proxy-url": "socks5h://127.0.0.1:1"});
    let (message, _) = unreachable(state(cluster, json!({})).await);
    assert!(message.contains("proxy"), "{message}");
}
