// The Instances pane: the fleet as the simulated AWS has it, and what drains in it.
import { $, h, keyed } from "./dom.js";
import { compose } from "./chat.js";
import { choose, now, showPane, view } from "./app.js";

const pause = 250; // milliseconds between two looks at the fleet
let looking = false;

async function ask(path) {
  const r = await fetch(path);
  const out = await r.json();
  if (!r.ok) throw new Error(out.error);
  return out;
}

// lookAtFleet draws the fleet while somebody sees it, and asks for nothing else.
export async function lookAtFleet() {
  const pane = $("#fleet");
  if (!pane.offsetParent || document.hidden || looking) return;
  looking = true;
  try {
    const [fleet, { hosts }] = await Promise.all([ask("/sim/aws/instances"), ask("/sim/mackerel/hosts")]);
    const watched = new Map(hosts.map((x) => [x.instance, x.retired ? "retired" : x.status]));
    draw({ ...fleet, instances: fleet.instances.map((i) => ({ ...i, mackerel: watched.get(i.id) || "" })) });
  } catch (err) {
    summarize("", `the instances cannot be shown: ${err.message}`, []);
  } finally {
    looking = false;
  }
}

const nameOf = (i) => i.name || i.id;
const gone = (i) => i.state === "terminated";
const siteOf = (x) => `${x.account}/${x.region}`;
let shared = new Set(); // names that more than one instance has

// wordFor is what somebody types for an instance: its name, where that is its alone.
const wordFor = (i) => (i.name && !shared.has(i.name) ? i.name : i.id);

function draw({ instances, groups }) {
  const live = instances.filter((i) => !gone(i));
  shared = new Set(live.map((i) => i.name).filter((name, n, all) => all.indexOf(name) !== n));
  const sites = [...new Set([...live, ...groups].map(siteOf))];
  const moving = live.filter((i) => i.status === "draining").map((i) => ({ id: i.id, name: shared.has(i.name) ? `${i.name} (${i.account})` : nameOf(i) }));
  summarize(`${live.length} in ${sites.length === 1 ? sites[0] : `${sites.length} accounts`}`, moving.length ? "draining: " : "none is draining", moving);
  keyed($("#fleet-sites"), sites, (site) => site, siteSkeleton);
  drawGone(instances.filter(gone));
  const held = document.activeElement?.closest("#fleet .instance");
  sites.forEach((site, n) => drawSite($("#fleet-sites").children[n], live.filter((i) => siteOf(i) === site), groups.filter((g) => siteOf(g) === site)));
  if (held && !held.isConnected) instanceOf(held.dataset.key)?.querySelector("button")?.focus();
}

const instanceOf = (id) => [...document.querySelectorAll("#fleet .instance")].find((n) => n.dataset.key === id);

// summarize changes what stands at the top only when it differs, because it is read
// out. The names lead to their instances, which may be far down.
function summarize(where, what, moving) {
  if ($("#fleet-where").textContent !== where) $("#fleet-where").textContent = where;
  keyed($("#fleet-what"), [{ id: what }, ...moving], (x) => x.id, (x) => !x.name ? h("span", {}, what) : h("button", {
    type: "button", class: "quiet", onclick: () => instanceOf(x.id)?.scrollIntoView({ block: "center" }),
  }, x.name));
}

// siteSkeleton and skeleton are an account in a region, and a group, without what
// changes, so that what is opened or held in it stays so.
function siteSkeleton(site) {
  const id = "site-" + site.replaceAll("/", "-");
  const [account, region] = site.split("/");
  return h("section", { class: "site", "data-site": site, "aria-labelledby": id },
    h("h3", { id }, account, h("small", {}, region)), h("div", { class: "groups" }));
}

function drawSite(section, members, groups) {
  const all = groups.map((g) => ({ key: `${siteOf(g)}/${g.name}`, name: g.name, group: g, members: members.filter((i) => i.group === g.name) }));
  const alone = members.filter((i) => !i.group);
  if (alone.length) all.push({ key: `${siteOf(alone[0])}//alone`, name: "On their own", members: alone });
  const box = section.querySelector(".groups");
  keyed(box, all.map(({ key, name }) => ({ key, name })), (x) => x.key, skeleton);
  all.forEach((x, n) => drawGroup(box.children[n], x));
}

