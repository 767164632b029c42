"""Who asks, and for what: hooks of schemathesis, which loads this file (check.py starts it).

What is drawn at random names nobody and nothing. Most of it is put right here just before it is sent,
so that requests come further than "not found" and "wrong password"; the rest goes as it was drawn.
"""

import itertools
import json
import os
import re
import urllib.request

import schemathesis

KNOWN = json.loads(os.environ["BARTERLINE_KNOWN"])
PASSWORD = KNOWN["leaver"]["password"]
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# They end sessions, after which the rest would be 401: somebody else asks, who logs in anew for each.
ENDING = {"logOut", "endSession", "endSessions", "changePassword"}
# Whoever leaves is gone for good: somebody new each time.
LEAVING = {"eraseAccount"}
# Staff do this to a bystander alone: whoever else was suspended would be answered with 403 from then on.
TO_PEOPLE = {"suspendAccount", "admitAccount", "setRoles"}
# What they took away the others would not find: they go for what is not there.
REMOVING = {"removeMedia", "removeUpload", "removeSavedSearch"}
BY_OPERATION = {
    "endSession": lambda: newest["session"],
    "nameSession": lambda: KNOWN["session"],
    "editListing": lambda: KNOWN["own_listing"],
    "renewListing": lambda: KNOWN["own_listing"],
    **dict.fromkeys(["uploadMedia", "uploadMediaDirect", "completeMedia"], lambda: KNOWN["upload"]),
}
BY_PATH = {
    "/v1/accounts/": "account",
    "/v1/chats/": "chat",
    "/v1/listings/": "listing",
    "/v1/media/": "picture",
    "/v1/reports/": "report",
    "/v1/saved-searches/": "saved_search",
    "/v1/uploads/": "upload",
}
newest = {}
numbers = itertools.count()


def name_of(operation):
    return operation.definition.raw.get("operationId")


def post(path, body):
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(KNOWN["url"] + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def log_in_anew():
    newest.update(post("/v1/sessions", KNOWN["leaver"]))
    return newest["access_token"]


def somebody_new():
    who = {"email": f"new-{next(numbers)}@example.org", "password": PASSWORD}
    post("/v1/accounts", {**who, "name": "Dora"})
    return post("/v1/sessions", who)["access_token"]


@schemathesis.auth(refresh_interval=None)
class Tokens:
    def get(self, case, context):
        if name_of(case.operation) in ENDING:
            return log_in_anew()
        if name_of(case.operation) in LEAVING:
            return somebody_new()
        staff = "staff" in case.operation.definition.raw.get("tags", [])
        return KNOWN["admin" if staff else "person"]

    def set(self, case, data, context):
        if case.operation.definition.raw.get("security"):
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@schemathesis.serializer("application/offset+octet-stream")
def as_they_are(context, value):
    """Bytes of a part, whatever is drawn for them."""
    return value if isinstance(value, bytes) else str(value).encode()


def is_id(value):
    return isinstance(value, str) and UUID.fullmatch(value) is not None


def mostly(value):
    """Three of four, and for the same value always the same."""
    return sum(str(value).encode()) % 4 != 0


def put_right_id(case, name):
    drawn = (case.path_parameters or {}).get("id")
    bystander = name in TO_PEOPLE and drawn in KNOWN["people"]
    if name in REMOVING or not is_id(drawn) or not (bystander or mostly(drawn)):
        return
    if known := BY_OPERATION.get(name):
        case.path_parameters["id"] = known()
    for beginning, known in BY_PATH.items():
        if name not in BY_OPERATION and case.operation.path.startswith(beginning):
            case.path_parameters["id"] = KNOWN[known]


def put_right_body(name, body):
    match name:
        case "openChat" if is_id(body.get("listing")) and mostly(body["listing"]):
            body["listing"] = KNOWN["listing"]
        case "createMedia" if is_id(body.get("chat")) and mostly(body["chat"]):
            body["chat"] = KNOWN["chat"]
        case "createListing" | "editListing" if isinstance(body.get("price"), dict):
            if mostly(body["price"]) and "currency" in body["price"]:
                body["price"]["currency"] = "EUR"
        case "send" if mostly(body):
            for field in ["base", "reply", "target"]:
                body.pop(field, None)
            if mostly(body.get("text")):
                body["kind"] = "text"
        case "mark" if mostly(body):
            body.pop("delivered", None)
            body.pop("read", None)
        case "report" if mostly(body):
            body.pop("messages", None)
        case "askForEmailChange" | "createApiKey" | "beginSecondFactor" | "beginLink" if mostly(body):
            for field, known in [("password", PASSWORD), ("scopes", ["chats:read"])]:
                if field in body:
                    body[field] = known
            body.pop("expires_at", None)
        case "endSession" | "endSessions" if "password" in body and mostly(body):
            body["password"] = PASSWORD
        case "readArchive" | "eraseAccount" if mostly(body):
            body["password"] = PASSWORD
            body.pop("code", None)
        case "changePassword" if "present" in body and mostly(body):
            # The same, or the next log-in would fail.
            body["present"] = body["new"] = PASSWORD
        case "changePassword":
            body["present"] = "another password"


@schemathesis.hook
def before_call(context, case, kwargs):
    name = name_of(case.operation)
    put_right_id(case, name)
    if isinstance(case.body, dict):
        put_right_body(name, case.body)
    # Nobody else changes anything: whoever waits would wait to the end.
    if name == "sync":
        asked = (case.query or {}).get("wait_ms", 0)
        if str(asked).isdigit() and int(asked) <= 30_000:
            case.query = {**(case.query or {}), "wait_ms": 1}
