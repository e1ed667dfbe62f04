// Building blocks of the page. Text always becomes a text node, so that nothing
// that anybody typed is ever read as HTML.

export function h(tag, attrs, ...children) {
  const node = document.createElement(tag);
  for (const [k, v] of Object.entries(attrs || {})) {
    if (v === false || v === null || v === undefined) continue;
    if (k.startsWith("on")) node.addEventListener(k.slice(2), v);
    else if (k === "value") node.value = v;
    else if (v === true) node.setAttribute(k, "");
    else node.setAttribute(k, v);
  }
  add(node, children);
  return node;
}

export function add(node, children) {
  for (const c of [children].flat(Infinity)) {
    if (c === null || c === undefined || c === false) continue;
    node.append(c);
  }
  return node;
}

export const $ = (sel) => document.querySelector(sel);

export function toast(text, bad) {
  const t = h("p", { class: bad ? "bad" : "" }, text);
  $("#toasts").append(t);
  setTimeout(() => t.remove(), bad ? 8000 : 4000);
}

// send posts JSON to the control API and throws its words when it refuses.
export async function send(path, body) {
  const r = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const out = await r.json().catch(() => ({}));
  if (!r.ok) throw new Error(out.error || `${r.status} ${r.statusText}`);
  return out;
}

// safeURL keeps links to the web and drops what could run. A link to this GitHub
// from before a restart leads to where it is now: its port may be another.
export function safeURL(url) {
  try {
    const u = new URL(url, location.origin);
    if (["127.0.0.1", "localhost", "[::1]"].includes(u.hostname) && /^\/(acme|slack\/files)\//.test(u.pathname)) return location.origin + u.pathname;
    return ["http:", "https:", "mailto:"].includes(u.protocol) ? u.href : null;
  } catch {
    return null;
  }
}

export function link(url, ...text) {
  const href = safeURL(url);
  if (!href) return h("span", {}, ...text);
  const here = href.startsWith(location.origin + "/");
  return h("a", here ? { href } : { href, target: "_blank", rel: "noreferrer" }, ...text);
}

export function ago(when, now) {
  const s = Math.max(0, (now - new Date(when)) / 1000);
  if (s < 60) return "just now";
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86400)} d ago`;
}

// keyed brings a list's children in line with items, and touches only what changed.
export function keyed(list, items, key, draw) {
  const old = new Map([...list.children].map((n) => [n.dataset.key, n]));
  let at = null;
  for (const item of items) {
    const k = String(key(item));
    const text = JSON.stringify(item);
    let node = old.get(k);
    old.delete(k);
    if (!node || node.drawn !== text) {
      const fresh = draw(item);
      fresh.dataset.key = k;
      fresh.drawn = text;
      if (node) node.replaceWith(fresh);
      node = fresh;
    }
    const next = at ? at.nextSibling : list.firstChild;
    if (next !== node) list.insertBefore(node, next);
    at = node;
  }
  for (const n of old.values()) n.remove();
}
