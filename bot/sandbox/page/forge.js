// The GitHub pane: pull requests, read and changed by GitHub's own API as the
// person one is.
import { $, ago, h, toast } from "./dom.js";
import { inline, markdown } from "./markdown.js";
import { now, refresh, showPane, token, view } from "./app.js";

let seen = 0; // the newest change that was drawn
let drawnAs = "";
let tab = "talk";
let busy = false;
let again = false; // something changed while it was being drawn

async function api(path, method = "GET", body) {
  const r = await fetch("/api/v3" + path, {
    cache: "no-cache", // GitHub lets answers be kept for a minute; here they are asked for again
    method, headers: { Authorization: "Bearer " + token(), Accept: "application/vnd.github+json", ...(body ? { "Content-Type": "application/json" } : {}) },
    body: body && JSON.stringify(body),
  });
  const out = r.status === 204 ? {} : await r.json();
  if (!r.ok) throw new Error(out.message + (out.errors ? ": " + out.errors.map((e) => e.message || e).join(", ") : ""));
  return out;
}

export function drawForge(s) {
  const as = view.user + location.pathname + tab;
  if (s.github === seen && as === drawnAs) return;
  if (busy) {
    again = true;
    return;
  }
  const fresh = drawnAs !== as;
  busy = true;
  const at = s.github;
  page().then((nodes) => {
    seen = at;
    drawnAs = as;
    const pane = $("#forge");
    const top = pane.scrollTop;
    const open = new Set([...pane.querySelectorAll("details[open] > summary")].map((n) => n.textContent));
    pane.replaceChildren(...nodes);
    for (const n of pane.querySelectorAll("details > summary")) if (open.has(n.textContent)) n.parentNode.open = true;
    pane.scrollTop = fresh ? 0 : top;
  }).catch((err) => {
    seen = at;
    drawnAs = as;
    $("#forge").replaceChildren(h("p", { class: "crumbs" }, h("a", { href: "/" }, "Pull requests")), h("p", { class: "nothing" }, err.message));
  }).finally(() => {
    busy = false;
    if (again) {
      again = false;
      drawForge(view.state);
    }
  });
}

function page() {
  const m = location.pathname.match(/^\/([^/]+\/[^/]+)\/(pull|commit|compare|tree)\/(.+)$/);
  if (m && m[2] === "pull") return pull(m[1], parseInt(m[3], 10));
  if (m && m[2] === "commit") return commit(m[1], m[3]);
  if (m && m[2] === "compare") return compare(m[1], m[3]);
  return overview();
}

const stateOf = (p) => (p.merged_at ? "merged" : p.state === "closed" ? "closed" : "open");
const short = (sha) => sha.slice(0, 7);
const rel = (when) => h("time", { title: new Date(when).toLocaleString() }, ago(when, now()));

async function overview() {
  const all = (await Promise.all(view.state.repos.map((r) => api(`/repos/${r}/pulls?state=all&sort=updated&direction=desc&per_page=30`).then((l) => l.map((p) => ({ ...p, repo: r })))))).flat();
  all.sort((a, b) => Date.parse(b.updated_at) - Date.parse(a.updated_at));
  const group = (title, list, none) => [h("h3", {}, title), list.length ? h("ul", { class: "pulls" }, list.map(row)) : h("p", { class: "nothing" }, none)];
  return [
    h("header", { class: "forge-head" }, h("h2", {}, "Pull requests"), h("p", {}, view.state.repos.join(" · "))),
    ...group("Open", all.filter((p) => stateOf(p) === "open"), "None is open. A deploy opens one."),
    ...group("Done", all.filter((p) => stateOf(p) !== "open"), "None yet."),
  ].flat();
}

function row(p) {
  const s = stateOf(p);
  return h("li", {}, h("a", { href: `/${p.repo}/pull/${p.number}` },
    h("span", { class: "state " + s, title: s }, { open: "◔", merged: "✓", closed: "✕" }[s]),
    h("span", { class: "title" }, h("strong", {}, p.title), h("small", {}, `${p.repo}#${p.number} · ${p.user.login} · `, s === "open" ? "opened " : s + " ", rel(p.merged_at || p.closed_at || p.created_at)))));
}

async function pull(repo, n) {
  const at = `/repos/${repo}`;
  const p = await api(`${at}/pulls/${n}`);
  const [commits, files, comments, reviews, status] = await Promise.all([
    api(`${at}/pulls/${n}/commits?per_page=100`), api(`${at}/pulls/${n}/files?per_page=100`), api(`${at}/issues/${n}/comments?per_page=100`),
    api(`${at}/pulls/${n}/reviews?per_page=100`), api(`${at}/commits/${p.head.sha}/status?per_page=100`),
  ]);
  const s = stateOf(p);
  const pick = (name, label, count) => h("button", { type: "button", "aria-pressed": tab === name ? "true" : "false", onclick: () => { tab = name; refresh(true); } }, label, count !== undefined && h("span", { class: "count" }, count));
  return [
    h("p", { class: "crumbs" }, h("a", { href: "/" }, "Pull requests"), ` / ${repo}`),
    h("header", { class: "pull-head" }, h("h2", {}, p.title, h("span", { class: "number" }, ` #${n}`)),
      h("p", {}, h("span", { class: "badge " + s }, s), " ", h("strong", {}, p.user.login), s === "merged" ? " had " : " wants to merge ", `${p.commits} ${p.commits === 1 ? "commit" : "commits"} into `, h("code", {}, p.base.ref), " from ", h("code", {}, p.head.ref))),
    h("nav", { class: "row tabs" }, pick("talk", "Conversation"), pick("commits", "Commits", p.commits), pick("files", "Files", p.changed_files)),
    tab === "commits" ? commitList(repo, commits) : tab === "files" ? diff(files) : talk(repo, p, comments, reviews, status),
  ].flat();
}

