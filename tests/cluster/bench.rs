//! The figures of the README: how long from the API server accepting a bad state to the incident being
//! recorded, and what the recorder costs beside many pods. Nodes are pretended, so pods are many and idle;
//! the bad states are written into pod statuses as a kubelet would write them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::kubectl::Kubectl;
use crate::product::Product;

const PROBES: usize = 30;

pub fn run(kubectl: &Kubectl, product: &Product, sizes: &[usize]) -> Result<()> {
    println!(
        "{:>7} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "pods", "sync CPU s", "idle CPU %", "RSS MiB", "peak MiB", "p50 ms", "p95 ms"
    );
    for (round, size) in sizes.iter().enumerate() {
        fill(kubectl, *size)?;
        let namespace = format!("probes-{round}");
        probes(kubectl, &namespace)?;
        let product = Product { database: product.out.join(format!("bench-{size}.db")), ..product.clone() };
        let watch = product.watch()?;
        let pid = watch.id();
        sleep(Duration::from_secs(15));
        let synced = cpu_seconds(pid)?;
        sleep(Duration::from_secs(30));
        let idle = (cpu_seconds(pid)? - synced) / 30.0 * 100.0;
        let mut took = latencies(kubectl, &namespace, &product.out.join("watch.jsonl"))?;
        took.sort();
        let at = |share: f64| took[((took.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1000.0;
        println!(
            "{size:>7} {synced:>10.1} {idle:>10.1} {:>10.0} {:>10.0} {:>10.0} {:>10.0}",
            memory(pid, "VmRSS")?,
            memory(pid, "VmHWM")?,
            at(0.5),
            at(0.95)
        );
        let result = watch.interrupt()?;
        println!("        {}", result["metrics"]);
        kubectl.run("default", &["delete", "namespace", &namespace, "--wait=false"], None)?;
    }
    println!("(latency: from the API server's answer to the changed pod status to the incident's line on stdout,");
    println!(" hold times already over; CPU of one core; {PROBES} faults per size)");
    Ok(())
}

/// Brings the cluster to so many healthy pods, a hundred to a Deployment.
fn fill(kubectl: &Kubectl, size: usize) -> Result<()> {
    let namespace = "crowd";
    if kubectl.run("default", &["get", "namespace", namespace], None).is_err() {
        kubectl.fresh_namespace(namespace)?;
    }
    let manifests: Vec<String> = (0..size / 100).map(|i| deployment(&format!("crowd-{i}"), 100)).collect();
    kubectl.run(namespace, &["apply", "-f", "-"], Some(&manifests.join("\n---\n")))?;
    let end = Instant::now() + Duration::from_secs(1200);
    loop {
        let ready =
            kubectl.run(namespace, &["get", "deployments", "-o", "jsonpath={.items[*].status.readyReplicas}"], None)?;
        let ready: usize = ready.split_whitespace().filter_map(|count| count.parse::<usize>().ok()).sum();
        if ready >= size {
            return Ok(());
        }
        ensure!(Instant::now() < end, "only {ready} of {size} pods became ready");
        sleep(Duration::from_secs(3));
    }
}

fn probes(kubectl: &Kubectl, namespace: &str) -> Result<()> {
    kubectl.fresh_namespace(namespace)?;
    let manifests: Vec<String> = (0..PROBES).map(|i| deployment(&format!("probe-{i:02}"), 1)).collect();
    kubectl.run(namespace, &["apply", "-f", "-"], Some(&manifests.join("\n---\n")))?;
    kubectl.run(namespace, &["wait", "--for=condition=Available", "deployment", "--all", "--timeout=120s"], None)?;
    Ok(())
}

fn deployment(name: &str, replicas: usize) -> String {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": "registry.example.com/team/app:1.4.2",
                    "env": [{"name": "MODE", "value": "production"}], "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}}}]},
            },
        },
    })
    .to_string()
}

/// Breaks one probe after the other and waits for each one's incident.
fn latencies(kubectl: &Kubectl, namespace: &str, lines: &Path) -> Result<Vec<Duration>> {
    let pods = kubectl.run(namespace, &["get", "pods", "-o", "jsonpath={.items[*].metadata.name}"], None)?;
    let mut proxy = Command::new(&kubectl.program)
        .args(["--kubeconfig", &kubectl.kubeconfig, "proxy", "--port=0"])
        .stdout(Stdio::piped())
        .spawn()?;
    let outcome = (|| {
        let mut greeting = [0u8; 64];
        let read = proxy.stdout.as_mut().context("no stdout")?.read(&mut greeting)?;
        let greeting = String::from_utf8_lossy(&greeting[..read]).into_owned();
        let address = greeting.trim().rsplit(' ').next().context("kubectl proxy named no port")?.to_owned();
        pods.split_whitespace().map(|pod| latency(&address, namespace, pod, lines)).collect()
    })();
    proxy.kill()?;
    proxy.wait()?;
    outcome
}

fn latency(address: &str, namespace: &str, pod: &str, lines: &Path) -> Result<Duration> {
    // The workload's name without the two hashes of ReplicaSet and pod.
    let owner = pod.rsplitn(3, '-').last().unwrap_or(pod).to_owned();
    let long_ago = (jiff::Timestamp::now() - jiff::SignedDuration::from_secs(120)).to_string();
    let condition = |kind: &str| json!({"type": kind, "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": long_ago});
    let image = "registry.example.com/team/app:1.4.2";
    let status = json!({"status": {
        "conditions": [condition("Ready"), condition("ContainersReady")],
        "containerStatuses": [{"name": "app", "image": image, "imageID": "", "ready": false, "restartCount": 0, "started": false,
            "state": {"waiting": {"reason": "ImagePullBackOff", "message":
                format!("Back-off pulling image \"{image}\": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image \"{image}\": not found")}}}],
    }})
    .to_string();
    let mut connection = TcpStream::connect(address)?;
    write!(
        connection,
        "PATCH /api/v1/namespaces/{namespace}/pods/{pod}/status HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/strategic-merge-patch+json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{status}",
        status.len()
    )?;
    let mut head = [0u8; 15];
    connection.read_exact(&mut head)?;
    let accepted = Instant::now();
    ensure!(head.ends_with(b" 200 OK"), "the API server refused: {}", String::from_utf8_lossy(&head));
    loop {
        let text = std::fs::read_to_string(lines)?;
        let found = text.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok()).any(|line| {
            let subject = &line["incident"]["subject"];
            line["type"] == "incident" && subject["namespace"] == namespace && subject["name"] == owner.as_str()
        });
        if found {
            return Ok(accepted.elapsed());
        }
        if accepted.elapsed() > Duration::from_secs(60) {
            bail!("{owner} was broken for 60 s and no incident came");
        }
        sleep(Duration::from_millis(5));
    }
}

fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("the watch is gone")?;
    let after_name: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |i: usize| after_name.get(i).and_then(|word| word.parse::<f64>().ok()).unwrap_or_default();
    Ok((ticks(11) + ticks(12)) / 100.0) // utime and stime, in Linux's fixed hundredths
}

fn memory(pid: u32, field: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("the watch is gone")?;
    let line = status.lines().find(|line| line.starts_with(field)).unwrap_or_default();
    Ok(line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() / 1024.0)
}
