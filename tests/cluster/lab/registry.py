#!/usr/bin/env python3
"""A read-only image registry over an OCI layout, standing in for every public one: registry.py LAYOUT [PORT]

It answers as public registries do, so that pull failures carry their real texts:
an unknown repository of docker.io: access denied, after a token round trip; an unknown tag: not found;
any repository under ratelimited/: 429 toomanyrequests; under slow/<name>: library/<name>, 20 s late.
It also answers every name query on UDP port 53 of the loopback address with "no such name", since no
outside network is there: a pull from a host nobody knows then fails as it would at home.
"""
import json, os, shutil, socket, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

LAYOUT, PORT = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5000


def index():  # read anew for every request: images may be added while it runs
    try:
        with open(os.path.join(LAYOUT, "index.json")) as f:
            manifests = json.load(f)["manifests"]
    except FileNotFoundError:
        manifests = []
    return {m["annotations"]["org.opencontainers.image.ref.name"]: m for m in manifests}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def error(self, status, code, message, header=None):
        self.reply(status, json.dumps({"errors": [{"code": code, "message": message}]}).encode(), extra=header)

    def reply(self, status, body, kind="application/json", extra=None, digest=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        whole = isinstance(body, bytes)
        self.send_header("Content-Length", str(len(body) if whole else os.fstat(body.fileno()).st_size))
        if digest:
            self.send_header("Docker-Content-Digest", digest)
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body) if whole else shutil.copyfileobj(body, self.wfile)

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/token":
            return self.reply(200, b'{"token":"anonymous","expires_in":300}')
        if url.path == "/v2/":
            return self.reply(200, b"{}")
        parts = url.path.split("/")  # '', v2, name..., manifests|blobs, reference
        if len(parts) < 5 or parts[1] != "v2" or parts[-2] not in ("manifests", "blobs"):
            return self.error(404, "UNSUPPORTED", "not found")
        host = parse_qs(url.query).get("ns", ["docker.io"])[0]
        name, what, ref = "/".join(parts[2:-2]), parts[-2], parts[-1]
        if name.startswith("ratelimited/"):
            return self.error(429, "TOOMANYREQUESTS", "You have reached your unauthenticated pull rate limit.")
        if name.startswith("slow/"):
            name = "library/" + name[5:]
            if what == "manifests" and not ref.startswith("sha256:"):
                time.sleep(20)
        known = index()
        if what == "manifests":
            repository = f"{host}/{name}"
            if not any(n.rsplit(":", 1)[0] == repository for n in known):
                if host != "docker.io":
                    return self.error(404, "NAME_UNKNOWN", "repository name not known to registry")
                scope = f"repository:{name}:pull"
                refused = "" if "Authorization" not in self.headers else ',error="insufficient_scope"'
                challenge = f'Bearer realm="http://127.0.0.1:{PORT}/token",service="lab",scope="{scope}"{refused}'
                return self.error(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": challenge})
            entry = known.get(f"{repository}:{ref}") or next((m for m in known.values() if m["digest"] == ref), None)
            if not entry:
                return self.error(404, "MANIFEST_UNKNOWN", "manifest unknown")
            ref, kind = entry["digest"], entry["mediaType"]
        else:
            kind = "application/octet-stream"
        path = os.path.join(LAYOUT, "blobs", "sha256", os.path.basename(ref.removeprefix("sha256:")))
        if not os.path.exists(path):
            return self.error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        with open(path, "rb") as f:
            self.reply(200, f, kind, digest=ref)

    do_HEAD = do_GET


def no_such_name():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    while True:
        query, client = server.recvfrom(512)
        # The header with "response, recursion available, NXDOMAIN", one question, and that question again.
        end = 12
        while end < len(query) and query[end]:
            end += 1 + query[end]
        server.sendto(query[:2] + b"\x81\x83\x00\x01\x00\x00\x00\x00\x00\x00" + query[12:end + 5], client)


if __name__ == "__main__":
    if os.geteuid() == 0:
        threading.Thread(target=no_such_name, daemon=True).start()
    ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
