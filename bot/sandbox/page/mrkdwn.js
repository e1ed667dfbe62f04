// Slack's markup and blocks, drawn.
import { h, link } from "./dom.js";

const emoji = {
  white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌", warning: "⚠️", rocket: "🚀", lock: "🔒", unlock: "🔓", hourglass: "⌛",
  hourglass_flowing_sand: "⏳", large_green_circle: "🟢", large_yellow_circle: "🟡", red_circle: "🔴", white_circle: "⚪", large_blue_circle: "🔵",
  no_entry: "⛔", eyes: "👀", tada: "🎉", bell: "🔔", rotating_light: "🚨", question: "❓", information_source: "ℹ️", arrow_right: "➡️", black_circle: "⚫",
  double_vertical_bar: "⏸️", leftwards_arrow_with_hook: "↩️", wrench: "🔧", fire: "🔥", zzz: "💤", thumbsup: "👍", "+1": "👍",
};

const unescape = (s) => s.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");

let zone, today; // of who reads

// readBy sets the zone in which times are told, and what time it is.
export function readBy(name, now) { zone = name; today = new Date(now).getTime(); }

// dated is a time in Slack's words for it, in the zone of who reads.
function dated(at, form) {
  const day = (d) => d.toLocaleDateString("en-CA", { timeZone: zone });
  const short = at.toLocaleDateString("en-US", { timeZone: zone, year: "numeric", month: "short", day: "numeric" });
  const ago = [[0, "today"], [1, "yesterday"]].find(([n]) => day(new Date(today - n * 864e5)) === day(at));
  const words = {
    time: at.toLocaleTimeString("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" }),
    date_num: day(at), date_short: short, date_short_pretty: ago ? ago[1] : short,
  };
  return form.replace(/\{(\w+)\}/g, (token, name) => words[name] || token);
}

function reference(body, names) {
  const bar = body.indexOf("|");
  const target = bar < 0 ? body : body.slice(0, bar);
  const label = bar < 0 ? "" : unescape(body.slice(bar + 1));
  if (target[0] === "@") return h("span", { class: "mention" }, "@" + (names[target.slice(1)] || label || target.slice(1)));
  if (target[0] === "#") return h("span", { class: "mention" }, "#" + (names[target.slice(1)] || label || target.slice(1)));
  if (target[0] === "!") {
    const date = target.match(/^!date\^(\d+)\^([^^]*)/);
    if (date) return h("time", { title: label }, dated(new Date(date[1] * 1000), date[2]));
    return h("span", { class: "mention" }, "@" + (label || target.slice(1).split("^")[0]));
  }
  return link(unescape(target), label || unescape(target));
}

const inlineMark = /<([^<>\n]+)>|`([^`\n]+)`|(?<![\p{L}\p{N}])\*(?=\S)([^*\n]*\S)\*(?![\p{L}\p{N}])|(?<![\p{L}\p{N}])_(?=\S)([^_\n]*\S)_(?![\p{L}\p{N}])|(?<![\p{L}\p{N}])~(?=\S)([^~\n]*\S)~(?![\p{L}\p{N}])|:([a-z0-9_+-]+):/gu;

function inline(text, names) {
  const out = [];
  let at = 0;
  for (const m of text.matchAll(inlineMark)) {
    if (m.index > at) out.push(unescape(text.slice(at, m.index)));
    at = m.index + m[0].length;
    const [, ref, code, bold, italic, strike, face] = m;
    if (ref !== undefined) out.push(reference(ref, names));
    else if (code !== undefined) out.push(h("code", {}, unescape(code)));
    else if (bold !== undefined) out.push(h("strong", {}, inline(bold, names)));
    else if (italic !== undefined) out.push(h("em", {}, inline(italic, names)));
    else if (strike !== undefined) out.push(h("s", {}, inline(strike, names)));
    else out.push(emoji[face] || m[0]);
  }
  if (at < text.length) out.push(unescape(text.slice(at)));
  return out;
}

// mrkdwn draws a text in Slack's markup.
export function mrkdwn(text, names) {
  const out = [];
  String(text || "").split(/```\n?([\s\S]*?)```/).forEach((part, i) => {
    if (i % 2) return out.push(h("pre", {}, unescape(part.replace(/\n$/, ""))));
    part.replace(/^\n|\n$/g, "").split("\n").forEach((line, j) => {
      const quote = line.match(/^(?:&gt;|>)\s?(.*)/);
      if (j && !quote) out.push(h("br"));
      out.push(quote ? h("blockquote", {}, inline(quote[1], names)) : inline(line, names));
    });
  });
  return out;
}

function text(o, names) {
  if (!o) return [];
  return o.type === "mrkdwn" ? mrkdwn(o.text, names) : plain(o.text);
}

function plain(s) {
  return String(s || "").replace(/:([a-z0-9_+-]+):/g, (m, k) => emoji[k] || m);
}

function rich(block, names) {
  const leaf = (e) => {
    if (e.type === "link") return link(e.url, e.text || e.url);
    if (e.type === "user") return reference("@" + e.user_id, names);
    if (e.type === "emoji") return emoji[e.name] || `:${e.name}:`;
    let n = e.text || "";
    const s = e.style || {};
    if (s.code) n = h("code", {}, n);
    if (s.bold) n = h("strong", {}, n);
    if (s.italic) n = h("em", {}, n);
    return n;
  };
  return (block.elements || []).map((e) => {
    const inner = (e.elements || []).map((x) => (x.elements ? h("li", {}, x.elements.map(leaf)) : leaf(x)));
    if (e.type === "rich_text_preformatted") return h("pre", {}, inner);
    if (e.type === "rich_text_list") return h(e.style === "ordered" ? "ol" : "ul", {}, inner);
    if (e.type === "rich_text_quote") return h("blockquote", {}, inner);
    return h("p", {}, inner);
  });
}

// blocks draws a message's or a modal's blocks; press is called with an element
// that was used and the value chosen.
export function blocks(list, names, press) {
  const control = (e) => {
    if (e.type === "button") {
      const label = plain(e.text && e.text.text);
      if (e.url) return h("a", { class: `button ${e.style || ""}`, href: e.url, target: "_blank", rel: "noreferrer" }, label);
      return h("button", { class: e.style || "", type: "button", onclick: (ev) => press(e, "", ev.currentTarget) }, label);
    }
    if (e.options) {
      const pick = h("select", { onchange: () => press(e, pick.value, pick) }, h("option", { value: "" }, plain(e.placeholder && e.placeholder.text) || "Choose…"),
        e.options.map((o) => h("option", { value: o.value }, plain(o.text.text))));
      return pick;
    }
    return null;
  };
  return (list || []).map((b) => {
    switch (b.type) {
      case "header":
        return h("h3", {}, plain(b.text.text));
      case "divider":
        return h("hr");
      case "section":
        return h("div", { class: "section" },
          b.text && h("div", {}, text(b.text, names)),
          b.fields && h("dl", {}, b.fields.map((f) => h("div", {}, text(f, names)))),
          b.accessory && control(b.accessory));
      case "context":
        return h("div", { class: "context" }, (b.elements || []).map((e) => (e.type === "image" ? null : h("span", {}, text(e, names)))));
      case "actions":
        return h("div", { class: "actions" }, (b.elements || []).map(control));
      case "markdown":
        return h("div", { class: "section" }, mrkdwn(b.text, names));
      case "rich_text":
        return h("div", { class: "section" }, rich(b, names));
      default:
        return null;
    }
  });
}
