// GitHub's Markdown, as much of it as pull requests and their comments use.
import { h, link } from "./dom.js";

const entities = { "&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": '"', "&#39;": "'", "&nbsp;": "\u00a0", "&#8203;": "\u200b", "&#124;": "|" };
const decode = (s) => s.replace(/&(?:lt|gt|amp|quot|nbsp|#39|#8203|#124);/g, (m) => entities[m]);

const mark = /\\([!-\/:-@[-`{-~])|(`+)([\s\S]*?[^`])\2(?!`)|\*\*(?=\S)([\s\S]*?\S)\*\*|(?<![\p{L}\p{N}*])\*(?=\S)([^*\n]*?\S)\*|(?<![\p{L}\p{N}_])_(?=\S)([^_\n]*?\S)_(?![\p{L}\p{N}])|~~(?=\S)([^~]*?\S)~~|\[((?:\\.|[^\]\\])*)\]\(<?((?:[^()\s<>]|\([^()\s]*\))+)>?\)|<(https?:\/\/[^>\s]+)>|(https?:\/\/[^\s<>()]+[^\s<>().,:;!?'"])|(?<![\p{L}\p{N}@/])@([A-Za-z0-9][A-Za-z0-9-]*)|<br\s*\/?>|<\/?(?:sub|sup|b|i|kbd|code)>/gu;

export function inline(text) {
  const out = [];
  let at = 0;
  for (const m of text.matchAll(mark)) {
    if (m.index > at) out.push(decode(text.slice(at, m.index)));
    at = m.index + m[0].length;
    if (m[1] !== undefined) out.push(m[1]);
    else if (m[3] !== undefined) out.push(h("code", {}, m[3].replace(/^ (.*) $/s, "$1")));
    else if (m[4] !== undefined) out.push(h("strong", {}, inline(m[4])));
    else if (m[5] !== undefined) out.push(h("em", {}, inline(m[5])));
    else if (m[6] !== undefined) out.push(h("em", {}, inline(m[6])));
    else if (m[7] !== undefined) out.push(h("s", {}, inline(m[7])));
    else if (m[8] !== undefined) out.push(link(decode(m[9]), inline(m[8])));
    else if (m[10] !== undefined) out.push(link(m[10], m[10]));
    else if (m[11] !== undefined) out.push(link(decode(m[11]), m[11]));
    else if (m[12] !== undefined) out.push(h("span", { class: "mention" }, "@" + m[12]));
    else if (/^<br/.test(m[0])) out.push(h("br"));
  }
  if (at < text.length) out.push(decode(text.slice(at)));
  return out;
}

const cells = (row) => row.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((c) => c.trim());

// markdown draws a text; what it does not know it draws as it was written.
export function markdown(src) {
  const lines = String(src || "").replace(/\r/g, "").replace(/<!--[\s\S]*?-->/g, "").split("\n");
  return parse(lines);
}

function parse(lines) {
  const out = [];
  let i = 0;
  const until = (stop) => {
    const got = [];
    while (i < lines.length && !stop(lines[i])) got.push(lines[i++]);
    return got;
  };
  const special = (l) => !l.trim() || /^\s*(#{1,6} |```|~~~|>|[-*+] |\d+[.)] |\||<details|<\/details)/.test(l) || /^\s*([-*_])(\s*\1){2,}\s*$/.test(l);
  while (i < lines.length) {
    const l = lines[i];
    let m;
    if (!l.trim()) i++;
    else if ((m = l.match(/^\s*(```+|~~~+)/))) {
      i++;
      const body = until((x) => x.trim().startsWith(m[1]));
      i++;
      out.push(h("pre", {}, body.join("\n")));
    } else if ((m = l.match(/^(#{1,6}) (.*)/))) {
      i++;
      out.push(h("h" + Math.min(6, m[1].length + 2), {}, inline(m[2].replace(/\s#+\s*$/, ""))));
    } else if (/^\s*([-*_])(\s*\1){2,}\s*$/.test(l)) {
      i++;
      out.push(h("hr"));
    } else if (/^\s*<details/.test(l)) out.push(details());
    else if (/^\s*>/.test(l)) out.push(h("blockquote", {}, parse(until((x) => !/^\s*>/.test(x)).map((x) => x.replace(/^\s*> ?/, "")))));
    else if (/^\s*\|/.test(l) && /^\s*\|?[\s:|-]+\|?\s*$/.test(lines[i + 1] || "")) out.push(table());
    else if ((m = l.match(/^(\s*)([-*+]|\d+[.)]) /))) out.push(list(m[1].length, /\d/.test(m[2])));
    else {
      const first = lines[i++];
      out.push(h("p", {}, inline([first, ...until(special)].join("\n"))));
    }
  }
  return out;

  function details() {
    let depth = 0;
    const start = i;
    for (; i < lines.length; i++) {
      depth += (lines[i].match(/<details/g) || []).length - (lines[i].match(/<\/details>/g) || []).length;
      if (depth === 0) break;
    }
    const all = lines.slice(start, ++i).join("\n").replace(/^\s*<details[^>]*>/, "").replace(/<\/details>\s*$/, "");
    const sum = all.match(/<summary>([\s\S]*?)<\/summary>/);
    return h("details", {}, h("summary", {}, inline(sum ? sum[1].trim() : "Details")), parse(all.replace(sum ? sum[0] : "", "").split("\n")));
  }
  function table() {
    const head = cells(lines[i]);
    i += 2;
    const rows = until((x) => !x.trim().startsWith("|")).map(cells);
    const named = head.some((c) => c);
    return h("div", { class: "scroll" }, h("table", {},
      named && h("thead", {}, h("tr", {}, head.map((c) => h("th", {}, inline(c))))),
      h("tbody", {}, rows.map((r) => h("tr", {}, r.map((c) => h("td", {}, inline(c))))))));
  }
  function list(indent, ordered) {
    const items = [];
    while (i < lines.length) {
      const m = lines[i].match(/^(\s*)([-*+]|\d+[.)]) (.*)/);
      if (!m || m[1].length < indent) break;
      const body = [m[3]];
      const width = m[1].length + m[2].length + 1;
      i++;
      while (i < lines.length) {
        const pad = lines[i].search(/\S/);
        if (pad <= m[1].length) break;
        body.push(lines[i++].slice(Math.min(width, pad)));
      }
      const task = body[0].match(/^\[([ xX])\] (.*)/);
      if (task) body[0] = task[2];
      const inner = parse(body);
      if (inner[0] && inner[0].tagName === "P") inner.splice(0, 1, ...inner[0].childNodes);
      items.push(h("li", {}, task && h("input", { type: "checkbox", disabled: true, checked: task[1] !== " " }), inner));
    }
    return h(ordered ? "ol" : "ul", {}, items);
  }
}
