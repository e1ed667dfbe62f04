// The Slack pane: channels, messages, the thread beside them, modals.
import { $, h, keyed, link, send, toast } from "./dom.js";
import { blocks, mrkdwn, readBy } from "./mrkdwn.js";
import { choose, refresh, view } from "./app.js";

const hints = ["/ops deploy web to staging", "/ops drain web-3", "/ops status", "/ops help"];

const zoneOf = (s) => (s.people.find((p) => p.name === view.user) || {}).zone;

const lastSeen = () => JSON.parse(localStorage.getItem("seen-" + view.user) || "{}");

export function drawChat(s) {
  readBy(zoneOf(s), s.now);
  drawChannels(s);
  drawShortcuts(s);
  const c = s.channels.find((x) => x.id === s.channel);
  $("#composer").hidden = !!s.home;
  if (s.home) return drawHome(s);
  homeOf = "";
  $("#channel-name").textContent = c.name[0] === "@" ? c.name : "# " + c.name;
  $("#channel-topic").replaceChildren(...mrkdwn(c.name[0] === "@" ? "You and the bot" : c.topic, s.names));
  const box = $("#composer textarea");
  box.placeholder = `Message ${c.name[0] === "@" ? c.name : "#" + c.name}, or /ops help`;
  drawList($("#messages"), s.messages, false, s.channel + view.user);
  $("#thread").hidden = !view.thread;
  if (view.thread) drawList($("#thread-messages"), s.thread || [], true, view.thread);
  drawModal((s.modals || []).at(-1));
}

let homeOf = ""; // whose Home tab was opened last

// drawHome shows what the bot published for one person. Looking at it opens it, as
// in Slack.
function drawHome(s) {
  $("#channel-name").textContent = "⌂ Home";
  $("#channel-topic").textContent = "What the bot shows to " + view.user + " alone";
  $("#thread").hidden = true;
  keyed($("#messages"), [{ key: "home" + view.user, home: s.home }], (x) => x.key, drawItem);
  if (shown.get($("#messages")) !== "home" + view.user) $("#messages").scrollTop = 0;
  shown.set($("#messages"), "home" + view.user);
  drawModal((s.modals || []).at(-1));
  if (homeOf === view.user) return;
  homeOf = view.user;
  act("/sim/slack/home", {}, []);
}

// told repeats what was answered elsewhere: on the Home tab and by a shortcut, the
// bot can only answer by a direct message.
function told(out) {
  if (out && out.response) toast("signalbox, directly: " + out.response.text.split("\n")[0]);
}

async function pressHome(e, value, from) {
  if (e.options && !value) return;
  if (e.confirm && !(await ask(e.confirm))) return;
  told(await act("/sim/slack/click", { home: true, action_id: e.action_id, value: value || e.value || "" }, [from]));
}

async function take(shortcut, m, from) {
  const on = m ? { channel: view.state.channel, ts: m.ts } : {};
  told(await act("/sim/slack/shortcut", { callback_id: shortcut.callback_id, ...on }, [from]));
}

function drawChannels(s) {
  const seen = lastSeen();
  const current = s.channels.find((c) => c.id === s.channel);
  if (current && current.last) {
    seen[current.id] = current.last;
    localStorage.setItem("seen-" + view.user, JSON.stringify(seen));
  }
  keyed($("#channels"), s.channels.map((c) => ({
    id: c.id, name: c.name, on: c.id === s.channel, fresh: c.last > (seen[c.id] || ""),
  })), (c) => c.id, (c) => h("button", {
    type: "button", class: c.fresh ? "fresh" : "", "aria-current": c.on ? "true" : false,
    onclick: () => choose({ channel: c.name }),
  }, h("span", { class: "sigil" }, { "@": "@", "~": "⌂" }[c.name[0]] || "#"), c.name[0] === "~" ? "Home" : c.name.replace(/^@/, "")));
}

const shown = new WeakMap(); // what each list last drew, to know when to jump to its end

