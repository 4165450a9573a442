// SPDX-License-Identifier: Apache-2.0
// A back end with nothing but Node: says who each client is, keeps its name with the gateway, and
// answers each message with a list of actions. It holds nothing of anybody itself.
//
// Usage: node backend.js [PORT]        (default 9300)
//
// A client says "/join ROOM", "/leave ROOM", "/bye", or "ROOM: text", which the others there get.
// It checks no signatures; examples/webhook-backend shows how.
import http from "node:http";

// What groups of the gateway may be called.
const isName = (text) => typeof text === "string" && /^[A-Za-z0-9_.-]{1,64}$/.test(text);
let guests = 0;

const send = (text) => ({ send: { text } });
const tell = (group, text) => ({ send_group: { group, text, except_self: true } });

function onConnect(query) {
  const name = new URLSearchParams(query).get("name");
  if (!name) // let in to be told why not: a page sees no status
    return { actions: [{ close: { code: 4400, reason: "say who you are: ?name=..." } }] };
  return {
    headers: {
      "Gatehouse-Client-Id": `guest-${process.pid}-${++guests}`,
      "Gatehouse-Attributes": `name=${encodeURIComponent(name)}`,
    },
    actions: [{ join: ["lobby"] }, send(`welcome, ${name}; you are in lobby`)],
  };
}

function onMessage(text, name) {
  const [word, room] = text.split(" ", 2);
  const [, to, what] = /^([^:]*):\s*(.*)$/s.exec(text) ?? [];
  if (word === "/bye")
    return [tell("lobby", `${name} has gone`), send("bye"), { close: { code: 1000, reason: "as you wish" } }];
  if (word === "/join" && isName(room))
    return [{ join: [room] }, tell(room, `${name} is here`), send(`you are in ${room}`)];
  if (word === "/leave" && isName(room))
    return [{ leave: [room] }, tell(room, `${name} has left`), send(`you are not in ${room} any more`)];
  if (isName(to)) return [tell(to, `${name}@${to}: ${what}`)];
  return [send("say /join ROOM, /leave ROOM, /bye, or ROOM: text")];
}

const server = http.createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const attribute = (name) => decodeURIComponent(request.headers[`ce-${name}`] ?? "");
    const kind = attribute("type").replace("gatehouse.client.", "");
    const text = Buffer.concat(parts).toString();
    const answer =
      kind === "connect" ? onConnect(attribute("query"))
      : kind === "message" ? { actions: onMessage(text, attribute("attrname")) }
      : {};
    console.log(`${attribute("attrname") || "?"}: ${kind}`, kind === "message" ? text : "");
    if (!answer.actions) return response.writeHead(204).end();
    response.writeHead(200, { "Content-Type": "application/vnd.gatehouse.actions+json", ...answer.headers });
    response.end(JSON.stringify({ actions: answer.actions }));
  });
});

server.keepAliveTimeout = 120_000;
server.listen(Number(process.argv[2] ?? 9300), "127.0.0.1", () =>
  console.log(`listening on http://127.0.0.1:${server.address().port}/events`));