function talk(repo, p, comments, reviews, status) {
  const entries = [
    ...comments.map((c) => ({ at: c.created_at, node: note(c.user.login, ["commented ", rel(c.created_at), c.updated_at !== c.created_at && " · edited"], c.body) })),
    ...reviews.map((r) => ({ at: r.submitted_at, node: note(r.user.login, [{ APPROVED: "approved ✓ ", CHANGES_REQUESTED: "asked for changes ", DISMISSED: "’s review was dismissed " }[r.state] || "reviewed ", rel(r.submitted_at)], r.body, r.state) })),
  ];
  if (p.merged_at) entries.push({ at: p.merged_at, node: h("p", { class: "event merged" }, "✓ ", h("strong", {}, p.merged_by.login), " merged ", h("code", {}, short(p.merge_commit_sha)), " into ", h("code", {}, p.base.ref), " ", rel(p.merged_at)) });
  else if (p.closed_at) entries.push({ at: p.closed_at, node: h("p", { class: "event" }, "✕ closed without a merge ", rel(p.closed_at)) });
  entries.sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
  return [note(p.user.login, ["opened ", rel(p.created_at)], p.body), ...entries.map((e) => e.node), checks(status), stateOf(p) === "open" ? merge(repo, p) : null].filter(Boolean);
}

function note(who, head, body, kind) {
  return h("article", { class: "note " + (kind || "").toLowerCase() }, h("header", {}, h("strong", {}, who), " ", head), body ? h("div", { class: "md" }, markdown(body)) : null);
}

function checks(status) {
  if (!status.statuses.length) return null;
  const sign = { success: "✓", pending: "◌", failure: "✕", error: "✕" };
  return h("div", { class: "checks" }, h("h4", {}, "Checks"), status.statuses.map((x) => h("p", { class: x.state }, h("span", { class: "sign" }, sign[x.state]), h("strong", {}, x.context), h("small", {}, x.description || x.state))));
}

function merge(repo, p) {
  const at = `/repos/${repo}/pulls/${p.number}`;
  const go = (label, cls, f, disabled) => h("button", {
    type: "button", class: cls, disabled,
    onclick: async (e) => {
      const b = e.currentTarget;
      b.disabled = true;
      b.classList.add("busy");
      try {
        await f();
      } catch (err) {
        toast("GitHub: " + err.message, true);
      }
      b.classList.remove("busy");
      b.disabled = false;
      drawnAs = "";
      refresh(true);
    },
  }, label);
  return h("div", { class: "merge" },
    h("p", { class: "row" },
      go("Merge pull request", "primary", () => api(at + "/merge", "PUT", { merge_method: "merge", sha: p.head.sha }), p.mergeable === false),
      go("Approve", "", () => api(at + "/reviews", "POST", { event: "APPROVE" })),
      go("Close", "quiet", () => api(at, "PATCH", { state: "closed" }))),
    h("p", { class: "faint" }, p.mergeable === false ? "It has conflicts with its base. " : "", "As ", h("strong", {}, view.user), ", on GitHub."));
}

function commitList(repo, commits) {
  return [h("ul", { class: "commits" }, [...commits].reverse().map((c) => h("li", {}, h("a", { href: `/${repo}/commit/${c.sha}` }, h("code", {}, short(c.sha))), h("span", {}, inline(c.commit.message.split("\n")[0])), h("small", {}, (c.author && c.author.login) || c.commit.author.name))))];
}

function diff(files) {
  return files.map((f) => h("details", { class: "diff", open: true }, h("summary", {}, h("code", {}, f.previous_filename ? `${f.previous_filename} → ${f.filename}` : f.filename), h("small", {}, ` +${f.additions} −${f.deletions}`)),
    h("pre", {}, (f.patch || "(no text)").split("\n").map((l) => h("span", { class: l[0] === "+" ? "add" : l[0] === "-" ? "del" : l[0] === "@" ? "at" : "" }, l + "\n")))));
}

async function commit(repo, sha) {
  const c = await api(`/repos/${repo}/commits/${sha}`);
  return [h("p", { class: "crumbs" }, h("a", { href: "/" }, "Pull requests"), ` / ${repo}`),
    h("header", { class: "pull-head" }, h("h2", {}, c.commit.message.split("\n")[0]), h("p", {}, h("strong", {}, (c.author && c.author.login) || c.commit.author.name), " ", h("code", {}, short(c.sha)))), ...diff(c.files || [])];
}

async function compare(repo, range) {
  const c = await api(`/repos/${repo}/compare/${range}`);
  return [h("p", { class: "crumbs" }, h("a", { href: "/" }, "Pull requests"), ` / ${repo}`),
    h("header", { class: "pull-head" }, h("h2", {}, decodeURIComponent(range)), h("p", {}, `${c.total_commits} commits`)), ...commitList(repo, c.commits), ...diff(c.files || [])];
}

// Links to this GitHub are followed in the pane.
export function startForge() {
  document.addEventListener("click", (e) => {
    const a = e.target.closest && e.target.closest("a[href]");
    if (!a || e.metaKey || e.ctrlKey || e.shiftKey) return;
    const u = new URL(a.href);
    const ours = u.pathname === "/" || /^\/acme\/[^/]+\/(pull|commit|compare)\//.test(u.pathname);
    if (u.origin !== location.origin || !ours) return;
    e.preventDefault();
    history.pushState(null, "", u.pathname);
    tab = "talk";
    showPane("forge");
    refresh(true);
  });
  addEventListener("popstate", () => refresh(true));
  if (location.pathname !== "/") showPane("forge");
}
