// What is for sale, found by an OpenSearch: the same questions as in tests/it/rest/search.rs, and an engine that
// hangs, is gone, or lost its index.
//
//   node tests/real/opensearch/search.mjs BINARY JARS DIR

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";

import { Server } from "../barterline.mjs";
import { OpenSearch } from "./opensearch.mjs";

const [binary, jars, dir] = process.argv.slice(2);
const PATIENCE_MS = 60_000;
/** Whoever asks for what cannot be found at the moment is told so in this time. */
const ANSWER_WITHIN_MS = 8_000;

const engine = await OpenSearch.start(jars, join(dir, "opensearch"));
const data = join(dir, "data");
let server = await Server.start(binary, data, undefined, engine.env).catch(async (error) => {
  await engine.kill();
  throw error;
});
const step = (name) => console.log(`ok    ${name}`);
const run = promisify(execFile);

/** Asks for something; gives status, JSON, and how long it took. */
async function ask(method, path, { token, body, status } = {}) {
  const asked = performance.now();
  const response = await fetch(`http://${server.listening}${path}`, {
    method,
    headers: {
      ...(body && { "content-type": "application/json" }),
      ...(token && { authorization: `Bearer ${token}` }),
    },
    body: body && JSON.stringify(body),
  });
  const json = await response.json();
  const took = performance.now() - asked;
  if (status !== undefined) assert.equal(response.status, status, `${method} ${path}: ${JSON.stringify(json)}`);
  return { status: response.status, json, took };
}

const path = (asked) => `/v1/listings?${new URLSearchParams(asked)}`;
const search = async (asked, status = 200) => (await ask("GET", path(asked), { status })).json;
const titles = (found) => found.listings.map(({ listing }) => listing.title);

/** The first answer that is as wanted. */
async function until(asked, holds) {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const { status, json } = await ask("GET", path(asked));
    assert.ok([200, 503].includes(status), `${status} ${JSON.stringify(json)}`);
    if (status === 200 && holds(json)) return json;
    assert.ok(performance.now() < end, `${JSON.stringify(asked)}: ${status} ${JSON.stringify(json)}`);
    await pause(20);
  }
}

const total = (count) => (found) => found.total === count;

async function person(name) {
  const [email, password] = [`${name}@example.org`, `${name} has a long password`];
  const { id } = await server.post("/v1/accounts", { email, password, name });
  const { access_token: token } = await server.post("/v1/sessions", { email, password });
  return { id, token, password };
}

const offer = async (seller, listing) => (await server.post("/v1/listings", listing, seller.token)).id;

const bicycle = (title, type, frame, minor, more = {}) => ({
  title,
  price: { minor, currency: "EUR" },
  condition: "good",
  category: "vehicles/bicycles",
  attributes: { type, frame },
  ...more,
});

/** What the server says of itself. */
async function metric(name) {
  const text = await (await fetch(`http://${server.admin}/metrics`)).text();
  const line = text.split("\n").find((line) => line.startsWith(`${name} `));
  return line && Number(line.split(" ")[1]);
}

const command = (word) => run(binary, ["search", word, "--data", data]);

