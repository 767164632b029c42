"""Holds a real server against its own document (OpenAPI): random requests, sound and unsound, of
which every answer has to be one that is documented, and none a failure.

    python check.py BINARY

Needs schemathesis (requirements.txt). Each run makes the same requests, as far as the answers are the same.
"""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
# Of each operation, beside those that follow from the bounds of its fields.
EXAMPLES = "40"
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
]
PASSWORD = "a long password"
# The smallest picture.
PIXEL = bytes.fromhex(
    "47494638396101000100800000000000ffffff2c00000000010001000002024401003b"
)


def settings(data):
    """Limits as wide as they go, so that they are told and not met; mail as files."""
    names = [
        *("REQUESTS_PER_MINUTE", "REQUESTS_BURST", "LOG_INS_PER_MINUTE", "LOG_INS_BURST"),
        *("REGISTRATIONS_PER_HOUR", "REGISTRATIONS_BURST", "REFRESHES_PER_MINUTE"),
        *("REFRESHES_BURST", "MAIL_REQUESTS_PER_HOUR", "MAIL_REQUESTS_BURST", "USER_PER_MINUTE"),
        *("DOWNLOADS_PER_MINUTE", "DOWNLOADS_BURST", "USER_BURST", "CHAT_PER_MINUTE"),
        *("CHAT_BURST", "NEW_CHATS_PER_HOUR", "NEW_CHATS_BURST"),
    ]
    chosen = {f"BARTERLINE_LIMITS__{name}": "10000000" for name in names}
    chosen["BARTERLINE_MEDIA__UPLOADS_PER_HOUR"] = "100000"
    chosen["BARTERLINE_MEDIA__UNFINISHED_MAX"] = "1000"
    chosen["BARTERLINE_ACCOUNTS__VERIFY_EMAIL"] = "false"
    chosen["BARTERLINE_MAIL__TRANSPORT"] = "file"
    chosen["BARTERLINE_MAIL__DIRECTORY"] = f"{data}/mail"
    chosen["BARTERLINE_MAIL__FROM"] = "Shop <no-reply@shop.example>"
    chosen["BARTERLINE_MAIL__LINK"] = "https://shop.example/account"
    return {**os.environ, **chosen}


class World:
    """A server with people in it."""

    def __init__(self, binary, data):
        self.binary, self.data = binary, data
        flags = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data", data]
        self.server = subprocess.Popen(
            [binary, "serve", *flags],
            env=settings(data),
            stdout=subprocess.PIPE,
            stderr=open(f"{data}/log", "wb"),
        )
        self.url = f"http://{json.loads(self.server.stdout.readline())['listening']}"

    def ask(self, method, path, body=None, token=None, **headers):
        headers["content-type"] = "application/json"
        if token:
            headers["authorization"] = f"Bearer {token}"
        body = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def upload(self, chat, content, token):
        """A file of which all but its bytes is known, and where they go."""
        new = {"chat": chat, "name": "pixel.gif", "size": len(content)}
        return self.ask("POST", "/v1/media", new, token)["id"]

    def put(self, path, content, token):
        request = urllib.request.Request(self.url + path, content, method="PUT")
        request.add_header("authorization", f"Bearer {token}")
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def person(self, name):
        email = f"{name}@example.org"
        self.ask("POST", "/v1/accounts", {"email": email, "password": PASSWORD, "name": name})
        return self.log_in(name)

    def log_in(self, name):
        who = {"email": f"{name}@example.org", "password": PASSWORD}
        return self.ask("POST", "/v1/sessions", who)

    def admin(self):
        make = [self.binary, "admin", "create", "--email", "root@example.org", "--data", self.data]
        subprocess.run(
            [*make, "--password-stdin"],
            input=f"{PASSWORD}\n".encode(),
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return self.log_in("root")


def furnish(world):
    """People and things, and what the hooks have to know of them."""
    ana, ben, root = world.person("ana"), world.person("ben"), world.admin()
    world.person("cleo")
    goods = {"title": "City bike", "price": {"minor": 12000, "currency": "EUR"}}
    listing = world.ask("POST", "/v1/listings", goods, ben["access_token"])["id"]
    own = world.ask("POST", "/v1/listings", goods, ana["access_token"])["id"]
    chat = world.ask("POST", "/v1/chats", {"listing": listing}, ana["access_token"])["chat"]
    key = {"idempotency-key": "019ac1b3-1f58-7c02-9a6d-4b70e1f3c802"}
    said = {"kind": "text", "text": "Is the bike still for sale?"}
    world.ask("POST", f"/v1/chats/{chat}/events", said, ana["access_token"], **key)
    picture = world.upload(chat, PIXEL, ana["access_token"])
    world.put(f"/v1/media/{picture}/content", PIXEL, ana["access_token"])
    report = {"reason": "They are rude."}
    report = world.ask("POST", f"/v1/chats/{chat}/reports", report, ana["access_token"], **key)["id"]
    search = {"name": "City bikes", "query": "text=city+bike"}
    search = world.ask("POST", "/v1/saved-searches", search, ana["access_token"])["id"]
    return {
        "url": world.url,
        "person": ana["access_token"],
        "admin": root["access_token"],
        "people": [ana["user"], root["user"]],
        "leaver": {"email": "cleo@example.org", "password": PASSWORD},
        "account": ben["user"],
        "session": ana["session"],
        "listing": listing,
        "own_listing": own,
        "chat": chat,
        "report": report,
        "saved_search": search,
        "picture": picture,
        "upload": world.upload(chat, PIXEL, ana["access_token"]),
    }


def main(binary):
    with tempfile.TemporaryDirectory(prefix="barterline-") as data:
        world = World(binary, data)
        try:
            known = furnish(world)
            command = [
                *(Path(sys.executable).parent / "schemathesis", "run", f"{world.url}/v1/openapi.json"),
                *("--max-examples", EXAMPLES, "--workers", "1", "--checks", ",".join(CHECKS)),
                "--generation-deterministic",
                *("--suppress-health-check", "all", "--request-timeout", "20", "--no-color"),
                *("--continue-on-failure", *sys.argv[2:]),
                # A socket is no request: tests/it/socket has it.
                *("--exclude-operation-id", "connect"),
            ]
            surroundings = {
                **os.environ,
                "SCHEMATHESIS_HOOKS": "hooks",
                "PYTHONPATH": str(HERE),
                "PYTHONDONTWRITEBYTECODE": "1",
                "BARTERLINE_KNOWN": json.dumps(known),
            }
            done = subprocess.run(command, env=surroundings, cwd=data)
            alive = world.server.poll() is None
            if not alive:
                print("openapi: the server ended", file=sys.stderr)
            return done.returncode or int(not alive)
        finally:
            world.server.terminate()
            world.server.wait(timeout=20)
            if log := Path(f"{data}/log").read_text(errors="replace"):
                panics = [line for line in log.splitlines() if "panicked" in line]
                print("\n".join(panics), end="", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