function drawList(list, messages, inThread, what) {
  const fresh = shown.get(list) !== what;
  const atEnd = fresh || list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  shown.set(list, what);
  const day = (ts) => new Date(ts * 1000).toDateString();
  const items = [];
  messages.forEach((m, i) => {
    const prev = messages[i - 1];
    if (!prev || day(prev.ts) !== day(m.ts)) items.push({ key: "day" + m.ts, day: day(m.ts) });
    const joined = prev && prev.user === m.user && m.ts - prev.ts < 240 && day(prev.ts) === day(m.ts) && prev.ephemeral === m.ephemeral;
    items.push({ key: m.ts + (m.ephemeral ? "e" : ""), m, joined, inThread, zone: zoneOf(view.state) });
  });
  if (!items.length) items.push({ key: "empty", empty: true });
  keyed(list, items, (x) => x.key, drawItem);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function drawItem(x) {
  if (x.day) return h("li", { class: "day" }, h("span", {}, x.day));
  if (x.empty) return welcome();
  if (x.home) {
    return h("li", { class: "home" }, (x.home.blocks || []).length ? blocks(x.home.blocks, view.state.names, pressHome) : h("p", { class: "nothing" }, "The bot has published nothing here yet."));
  }
  const { m } = x;
  const names = view.state.names;
  const list = m.blocks || [];
  const body = list.length ? blocks(list, names, (e, value, from) => press(m, e, value, from)) : [h("div", { class: "section" }, mrkdwn(m.text, names))];
  return h("li", { class: ["message", m.bot ? "bot" : "", m.ephemeral ? "ephemeral" : "", x.joined ? "joined" : ""].join(" "), "data-ts": m.ts },
    h("span", { class: "face f-" + (m.name || "x")[0], "aria-hidden": "true" }, m.bot ? "▤" : (m.name || "?")[0].toUpperCase()),
    h("div", { class: "body" },
      m.ephemeral && h("p", { class: "only" }, "◉ Only visible to you"),
      h("p", { class: "by" }, h("strong", {}, m.name || m.user), m.bot && h("span", { class: "tag" }, "APP"), h("time", {}, clock(m.ts)), m.edited && h("span", { class: "edited" }, "(edited)")),
      body,
      (m.files || []).map((f) => f.picture
        ? h("p", { class: "file" }, link(f.url, h("img", { src: f.url, alt: f.alt || f.title || f.name, title: f.title || f.name })))
        : h("p", { class: "file" }, link(f.url, "📄 " + (f.title || f.name)), h("small", {}, ` ${f.size} bytes`))),
      !m.ephemeral && h("p", { class: "replies" },
        !x.inThread && m.replies > 0 && h("button", { type: "button", class: "quiet", onclick: () => choose({ thread: m.ts }) }, `${m.replies} ${m.replies === 1 ? "reply" : "replies"}`),
        h("span", { class: "more" },
          !x.inThread && !m.replies && h("button", { type: "button", class: "quiet", onclick: () => choose({ thread: m.ts }) }, "Reply in thread"),
          view.state.shortcuts.filter((s) => s.message).map((s) => h("button", { type: "button", class: "quiet", onclick: (e) => take(s, m, e.currentTarget) }, "⚡ " + s.name))))));
}

// drawShortcuts fills the ⚡ menu beside the composer.
function drawShortcuts(s) {
  keyed($("#shortcuts > div"), s.shortcuts.filter((x) => !x.message), (x) => x.callback_id, (x) => h("button", {
    type: "button", class: "quiet", onclick: (e) => { $("#shortcuts").open = false; take(x, null, e.currentTarget); },
  }, x.name));
}

const clock = (ts) => new Date(ts * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

function welcome() {
  return h("li", { class: "welcome" },
    h("h3", {}, "Nothing has been said here yet."),
    h("p", {}, "Type a command, or take one of these:"),
    h("p", { class: "row" }, hints.map((t) => h("button", { type: "button", onclick: () => compose(t) }, t))));
}

// compose puts a text into the message box, for the person to send.
export function compose(text) {
  const box = $("#composer textarea");
  box.value = text;
  box.dispatchEvent(new Event("input"));
  box.focus();
}

// act does something as the person, and shows what Slack itself would show.
async function act(path, body, busy) {
  busy.forEach((b) => b && (b.disabled = true));
  let out = null;
  try {
    out = await send(path, { user: view.user, ...body });
  } catch (err) {
    toast(err.message, true);
  }
  busy.forEach((b) => b && (b.disabled = false));
  await refresh(true);
  return out;
}

async function press(m, e, value, from) {
  if (e.options && !value) return;
  if (e.confirm && !(await ask(e.confirm))) return;
  if (from.classList) from.classList.add("busy");
  await act("/sim/slack/click", { channel: view.state.channel, ts: m.ts, action_id: e.action_id, value: value || e.value || "" }, [from]);
  if (from.classList) from.classList.remove("busy");
}

function ask(c) {
  const d = $("#confirm");
  return new Promise((done) => {
    d.replaceChildren(
      h("h3", {}, (c.title && c.title.text) || "Are you sure?"),
      h("div", {}, mrkdwn(c.text && c.text.text, view.state.names)),
      h("p", { class: "row end" },
        h("button", { type: "button", onclick: () => d.close("no") }, (c.deny && c.deny.text) || "Cancel"),
        h("button", { type: "button", class: c.style === "danger" ? "danger" : "primary", onclick: () => d.close("yes") }, (c.confirm && c.confirm.text) || "Yes")));
    d.addEventListener("close", () => done(d.returnValue === "yes"), { once: true });
    d.returnValue = "no";
    d.showModal();
  });
}

let modalDrawn = "";

function drawModal(m) {
  const d = $("#modal");
  const text = m ? JSON.stringify(m) : "";
  if (text === modalDrawn) return;
  modalDrawn = text;
  if (!m) return d.open && d.close();
  const kept = new Map(d.dataset.view === m.view_id ? [...d.querySelectorAll("[name]")].map((n) => [n.name, n.value]) : []); // it came back with errors
  d.dataset.view = m.view_id;
  const fields = (m.inputs || []).map((i) => field(i, kept, (m.errors || {})[i.block_id]));
  const rest = (m.blocks || []).filter((b) => b.type !== "input");
  const form = h("form", {},
    h("h3", {}, m.title), blocks(rest, view.state.names, () => {}), fields,
    h("p", { class: "row end" }, h("button", { type: "button", onclick: closeModal }, m.close || "Cancel"),
      m.submit || fields.length ? h("button", { class: "primary" }, m.submit || "Submit") : null));
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    const values = Object.fromEntries(new FormData(form));
    act("/sim/slack/submit", { view_id: m.view_id, values }, [...form.querySelectorAll("button")]);
  });
  d.replaceChildren(form);
  d.oncancel = (e) => { e.preventDefault(); closeModal(); };
  if (!d.open) d.showModal();

  function closeModal() {
    act("/sim/page/close", { view_id: m.view_id }, []);
  }
}

