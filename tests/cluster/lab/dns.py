#!/usr/bin/env python3
"""Cluster DNS in little: dns.py ADDRESS API PKI NODE

Answers NAME.NAMESPACE.svc.cluster.local with the Service's address, which it asks the API server for
(with the node's certificate: nodes may read Services), and every other name with "no such name".
"""
import http.client, json, socket, ssl, sys, threading
from urllib.parse import urlsplit

ADDRESS, API, PKI, NODE = sys.argv[1:5]
TLS = ssl.create_default_context(cafile=f"{PKI}/ca.crt")
TLS.load_cert_chain(f"{PKI}/{NODE}.crt", f"{PKI}/{NODE}.key")
FOUND, FAILED, NO_SUCH_NAME = 0, 2, 3
A = 1


def lookup(name):  # (code, address or None)
    parts = name.lower().rstrip(".").split(".")
    if len(parts) != 5 or parts[2:] != ["svc", "cluster", "local"]:
        return NO_SUCH_NAME, None
    at = urlsplit(API)
    connection = http.client.HTTPSConnection(at.hostname, at.port, context=TLS, timeout=3)
    try:
        connection.request("GET", f"/api/v1/namespaces/{parts[1]}/services/{parts[0]}")
        answer = connection.getresponse()
        if answer.status == 404:
            return NO_SUCH_NAME, None
        address = json.load(answer)["spec"].get("clusterIP", "None")
        return FOUND, None if address == "None" else address
    except (OSError, KeyError, ValueError) as why:
        print(name, why, flush=True)
        return FAILED, None
    finally:
        connection.close()


def answer(query, client):
    labels, at = [], 12
    while at < len(query) and query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("ascii", "replace"))
        at += 1 + query[at]
    question = query[12:at + 5]
    code, address = lookup(".".join(labels))
    known = address is not None and int.from_bytes(query[at + 1:at + 3], "big") == A
    header = query[:2] + bytes([0x81, 0x80 | code]) + b"\0\1" + bytes([0, int(known)]) + b"\0\0\0\0"
    record = b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4" + socket.inet_aton(address) if known else b""
    server.sendto(header + question + record, client)


server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((ADDRESS, 53))
while True:
    threading.Thread(target=answer, args=server.recvfrom(512), daemon=True).start()