try {
  const ana = await person("ana");
  const price = { minor: 9_000, currency: "EUR" };
  {
    const of = { seller: ana.id };
    const lamp = await offer(ana, { title: "Reading lamps", price });
    const draft = await offer(ana, { title: "Reading lamp, a draft", price, draft: true });
    const found = await until({ ...of, text: "reding lamp" }, total(1));
    assert.equal(found.listings[0].listing.id, lamp);
    assert.deepEqual([found.listings[0].distance_km, found.next], [null, null]);
    const patch = (id, body) => ask("PATCH", `/v1/listings/${id}`, { token: ana.token, body, status: 200 });
    await patch(lamp, { title: "Desk light" });
    await until({ ...of, text: "lamp" }, total(0));
    await patch(draft, { status: "active" });
    assert.deepEqual(titles(await until({ ...of, text: "lamp" }, total(1))), ["Reading lamp, a draft"]);
    await patch(draft, { status: "sold" });
    assert.deepEqual(titles(await until(of, total(1))), ["Desk light"]);
    assert.deepEqual(titles(await search({ ...of, status: "sold,withdrawn" })), ["Reading lamp, a draft"]);
    const soon = Date.now() + 3_000;
    await patch(lamp, { expires_at: soon });
    await until({ ...of, status: "expired" }, total(1));
    assert.ok(Date.now() >= soon, "not before its time");
    assert.equal((await search(of)).total, 0);
  }
  step("what is for sale is found as it changes, until it has expired");

  const ben = await person("ben");
  const kind = { seller: ben.id, category: "vehicles/bicycles", currency: "EUR" };
  {
    await offer(ben, bicycle("Blue bike", "city", 54.5, 20_000));
    await offer(ben, bicycle("Red bike", "city", 58.0, 10_000));
    await offer(ben, bicycle("Old bike", "mountain", 56.0, 5_000));
    const place = { lat: 52.52, lon: 13.405 };
    await offer(ben, bicycle("Bike in Berlin", "road", 60.0, 30_000, { place }));
    const all = await until({ seller: ben.id, facets: "true" }, total(4));
    assert.deepEqual(all.facets[0], { of: "category", values: [{ value: "vehicles", count: 4 }] });
    const attributes = JSON.stringify({ type: ["city", "road"], frame: { min: 50, max: 58 } });
    const narrowed = await search({ ...kind, attributes, sort: "price_up", facets: "true" });
    assert.deepEqual(titles(narrowed), ["Red bike", "Blue bike"]);
    const types = narrowed.facets.find(({ attribute }) => attribute === "type");
    // Counted as if no type was asked for; the frame still counts.
    assert.deepEqual(types.values, [{ value: "city", count: 2 }, { value: "mountain", count: 1 }]);
    const cheap = await search({ ...kind, price_max: "10000", sort: "price_down" });
    assert.deepEqual(titles(cheap), ["Red bike", "Old bike"]);
    assert.deepEqual(titles(await search({ ...kind, condition: "new,for_parts" })), []);
    assert.equal((await search({ ...kind, currency: "USD" })).total, 0);
    const near = await search({ ...kind, near: "52.5,13.4", within_km: "10" });
    assert.deepEqual(titles(near), ["Bike in Berlin"]);
    const [{ distance_km: km }] = near.listings;
    assert.ok(km > 0.1 && km < 6, `${km} km`);
    assert.equal(titles(await search({ ...kind, near: "u33db", sort: "distance" }))[0], "Bike in Berlin");
  }
  step("a search is narrowed, sorted and counted");

  {
    const cleo = await person("cleo");
    const of = { seller: cleo.id };
    for (const [title, description] of [
      ["Red bicycles", "two of them"],
      ["Red chair", "made of wood"],
      ["Café racer", "nearly a bicycle"],
      ["T-Shirt", "自転車"],
    ]) {
      await offer(cleo, { title, description, price });
    }
    await until(of, total(4));
    const found = async (text, more = {}) => titles(await search({ ...of, text, ...more }));
    assert.deepEqual(await found("red bicycle"), ["Red bicycles", "Red chair", "Café racer"], "all words first");
    assert.deepEqual(await found("red bicycle", { sort: "newest" }), ["Red bicycles"], "all words");
    assert.deepEqual(await found("BICYCLE"), ["Red bicycles", "Café racer"], "titles count most");
    assert.deepEqual(await found("bicycels", { sort: "newest" }), ["Café racer", "Red bicycles"], "slips");
    assert.deepEqual(await found("cafe ra"), ["Café racer"], "no accent, and the beginning of a word");
    assert.deepEqual(await found("tshirt"), ["T-Shirt"]);
    assert.deepEqual(await found("自転車"), ["T-Shirt"]);
    assert.deepEqual(await found("rad"), [], "a short word is that word");
    const words = ["title:red AND (", '"""', "*", "-red", "/.*/", "red~2", "\u202eder", "%00", '{"match_all":{}}'];
    for (const text of words) await search({ text });
    assert.deepEqual(await found("re*"), ["Red bicycles", "Red chair"].reverse(), "a star means nothing");
    for (const wrong of [{ text: " " }, { sort: "relevance" }, { sort: "price_up" }, { after: "xyz" }]) {
      assert.equal((await search(wrong, 422)).code, "search.invalid");
    }
    const suggest = async (text) => (await ask("GET", `/v1/suggestions?${new URLSearchParams({ text })}`)).json;
    assert.deepEqual((await suggest("my cafe r")).suggestions, ["my café racer"]);
    assert.deepEqual((await suggest("zzz")).suggestions, []);
  }
  step("words are found in other forms, with slips, and mean nothing but themselves");

  {
    const dan = await person("dan");
    const of = { seller: dan.id, currency: "EUR", near: "52.5,13.4" };
    for (let n = 0; n < 7; n++) {
      // Some of the same price, at the same place, and nowhere.
      const place = n % 3 ? { lat: 52.5 + (n % 2), lon: 13.4 } : undefined;
      await offer(dan, bicycle(`Bike ${n}`, "city", 50, 1_000 + (n % 2), { place }));
    }
    await until(of, total(7));
    for (const sort of ["newest", "price_up", "price_down", "distance", "relevance"]) {
      const asked = { ...of, sort, ...(sort === "relevance" && { text: "bike" }) };
      const whole = titles(await search({ ...asked, limit: "100" }));
      assert.equal(whole.length, 7, sort);
      const seen = [];
      let after;
      do {
        const page = await search({ ...asked, limit: "2", ...(after && { after }) });
        seen.push(...titles(page));
        if (page.next) {
          // Of another search it is none.
          assert.equal((await search({ ...asked, condition: "new", after: page.next }, 422)).code, "search.invalid");
        }
        after = page.next;
      } while (after);
      assert.deepEqual(seen, whole, sort);
    }
    let after;
    const seen = [];
    do {
      const page = await search({ ...of, sort: "newest", limit: "2", ...(after && { after }) });
      seen.push(...titles(page));
      after = page.next;
      // What comes meanwhile is before where it goes on.
      await offer(dan, bicycle("Late bike", "city", 50, 1_000));
      await until(of, total(page.total + 1));
    } while (after);
    assert.deepEqual(seen, [6, 5, 4, 3, 2, 1, 0].map((n) => `Bike ${n}`));
    await erase(dan);
    const all = "active,reserved,sold,withdrawn,expired";
    await until({ seller: dan.id, status: all }, total(0));
  }
  step("pages follow each other in every order, and what an erased account offered is gone");

  {
    const before = await engine.indexes();
    assert.equal(before.used.length, 1);
    assert.deepEqual(before.all, before.used);
    const rebuilt = await metric("barterline_search_rebuilt_total");
    const searching = (async () => {
      for (let n = 0; n < 50; n++) assert.equal((await search({ seller: ben.id })).total, 4);
    })();
    const { stdout } = await command("rebuild");
    assert.match(stdout, /listings are found/);
    await searching;
    const after = await engine.indexes();
    assert.deepEqual([after.all, after.used.length], [after.used, 1]);
    assert.notDeepEqual(after.used, before.used);
    assert.equal(await metric("barterline_search_rebuilt_total"), rebuilt + 1);
    const { documents, failure } = JSON.parse((await command("status")).stdout);
    assert.ok(documents >= 8 && failure === null, `${documents} ${failure}`);
  }
  step("an index is made anew while the other is searched, and takes its place");

  {
    const isTold = async (what) => {
      const { status, json, took } = await ask("GET", path({ text: "bike" }));
      assert.deepEqual([status, json.code], [503, "server.unavailable"], `${what}: ${JSON.stringify(json)}`);
      assert.ok(took < ANSWER_WITHIN_MS, `${what}: an answer took ${took.toFixed(0)} ms`);
      await offer(ben, bicycle(`Bike of a day when ${what}`, "city", 50, 1_000));
      assert.equal((await fetch(`http://${server.admin}/health/ready`)).status, 200);
    };
    engine.signal("SIGSTOP");
    await isTold("it hangs");
    engine.signal("SIGCONT");
    await until({ seller: ben.id, text: "day hangs", sort: "newest" }, total(1));
    await engine.kill();
    await isTold("it is gone");
    // A server starts without it, and goes on where the index was.
    await server.kill();
    server = await Server.start(binary, data, undefined, engine.env);
    assert.equal((await ask("GET", path({}))).status, 503);
    await engine.launch();
    await until({ seller: ben.id, text: "day gone", sort: "newest" }, total(1));
    assert.equal((await search(kind)).total, 6);
    assert.equal(await metric("barterline_search_rebuilt_total"), 0, "nothing was read again");
  }
  step("while the engine hangs or is gone people are told so and sell on, and then it catches up");

  {
    const { used } = await engine.indexes();
    assert.equal((await engine.ask("DELETE", used[0])).status, 200);
    await offer(ben, bicycle("Bike after the loss", "city", 50, 1_000));
    await until(kind, total(7));
    const after = await engine.indexes();
    assert.deepEqual([after.all, after.used.length], [after.used, 1], "and none was made by writing");
  }
  step("an index that somebody removed is made anew");
} finally {
  await engine.kill();
  await server.kill();
}

async function erase({ token, password }) {
  for (;;) {
    const { json } = await ask("POST", "/v1/accounts/me/erasure", { token, body: { password }, status: 200 });
    if (json.done) return;
  }
}
