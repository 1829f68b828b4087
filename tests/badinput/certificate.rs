//! Certificates: the wrong authority, the wrong name, out of date.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};
use serde_json::{Value, json};

use crate::{
    afterwatch::Home,
    server::{Server, kubeconfig},
};

/// An authority, and what it signs.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
struct Signed {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn server(&self, names: &[&str]) -> Signed {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.0).unwrap();
        Signed { certificate, key }
    }

    /// A client's certificate that ended years ago.
    fn expired_client(&self) -> Signed {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "mara");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Signed { certificate, key }
    }

    /// As `certificate-authority-data` has it.
    fn data(&self) -> String {
        base64(self.0.pem().as_bytes())
    }
}

impl Signed {
    fn serve(&self, clients: Option<&Authority>) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.0.der().clone()).unwrap();
                builder.with_client_cert_verifier(
                    WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build().unwrap(),
                )
            }
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        builder.with_single_cert(vec![self.certificate.der().clone()], key).unwrap()
    }
}

fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let sign = SIGNS[(n >> (18 - 6 * i)) as usize & 63] as char;
            out.push(if i <= chunk.len() { sign } else { '=' });
        }
    }
    out
}

fn token() -> Value {
    json!({ "token": "stub-token" })
}

#[test]
fn the_right_authority_and_name_are_accepted() {
    let ca = Authority::new("cluster-ca");
    let server = Server::tls(ca.server(&["127.0.0.1", "kubernetes"]).serve(None), |_| None);
    let home = Home::with_kubeconfig(&kubeconfig(
        json!({ "server": server.url(), "certificate-authority-data": ca.data(), "tls-server-name": "kubernetes" }),
        token(),
    ));
    let ended = home.run(&["scan", "-o", "json"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn a_server_of_another_authority_is_not_trusted() {
    let (ca, other) = (Authority::new("cluster-ca"), Authority::new("somebody-else"));
    let server = Server::tls(other.server(&["127.0.0.1"]).serve(None), |_| None);
    let config = kubeconfig(json!({ "server": server.url(), "certificate-authority-data": ca.data() }), token());
    let ended = Home::with_kubeconfig(&config).run(&["scan"]);
    ended.told(1, &["stub", "certificate", "certificate-authority"]);
}

#[test]
fn a_certificate_for_another_name_is_told_with_tls_server_name() {
    let ca = Authority::new("cluster-ca");
    let server = Server::tls(ca.server(&["kubernetes"]).serve(None), |_| None);
    let cluster = json!({ "server": server.url(), "certificate-authority-data": ca.data(), "tls-server-name": "api.example.com" });
    let ended = Home::with_kubeconfig(&kubeconfig(cluster, token())).run(&["scan"]);
    ended.told(1, &["stub", "certificate", "tls-server-name"]);
}

#[test]
fn what_is_no_certificate_is_told_before_anything_is_contacted() {
    let server = Server::usual();
    let cluster = json!({ "server": server.url().replace("http:", "https:"), "certificate-authority-data": base64(b"not a certificate") });
    let ended = Home::with_kubeconfig(&kubeconfig(cluster, token())).run(&["scan"]);
    ended.told(1, &["stub", "certificate"]);
}

#[test]
fn an_expired_client_certificate_asks_for_a_login() {
    let ca = Authority::new("cluster-ca");
    let server = Server::tls(ca.server(&["127.0.0.1"]).serve(Some(&ca)), |_| None);
    let client = ca.expired_client();
    let user = json!({
        "client-certificate-data": base64(client.certificate.pem().as_bytes()),
        "client-key-data": base64(client.key.serialize_pem().as_bytes()),
    });
    let cluster = json!({ "server": server.url(), "certificate-authority-data": ca.data() });
    let ended = Home::with_kubeconfig(&kubeconfig(cluster, user)).run(&["scan"]);
    ended.told(1, &["stub", "certificate", "expired", "2021"]);
    assert!(!ended.stderr.contains("BEGIN"), "key material must not be shown: {}", ended.stderr);
}

#[test]
fn plain_http_behind_an_https_address_is_told() {
    let server = Server::usual();
    let cluster = json!({ "server": server.url().replace("http:", "https:"), "insecure-skip-tls-verify": true });
    let ended = Home::with_kubeconfig(&kubeconfig(cluster, token())).run(&["scan"]);
    ended.told(1, &["stub"]);
}