function field(i, kept, error) {
  const value = kept.has(i.block_id) ? kept.get(i.block_id) : i.value || "";
  const attrs = { name: i.block_id, id: "in-" + i.block_id, required: !i.optional };
  const input = i.options
    ? h("select", attrs, h("option", { value: "" }, "Choose…"), i.options.map((o) => h("option", { value: o.value, selected: o.value === value }, o.text)))
    : h("input", { ...attrs, type: "text", value, autocomplete: "off" });
  return h("p", { class: "field" }, h("label", { for: "in-" + i.block_id }, i.label, i.optional && h("small", {}, " optional")), input, i.hint && h("small", {}, i.hint), error && h("span", { class: "error" }, error));
}

const typed = []; // what was sent, for the arrow keys

function composer(form, thread) {
  const box = form.querySelector("textarea");
  const button = form.querySelector("button");
  let at = 0;
  let last = Promise.resolve(); // what is sent while something is on its way comes after it
  let waiting = 0;
  const grow = () => {
    box.rows = Math.min(6, box.value.split("\n").length);
  };
  box.addEventListener("input", grow);
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    const text = box.value.trim();
    if (!text) return;
    box.value = "";
    grow();
    at = typed.push(text);
    const body = { user: view.user, channel: view.state.channel, text };
    if (thread) body.thread_ts = view.thread;
    button.classList.toggle("busy", ++waiting > 0);
    last = last.then(() => act("/sim/slack/say", body, [])).then((said) => {
      if (!said && !box.value.trim()) box.value = text;
      button.classList.toggle("busy", --waiting > 0);
    });
    box.focus();
  });
  box.addEventListener("keydown", (e) => {
    if (e.key === "Enter" && !e.shiftKey && !e.isComposing) {
      e.preventDefault();
      form.requestSubmit();
    } else if (e.key === "ArrowUp" && (!box.value || box.value === typed[at]) && at > 0) {
      box.value = typed[--at];
    } else if (e.key === "ArrowDown" && box.value && box.value === typed[at]) {
      box.value = typed[++at] || "";
    }
  });
}

export function startChat() {
  composer($("#composer"), false);
  composer($("#thread-composer"), true);
  $("#thread-close").addEventListener("click", () => choose({ thread: "" }));
  $("#composer textarea").focus();
}
