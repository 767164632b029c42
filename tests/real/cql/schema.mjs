// `barterline schema`, as an operator meets it: against a real server, sound and with every mistake.
//
//   node tests/real/cql/schema.mjs BINARY HOST:PORT [DIRECTORY]
//
// The directory has the certificates of a server that speaks TLS (server, in this folder).

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";

const [binary, server, certificates] = process.argv.slice(2);
const PASSWORD = process.env.BARTERLINE_TEST_CQL_PASSWORD ?? "cassandra";
const datacenter = process.env.BARTERLINE_TEST_CQL_DATACENTER ?? "datacenter1";
const sound = {
  BARTERLINE_SCYLLA__CONTACT_POINTS: server,
  BARTERLINE_SCYLLA__USER: process.env.BARTERLINE_TEST_CQL_USER ?? "cassandra",
  BARTERLINE_SCYLLA__PASSWORD: PASSWORD,
  BARTERLINE_SCYLLA__DATACENTER: datacenter,
  BARTERLINE_SCYLLA__REPLICATION: `${datacenter}:1`,
  // Of this run alone: nothing is left over from another.
  BARTERLINE_SCYLLA__KEYSPACE_PREFIX: `run_${process.pid}_`,
};

function schema(task, other = {}) {
  const { status, stdout, stderr } = spawnSync(binary, ["schema", task], {
    env: { ...sound, ...other },
    encoding: "utf8",
    timeout: 120_000,
  });
  return { status, stdout, stderr };
}

function refused(name, other, parts, status = 1) {
  const answer = schema("check", other);
  assert.equal(answer.status, status, `${name}: ${JSON.stringify(answer)}`);
  assert.equal(answer.stdout, "", name);
  for (const part of parts) assert.ok(answer.stderr.includes(part), `${name}: ${answer.stderr}`);
  assert.equal(answer.stderr.trim().split("\n").length, 1, `one line: ${answer.stderr}`);
  assert.ok(!answer.stderr.includes("hunter2"), "a password was printed");
  console.log(`ok    ${name}: ${answer.stderr.trim()}`);
}

refused("nobody there", { BARTERLINE_SCYLLA__CONTACT_POINTS: "127.0.0.1:1" }, [
  "no database answers at 127.0.0.1:1",
  "check `scylla.contact_points`",
]);
refused("no such name", { BARTERLINE_SCYLLA__CONTACT_POINTS: "nowhere.invalid:9042" }, [
  "none of the contact points nowhere.invalid:9042 has an address",
]);
refused("wrong password", { BARTERLINE_SCYLLA__PASSWORD: "hunter2" }, [
  "refuses the user",
  "check `scylla.user` and `scylla.password`",
]);
refused(
  "no user",
  { BARTERLINE_SCYLLA__USER: "", BARTERLINE_SCYLLA__PASSWORD: "" },
  ["wants a user and a password", "set `scylla.user`"],
);
refused(
  "no such datacenter",
  { BARTERLINE_SCYLLA__DATACENTER: "mars", BARTERLINE_SCYLLA__REPLICATION: "mars:1" },
  [`has no datacenter mars; it has ${datacenter}`, "set `scylla.datacenter`"],
);
refused("no schema", {}, ["there is no schema in the keyspaces", "run `barterline schema apply`"]);
refused("a setting that cannot be", { BARTERLINE_SCYLLA__CONSISTENCY: "one" }, [
  "allowed: quorum or local_quorum",
], 2);

const many = { BARTERLINE_SCYLLA__REPLICATION: `${datacenter}:15` };
const apart = schema("apply", many);
assert.equal(apart.status, 1);
assert.match(apart.stderr, /15 copies are more than the \d node\(s\).*lower `scylla.replication`/);
console.log(`ok    too many copies: ${apart.stderr.trim()}`);

const plan = schema("plan");
assert.equal(plan.status, 0, plan.stderr);
assert.match(plan.stdout, /^-- from step 0 to step \d/);
assert.match(plan.stdout, /CREATE KEYSPACE IF NOT EXISTS run_\d+_credentials/);
console.log(`ok    the plan has ${plan.stdout.split(";").length - 1} statements`);

for (const [task, said] of [
  ["apply", /^the schema stands at step \d+, it was at 0\n$/],
  ["apply", /^the schema stands at step (\d+), it was at \1\n$/],
  ["check", /^the schema stands at step \d+\n$/],
  ["plan", /^-- nothing to do/],
]) {
  const answer = schema(task);
  assert.deepEqual([answer.status, answer.stderr], [0, ""]);
  assert.match(answer.stdout, said);
  console.log(`ok    ${task}: ${answer.stdout.trim()}`);
}
refused("other copies", { BARTERLINE_SCYLLA__REPLICATION: `${datacenter}:2` }, [
  `keeps ${datacenter}:1, the settings say ${datacenter}:2`,
  "docs/storage.md",
]);

// Under TLS, with certificates both ways.
function tls(authority, client, other = {}) {
  const set = { ca: authority && `${certificates}/${authority}.pem` };
  if (client) {
    set.certificate = `${certificates}/${client}.pem`;
    set.key = `${certificates}/${client}.key`;
  }
  const named = Object.entries({ ...set, ...other }).filter(([, value]) => value);
  return Object.fromEntries(
    named.map(([key, value]) => [`BARTERLINE_SCYLLA__TLS_${key.toUpperCase()}`, value]),
  );
}

if (certificates) {
  for (const [name, how] of [
    ["under TLS, by address", tls("ca", "client")],
    ["under TLS, by name", tls("ca", "client", { name: "database.example" })],
  ]) {
    const answer = schema("check", how);
    assert.deepEqual([answer.status, answer.stderr], [0, ""], name);
    console.log(`ok    ${name}`);
  }
  refused("a certificate of nobody's", tls("other/ca", "client"), [
    "cannot be trusted",
    "check `scylla.tls_ca`",
  ]);
  refused("another name", tls("ca", "client", { name: "nobody.example" }), [
    'not valid for name "nobody.example"',
    "set `scylla.tls_name`",
  ]);
  const ours = "check `scylla.tls_certificate`";
  refused("no certificate of ours", tls("ca"), ["refuses TLS", ours]);
  refused("ours is signed by nobody known", tls("ca", "other/client"), ["refuses TLS", ours]);
  refused("no such file", tls("none", "client"), ["none.pem: No such file"]);
  refused("a name alone", tls(undefined, undefined, { name: "a.example" }), [
    "needs `scylla.tls_ca` as well",
  ], 2);
}
