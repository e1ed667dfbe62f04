// The page: one state, asked for again and again, and what is drawn from it.
import { $, h, add, send, toast } from "./dom.js";
import { drawChat, startChat } from "./chat.js";
import { drawForge, startForge } from "./forge.js";
import { lookAtFleet, startFleet } from "./fleet.js";

export const view = {
  user: localStorage.getItem("user") || "alice",
  channel: localStorage.getItem("channel") || "ops",
  thread: "",
  state: null,
};

let clockBase = 0;
let clockAt = 0;

// now is the sandbox's time, in milliseconds.
export const now = () => clockBase + (performance.now() - clockAt);

export const token = () => view.state.people.find((p) => p.name === view.user).token;

export function choose(changes) {
  Object.assign(view, changes);
  if ("user" in changes || "channel" in changes) view.thread = changes.thread || "";
  localStorage.setItem("user", view.user);
  localStorage.setItem("channel", view.channel);
  return refresh(true);
}

let tag = "";
let running = null;

// refresh draws what is new. Calls that come while one runs share the next.
export function refresh(force) {
  if (force) tag = "";
  running = (running || Promise.resolve()).then(load).catch(lost);
  return running;
}

async function load() {
  const q = new URLSearchParams({ user: view.user, channel: view.channel, thread: view.thread });
  const asked = q.toString();
  const r = await fetch("/sim/page/state?" + asked, { headers: tag ? { "If-None-Match": tag } : {} });
  $("#lamp").classList.remove("lost");
  if (r.status === 304) return;
  const s = await r.json();
  if (!r.ok) {
    if (view.thread) view.thread = "";
    else Object.assign(view, { user: "alice", channel: "ops" });
    throw new Error(s.error);
  }
  if (asked !== new URLSearchParams({ user: view.user, channel: view.channel, thread: view.thread }).toString()) return;
  tag = r.headers.get("ETag");
  view.state = s;
  clockBase = Date.parse(s.now);
  clockAt = performance.now();
  drawBar(s);
  drawChat(s);
  drawForge(s);
}

function lost(err) {
  $("#lamp").className = "lamp lost";
  $("#lamp").title = String(err.message || err);
  tag = "";
}

function drawBar(s) {
  $("#lamp").className = "lamp " + (s.bot ? "on" : "off");
  $("#lamp").title = s.bot ? "The bot runs and is connected" : "The bot is not connected";
  if ($("#user").options.length !== s.people.length) {
    $("#user").replaceChildren(...s.people.map((p) => h("option", { value: p.name }, p.name)));
  }
  $("#user").value = view.user;
  const moved = s.ahead !== "0s";
  $("#ahead").hidden = !moved;
  $("#ahead").textContent = moved ? "+" + s.ahead.replace(/(?<=\D)0[ms]/g, "") : "";
  $("#broken").hidden = !(s.alerts || []).length;
  $("#broken").textContent = (s.alerts || []).length;
  const tools = { terraform: "the terraform on this machine", tofu: "the tofu on this machine", demo: "a built-in demonstration step, because neither terraform nor tofu is on PATH" };
  const about = h("div", {},
    h("p", {}, "This is the real bot. Slack, GitHub, AWS, Mackerel and PagerDuty are simulated on this machine; the git repositories are real, and applies are run by ", h("strong", {}, tools[s.tool]), "."),
    h("p", {}, "All of it lives in ", h("code", {}, s.data), ". Stop it (Ctrl-C, or kill -9) and start it again: it goes on where it was. Delete the folder to begin anew."),
    (s.alerts || []).length ? [h("p", {}, "Rules of the real services that were broken:"), h("ul", {}, s.alerts.slice(-20).map((a) => h("li", {}, `${a.system}: ${a.what}`)))] : null);
  if ($("#about").textContent !== about.textContent) $("#about").replaceChildren(about);
}