function skeleton(x) {
  const id = "group-" + x.key.replaceAll("/", "-");
  return h("section", { class: "group", "aria-labelledby": id },
    h("header", {}, h("h4", { id }, x.name), h("p", { class: "counts" })),
    h("div", { class: "zones" }));
}

function drawGroup(section, { group: g, members }) {
  keyed(section.querySelector(".counts"), g ? counts(g, members) : [{ text: "nothing replaces these" }], (x) => x.text, (x) => h("span", { class: x.kind || "" }, x.text));
  const zones = [...new Set(members.map((i) => i.zone))].sort();
  const box = section.querySelector(".zones");
  keyed(box, zones, (z) => z, (z) => h("div", { class: "zone" }, h("h5", {}, z), h("ul", {})));
  const most = (f) => Math.max(1, ...members.map(f));
  const full = { connections: most((i) => i.connections), bytes: most((i) => i.buffer_bytes), tasks: most(tasksOn) };
  zones.forEach((z, n) => keyed(box.children[n].querySelector("ul"),
    members.filter((i) => i.zone === z).map(({ age, launched, ...i }) => ({ ...i, word: wordFor(i), full: kindOf(i) && full })), (i) => i.id, card));
}

// drawGone folds up what is terminated: it is in no group any more.
function drawGone(over) {
  $("#fleet-gone").hidden = !over.length;
  const text = `${over.length} terminated`;
  const head = $("#fleet-gone summary");
  if (head.textContent !== text) head.textContent = text;
  keyed($("#fleet-gone ul"), over.map((i) => ({ id: i.id, name: i.name, zone: i.zone })), (i) => i.id, (i) => h("li", {}, h("strong", {}, nameOf(i)), " ", h("code", {}, i.id), ` ${i.zone}`));
}

function counts(g, members) {
  const roles = [...new Set(members.map((i) => i.role).filter(Boolean))];
  return [
    { text: `${g.in_service} of ${g.desired} in service`, kind: g.in_service < g.desired ? "short" : "" },
    { text: `size ${g.min} to ${g.max}` },
    ...(roles.length ? [{ text: `role ${roles.join(", ")}` }] : []),
    ...(members.some((i) => i.tasks) ? [{ text: `cluster ${members.find((i) => i.tasks).tasks.cluster}` }] : []),
    ...(lockOf(g) ? [{ text: `kept still for ${lockOf(g)}`, kind: "short" }] : []),
    ...(g.suspended.length ? [{ text: `suspended: ${g.suspended.join(", ")}`, kind: "short" }] : []),
    ...(again(g) ? [{ text: again(g), kind: "fresh" }] : []),
    ...(g.refreshing ? [{ text: "instance refresh", kind: "short" }] : []),
  ];
}

const recent = 60_000; // milliseconds of the sandbox's time

const lock = "signalbox:lock"; // the tag of a deploy: "job-3 until 2026-03-04T10:30:00Z"

// again says that a group runs again that was kept still, which may have been too short
// to be seen.
function again(g) {
  if (g.suspended.length || !g.resumed || now() - Date.parse(g.resumed) > recent) return "";
  const was = g.untagged && g.untagged.key === lock ? ` after ${g.untagged.value.split(" until ")[0]}` : "";
  return `its processes run again${was}`;
}

function lockOf(g) {
  const [job, until] = (g.tags[lock] || "").split(" until ");
  return until ? `${job}, until ${new Date(until).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })} at most` : job;
}

const tasksOn = (i) => (i.tasks ? Object.values(i.tasks.of).reduce((a, b) => a + b, 0) : 0);

// tasksOf says "6 api, 3 mail".
const tasksOf = (i) => Object.entries(i.tasks.of).sort().map(([group, n]) => `${n} ${group.replace(/^service:/, "")}`).join(", ");

// kindOf is "" for an instance that works, and else what it does.
function kindOf(i) {
  if (i.status === "draining" || /^(EnteringStandby|Standby|Terminating|Detach)/.test(i.lifecycle) || ["shutting-down", "stopping", "stopped"].includes(i.state)) return "leaving";
  if (i.lifecycle.startsWith("Pending") || i.state === "pending" || i.pools.some((p) => p.state === "initial")) return "coming";
  if (i.spot_notice || i.unit === "stopped" || !i.reachable || i.pools.some((p) => !p.takes)) return "wrong";
  return "";
}

