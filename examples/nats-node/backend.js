// SPDX-License-Identifier: Apache-2.0
// A back end over NATS: hears of every client of the route "ws" of every gateway, and answers each
// text message in upper case. More than one may run; then each gets every event, and each answers.
//
// Usage: npm start [BROKER]        (default nats://127.0.0.1:4222)
import { connect } from "nats";

const nats = await connect({
  servers: process.argv[2] ?? "nats://127.0.0.1:4222",
  waitOnFirstConnect: true, // it may start before the broker
  maxReconnectAttempts: -1,
});
const events = nats.subscribe("gatehouse.up.ws.*");
await nats.flush(); // from here on the broker has the subscription
console.log(`listening at ${nats.getServer()}`);

for await (const event of events) {
  // Route and client id are as in the subject that leads back, whatever characters they have.
  const [, , route, client] = event.subject.split(".");
  const attribute = (name) => decodeURIComponent(event.headers?.get(`ce-${name}`) ?? "");
  const kind = attribute("type").replace("gatehouse.client.", "");
  console.log(`${attribute("clientid")}: ${kind}`, kind === "message" ? event.string() : "");
  if (kind === "message" && attribute("messagetype") === "text")
    nats.publish(`gatehouse.to.${route}.${client}`, event.string().toUpperCase());
}