function tick() {
  if (!clockBase) return;
  const d = new Date(now());
  const text = d.toLocaleString([], { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  if ($("#now").textContent !== text) $("#now").textContent = text;
}

async function advance(button) {
  const all = [...document.querySelectorAll("#clock-menu button")];
  all.forEach((b) => (b.disabled = true));
  button.classList.add("busy");
  try {
    await send("/sim/clock/advance", { by: button.dataset.by });
  } catch (err) {
    toast(err.message, true);
  }
  button.classList.remove("busy");
  all.forEach((b) => (b.disabled = false));
  refresh(true);
}

const faults = [
  ["slack", "Break the bot's sockets", { kind: "drop_socket" }],
  ["slack", "Lose the next reply after acting", { kind: "lose_reply" }],
  ["slack", "Deliver the next event twice", { kind: "twice" }],
  ["slack", "Say “slow down” three times", { kind: "rate_limit", count: 3, retry_after: 1 }],
  ["slack", "Fail the next call", { kind: "error" }],
  ["github", "Lose the next webhook", { kind: "lose_webhook" }],
  ["github", "Lose every webhook", { kind: "lose_webhook", count: -1 }],
  ["github", "Deliver the next webhook twice", { kind: "twice" }],
  ["github", "Lose the next reply after acting", { kind: "lose_reply" }],
  ["github", "Fail the next three calls", { kind: "error", count: 3 }],
  ["github", "Behave again", { kind: "clear" }],
  ["aws", "Refuse the next three calls, as too many", { kind: "throttle", count: 3 }],
  ["aws", "Lose the next reply after acting", { kind: "lost" }],
  ["aws", "Behave again", { kind: "clear" }],
  ["mackerel", "Fail the next three calls", { kind: "error", count: 3 }],
  ["mackerel", "Lose the next reply after acting", { kind: "lost" }],
  ["mackerel", "Behave again", { kind: "clear" }],
  ["pagerduty", "Refuse all calls for an hour", { kind: "error", status: 503, for_seconds: 3600 }],
  ["pagerduty", "Lose the next reply to an override", { kind: "lost", action: "overrides.create" }],
  ["pagerduty", "Behave again", { kind: "clear" }],
];

const systems = { slack: "Slack", github: "GitHub", aws: "AWS", mackerel: "Mackerel", pagerduty: "PagerDuty" };

function drawFaults() {
  for (const [system, name] of Object.entries(systems)) {
    add($("#faults"), [h("h4", {}, name), h("p", { class: "row" },
      faults.filter((f) => f[0] === system).map(([, label, spec]) => h("button", {
        type: "button",
        onclick: () => send("/sim/fault", { system, ...spec }).then(() => toast(`${name}: ${label}`), (err) => toast(err.message, true)),
      }, label)))]);
  }
}

// showPane shows one pane where there is room for one; where there is room for two,
// Slack stays, and the other is what was shown last.
export function showPane(name) {
  const main = $("main");
  main.dataset.pane = name;
  if (name !== "chat") main.dataset.side = name;
  for (const b of $("#tabs").children) b.setAttribute("aria-pressed", b.dataset.pane === name);
  for (const b of $("#sides").children) b.setAttribute("aria-pressed", b.dataset.pane === main.dataset.side);
  if (view.state) lookAtFleet();
}

function start() {
  $("#user").addEventListener("change", (e) => choose({ user: e.target.value }));
  for (const b of document.querySelectorAll("#clock-menu button")) b.addEventListener("click", () => advance(b));
  for (const b of document.querySelectorAll("#tabs button, #sides button")) b.addEventListener("click", () => showPane(b.dataset.pane));
  document.addEventListener("click", (e) => {
    for (const m of document.querySelectorAll("details.menu[open]")) if (!m.contains(e.target)) m.open = false;
  });
  drawFaults();
  startChat();
  startForge();
  startFleet();
  setInterval(tick, 250);
  const loop = () => refresh().then(() => setTimeout(loop, document.hidden ? 3000 : 500));
  loop();
}

start();
