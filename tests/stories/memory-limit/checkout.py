"""The program that the story is about: it answers, and fills a price cache that needs some 240 MiB."""
import http.server
import os
import sys
import threading
import time

limit = int(os.environ["MEMORY_LIMIT"]) >> 20
cache = []


def log(level, message, **fields):
    words = "".join(f" {k}={v}" for k, v in fields.items())
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    print(f'time={stamp} level={level} msg="{message}"{words}', file=sys.stdout, flush=True)


def heap():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) >> 10 for line in status if line.startswith("RssAnon"))


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


log("info", "starting checkout", version=os.environ["APP_VERSION"], workers=4)
server = http.server.ThreadingHTTPServer(("", 8080), Answer)
threading.Thread(target=server.serve_forever, daemon=True).start()
log("info", "connected to postgres", host="checkout-db.shop.svc:5432", pool=20)
log("info", "listening", port=8080)
log("info", "filling the price cache", products=48210)
order = int(time.time()) % 90000
for step in range(1, 31):
    cache.append(bytearray(os.urandom(1 << 20) * 8))
    time.sleep(1.4)
    if step % 3 == 0:
        log("info", "price cache", loaded=step * 1607, heap=f"{heap()}MiB")
    if step % 4 == 0:
        order += 7
        log("info", "order accepted", order=f"A-{order}", items=1 + order % 5, took=f"{30 + order % 40}ms")
    if heap() > limit * 0.85:
        log("warn", "heap is close to the container's memory limit", heap=f"{heap()}MiB", limit=f"{limit}MiB")
log("info", "price cache is complete", products=48210, heap=f"{heap()}MiB")
while True:
    time.sleep(20)
    order += 7
    log("info", "order accepted", order=f"A-{order}", items=1 + order % 5, took=f"{30 + order % 40}ms")
