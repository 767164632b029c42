#!/usr/bin/env python3
"""What a search takes: the server over HTTP, beside SQLite's FTS5 in this process, on the same listings and queries,
while some of them change.

    benches/search.py BINARY [--listings FILE] [--count N] [--queries N] [--changes PER_SECOND]

FILE has a JSON object in each line: `title`, `description`, and perhaps `category`, `price_minor` (those of the tests,
unless named). With --count as many are made from them: words of two mixed, with categories, attributes, prices and places
drawn by a fixed seed. Python 3.9 or later alone.
"""

import argparse
import http.client
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "search/tests/quality/listings.jsonl"
TOWNS = [(52.52, 13.40), (48.86, 2.35), (51.51, -0.13), (40.71, -74.01), (41.90, 12.50)]


class Api:
    """One connection, kept."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host, int(port), timeout=120)
        self.token = None

    def ask(self, method, path, body=None):
        headers = {"content-type": "application/json"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        text = None if body is None else json.dumps(body)
        self.connection.request(method, path, text, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {text[:300]}")
        return json.loads(text) if text else None


def value_of(kind, rng):
    """A value that an attribute of this kind can have; None for a text."""
    if kind["type"] == "choice":
        keys = sorted(kind["of"])
        return [rng.choice(keys)] if kind.get("many") else rng.choice(keys)
    if kind["type"] == "flag":
        return rng.random() < 0.5
    if kind["type"] == "number":
        return rng.randint(kind["min"], kind["max"]) / 10 ** kind.get("decimals", 0)
    return None


def attributes(tree, category, rng):
    line = ["/".join(category.split("/")[: n + 1]) for n in range(category.count("/") + 1)]
    said = {}
    for attribute in (one for name in line for one in tree.get(name, [])):
        value = value_of(attribute["kind"], rng)
        if value is not None:
            said[attribute["key"]] = value
        elif attribute.get("required"):
            said[attribute["key"]] = rng.choice(["Alpha", "Beta", "Gamma", "Delta"])
    return said


def listings(base, count, tree, rng):
    """As many as asked for, as the server takes them."""
    names = sorted(tree)
    for n in range(count or len(base)):
        one = base[n % len(base)]
        title, description = one["title"], one["description"]
        if n >= len(base):
            other = rng.choice(base)
            words = (title + " " + other["title"]).split()
            rng.shuffle(words)
            title = " ".join(words[:7])[:120]
            description = " ".join([description, other["description"]])[:2_000]
        category = one.get("category")
        if category not in tree:
            category = rng.choice(names)
        minor = one.get("price_minor") or one.get("price_cents") or 0
        if n >= len(base) or not minor:
            minor = int(rng.lognormvariate(8.5, 1.2))
        lat, lon = rng.choice(TOWNS)
        yield {
            "title": " ".join(title.split())[:120] or "Thing",
            "description": description[:10_000],
            "price": {"minor": minor, "currency": "EUR"},
            "category": category,
            "attributes": attributes(tree, category, rng),
            "place": {"lat": lat + rng.gauss(0, 0.1), "lon": lon + rng.gauss(0, 0.1)},
        }


def queries(base, count, rng):
    """Two words of a title, within a top category, below a price."""
    found = []
    while len(found) < count:
        words = [word for word in rng.choice(base)["title"].split() if len(word) > 3 and word.isalpha()]
        if len(words) >= 2:
            top = rng.choice(["vehicles", "electronics", "home", "fashion", "family", "leisure"])
            found.append((" ".join(words[:2]).lower(), top, rng.choice([5_000, 20_000, 100_000])))
    return found


def told(name, seconds):
    ms = sorted(second * 1_000 for second in seconds)
    at = lambda share: ms[min(len(ms) - 1, int(len(ms) * share))]
    print(f"{name}: p50 {at(0.5):.1f} ms, p99 {at(0.99):.1f} ms, longest {ms[-1]:.1f} ms, {len(ms)} queries")


def memory(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return {key: int(line.split()[1]) // 1024 for line in status.splitlines()
            for key in ("RssAnon", "RssFile") if line.startswith(key)}


class Fts5:
    """The same in SQLite: words by FTS5 with the porter stemmer, the rest in columns with indexes."""

    def __init__(self, path):
        self.db = sqlite3.connect(path)
        self.db.executescript("""
            PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
            CREATE VIRTUAL TABLE words USING fts5(title, description, tokenize = 'porter unicode61 remove_diacritics 2');
            CREATE TABLE listings (id INTEGER PRIMARY KEY, category TEXT, minor INTEGER, condition TEXT);
            CREATE INDEX by_category ON listings (category);
        """)

    def fill(self, all_of_them):
        with self.db:
            for n, one in enumerate(all_of_them, 1):
                self.db.execute("INSERT INTO words (rowid, title, description) VALUES (?, ?, ?)",
                                (n, one["title"], one["description"]))
                self.db.execute("INSERT INTO listings VALUES (?, ?, ?, ?)",
                                (n, one["category"], one["price"]["minor"], one.get("condition")))

    def search(self, text, top, most):
        match = " AND ".join(f'"{word}"' for word in text.split())
        where = ("FROM words JOIN listings ON listings.id = words.rowid WHERE words MATCH ? "
                 "AND (category = ? OR category LIKE ? || '/%') AND minor <= ?")
        values = (match, top, top, most)
        page = self.db.execute(f"SELECT words.rowid {where} ORDER BY bm25(words, 4, 1), words.rowid DESC LIMIT 20", values)
        page = page.fetchall()
        total = self.db.execute(f"SELECT count(*) {where}", values).fetchone()
        facet = self.db.execute(f"SELECT category, count(*) {where} GROUP BY category", values).fetchall()
        return page, total, facet

    def change(self, n, minor):
        with self.db:
            self.db.execute("UPDATE listings SET minor = ? WHERE id = ?", (minor, n))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("binary")
    parser.add_argument("--listings", type=Path, default=FIXTURES)
    parser.add_argument("--count", type=int)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--changes", type=int, default=100)
    given = parser.parse_args()
    base = [json.loads(line) for line in given.listings.read_text().split("\n") if line.strip()]
    rng = random.Random(1)
    with tempfile.TemporaryDirectory(prefix="barterline-") as directory:
        data = f"{directory}/data"
        server = subprocess.Popen(
            [given.binary, "serve", "--data", data, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"],
            env={**os.environ, "BARTERLINE_LIMITS__ENABLED": "false", "BARTERLINE_LOG__LEVEL": "warn"},
            stdout=subprocess.PIPE, text=True)
        try:
            run(given, base, rng, directory, data, server)
        finally:
            server.terminate()
            server.wait()


def run(given, base, rng, directory, data, server):
    address = json.loads(server.stdout.readline())["listening"]
    api = Api(address)
    tree = {one["id"]: one.get("attributes", []) for one in api.ask("GET", "/v1/catalogue")["categories"]}
    seller = {"email": "seller@example.org", "password": "a seller's long password", "name": "Seller"}
    seller_id = api.ask("POST", "/v1/accounts", seller)["id"]
    # A token is good for minutes, and a million listings take longer.
    log_in = lambda api: api.ask("POST", "/v1/sessions", seller)["access_token"]
    api.token = log_in(api)
    file = Path(directory, "listings.jsonl")
    count = 0
    with file.open("w") as lines:
        for one in listings(base, given.count, tree, rng):
            lines.write(json.dumps(one) + "\n")
            count += 1
    print(f"{count} listings, {file.stat().st_size / 1e6:.0f} MB of JSON; idle {memory(server.pid)} MB")

    command = lambda *words: subprocess.run([given.binary, *words, "--data", data], check=True,
                                            capture_output=True, text=True).stdout
    begun = time.monotonic()
    said = subprocess.run([given.binary, "listings", "import", str(file), "--seller", seller_id, "--data", data],
                          capture_output=True, text=True)
    imported = time.monotonic() - begun
    # A corpus may have what no listing is.
    last = (said.stdout + said.stderr).strip().splitlines()[-1]
    print(last)
    count = int(last.split("put up for sale: ")[1].split(";")[0])
    while json.loads(command("search", "status"))["documents"] < count:
        time.sleep(0.2)
    print(f"put up in {imported:.1f} s ({count / imported:.0f}/s), all found {time.monotonic() - begun - imported:.1f} s later")
    begun = time.monotonic()
    command("search", "rebuild")
    rebuilt, state = time.monotonic() - begun, json.loads(command("search", "status"))
    print(f"index made anew in {rebuilt:.1f} s ({count / rebuilt:.0f}/s), {state['bytes'] / 1e6:.1f} MB, {memory(server.pid)} MB")

    fts5 = Fts5(f"{directory}/fts5.db")
    begun = time.monotonic()
    fts5.fill(json.loads(line) for line in file.open())
    filled = time.monotonic() - begun
    size = sum(Path(f"{directory}/fts5.db{end}").stat().st_size for end in ("", "-wal"))
    print(f"FTS5 filled in {filled:.1f} s ({count / filled:.0f}/s), {size / 1e6:.1f} MB with texts and columns")

    asked = queries(base, given.queries, rng)
    # The server ends a connection that says nothing for long.
    api = Api(address)
    # Not in the figures: files into memory.
    for text, top, most in asked[:50]:
        search(api, text, top, most)
        fts5.search(text, top, most)
    for what, changes in (("at rest", 0), (f"beside {given.changes} changes/s", given.changes)):
        ours, theirs, stop, changed = [], [], threading.Event(), [0]
        thread = threading.Thread(target=change, args=(address, log_in(Api(address)), seller_id, changes, stop, changed))
        thread.start()
        begun = time.monotonic()
        for n, (text, top, most) in enumerate(asked):
            at = time.perf_counter()
            search(api, text, top, most)
            ours.append(time.perf_counter() - at)
            if changes:
                for one in range(max(1, round(changes * ours[-1]))):
                    fts5.change(rng.randrange(count) + 1, rng.randrange(100_000))
            at = time.perf_counter()
            fts5.search(text, top, most)
            theirs.append(time.perf_counter() - at)
        seconds = time.monotonic() - begun
        stop.set()
        thread.join()
        print(f"{what} ({changed[0] / seconds:.0f}/s in fact):")
        if changes and not changed[0]:
            raise SystemExit("nothing was changed")
        told("  Barterline over HTTP, with facets and listings", ours)
        told("  FTS5 in the process, ids, total and one facet", theirs)
    print(f"in the end {memory(server.pid)} MB")


def search(api, text, top, most):
    asked = {"text": text, "category": top, "currency": "EUR", "price_max": most, "facets": "true", "limit": 20}
    return api.ask("GET", "/v1/listings?" + urlencode(asked))


def change(address, token, seller, per_second, stop, changed):
    if not per_second:
        return
    api = Api(address)
    api.token = token
    page = api.ask("GET", f"/v1/accounts/{seller}/listings?limit=100")["listings"]
    begun = time.monotonic()
    while not stop.is_set():
        one = page[changed[0] % len(page)]
        price = {"minor": 1_000 + changed[0], "currency": "EUR"}
        api.ask("PATCH", f"/v1/listings/{one['id']}", {"price": price})
        changed[0] += 1
        stop.wait(max(0, begun + changed[0] / per_second - time.monotonic()))


if __name__ == "__main__":
    sys.exit(main())
