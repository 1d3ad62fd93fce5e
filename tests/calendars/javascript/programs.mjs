// Does as tsdav does and reads as ical.js reads: a question a line, as JSON, and its answer on the next.
//   {"sign_in": {...}}                 an account at a server, found from the address that a person would type
//   {"call": "fetchCalendars", "with": {...}}   what tsdav's client calls so
//   {"read": "BEGIN:VCALENDAR..."}     the events in a text
import { createInterface } from "node:readline";
import ICAL from "ical.js";
import { DAVClient } from "tsdav";

let client;

const shown = async (value) =>
  value instanceof Response
    ? { status: value.status, etag: value.headers.get("etag"), text: await value.text() }
    : value;

const eventOf = (component) => {
  const event = new ICAL.Event(component);
  return {
    uid: event.uid,
    sequence: event.sequence ?? 0,
    starts: event.startDate.toUnixTime(),
    ends: event.endDate.toUnixTime(),
    summary: event.summary,
    description: event.description,
    attendees: event.attendees.map((one) => one.getFirstValue()),
    alarms: component.getAllSubcomponents("valarm").length,
  };
};

const read = (text) => {
  const calendar = new ICAL.Component(ICAL.parse(text));
  return {
    method: calendar.getFirstPropertyValue("method"),
    events: calendar.getAllSubcomponents("vevent").map(eventOf),
  };
};

const answer = async (asked) => {
  if ("read" in asked) return read(asked.read);
  if ("sign_in" in asked) {
    client = new DAVClient(asked.sign_in);
    await client.login();
    return client.account;
  }
  return shown(await client[asked.call](asked.with));
};

for await (const line of createInterface({ input: process.stdin })) {
  let said;
  try {
    said = { answer: await answer(JSON.parse(line)) };
  } catch (fault) {
    said = { fault: `${fault}` };
  }
  console.log(JSON.stringify(said));
}