function card(i) {
  const kind = kindOf(i);
  const takes = i.pools.some((p) => p.takes);
  const [sign, says] = kind === "wrong" ? ["✕", "something is wrong"] : kind ? ["◐", kind] : takes ? ["●", "takes requests"] : ["○", "in no load balancer"];
  return h("li", { class: "instance " + (kind || (takes ? "serving" : "idle")), "data-name": nameOf(i) },
    h("p", { class: "top" },
      h("span", { class: "sign", role: "img", "aria-label": says, title: says }, sign),
      h("strong", { title: i.id }, nameOf(i)),
      kind && i.status && h("span", { class: "tag" }, i.status),
      !kind && i.mackerel === "standby" && h("span", { class: "tag" }, "Mackerel: standby"),
      !["leaving", "coming"].includes(kind) && h("button", { type: "button", class: "quiet", "aria-label": `Drain ${nameOf(i)}…`, onclick: () => drain(i.word) }, "Drain…")),
    kind ? h("dl", {}, rows(i, kind).map(([name, value, left, full]) => h("div", {}, h("dt", {}, name), h("dd", {}, value), full && h("progress", { value: left, max: full, "aria-hidden": "true" })))) : h("p", { class: "facts" }, i.status && h("span", { class: "tag" }, i.status), facts(i).map((f) => h("span", {}, f))));
}

// facts are those of an instance that works, in a line.
function facts(i) {
  return [
    ...(i.group ? [] : [i.role]),
    i.lifecycle,
    ...i.pools.map((p) => `${p.name}: ${p.state}`),
    i.tasks ? (tasksOn(i) ? `tasks: ${tasksOf(i)}` : "no tasks") : "app runs",
    i.connections ? count(i.connections, "connection") : "",
    i.buffer_bytes ? `${bytes(i.buffer_bytes)} buffered` : "",
    i.mackerel && i.mackerel !== "standby" ? `Mackerel: ${i.mackerel}` : "",
  ].filter(Boolean);
}

// rows are those of one that comes, goes, or is in trouble.
function rows(i, kind) {
  const list = [["Lifecycle", i.lifecycle || i.state]];
  if (i.lifecycle && i.state !== "running") list.push(["State", i.state]);
  for (const p of i.pools) list.push([`Pool ${p.name}`, p.state]);
  if (!i.pools.length && i.group) list.push(["Pools", kind === "coming" ? "not in yet" : "out of all"]);
  if (kind !== "coming" && i.state === "running") {
    list.push(["Connections", i.connections || "none", i.connections, i.full.connections]);
    list.push(["Log buffer", i.buffer_bytes ? bytes(i.buffer_bytes) : "empty", i.buffer_bytes, i.full.bytes]);
  }
  if (i.tasks) list.push([`Tasks (${i.tasks.status})`, tasksOf(i) || "none", tasksOn(i), i.full.tasks]);
  if (i.state === "running") list.push([i.tasks ? "Docker" : "Application", i.unit]);
  if (i.state === "running" || i.mackerel !== "retired") list.push(["Mackerel", i.mackerel || "no host yet"]);
  if (i.state === "running" && kind !== "coming" && !i.reachable) list.push(["SSM agent", "silent"]);
  if (i.spot_notice) list.push(["Spot", "is taken back"]);
  return list;
}

const count = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

function bytes(n) {
  const units = ["B", "KB", "MB", "GB"];
  let u = 0;
  for (; n >= 1024 && u < units.length - 1; u++) n /= 1024;
  return `${Number(n.toFixed(1))} ${units[u]}`;
}

// drain writes the command; sending it is left to the person.
async function drain(name) {
  showPane("chat");
  if (view.state.home) await choose({ channel: "ops" });
  compose(`/ops drain ${name}`);
}

const hash = "#instances";

export function startFleet() {
  for (const b of document.querySelectorAll("[data-pane=fleet], #sides [data-pane=forge], #tabs [data-pane=forge]")) {
    b.addEventListener("click", () => history.replaceState(null, "", location.pathname + (b.dataset.pane === "fleet" ? hash : "")));
  }
  addEventListener("popstate", () => {
    if (location.hash === hash) showPane("fleet");
    else if ($("main").dataset.side === "fleet") showPane("forge");
  });
  if (location.hash === hash) showPane("fleet");
  setInterval(lookAtFleet, pause);
}
