// What the pages do beyond links and forms: fresh rows, a start that shows how it gets on, a form that previews.
// Each works without this file too. Times are written in the reader's zone, corrected by nothing but the server's text.
"use strict";

(() => {
  const xsrf = document.querySelector('meta[name="nb-xsrf"]')?.content ?? "";
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  class Refused extends Error {
    constructor(status, error) {
      super(error.title);
      this.status = status;
      this.error = error;
    }
  }

  /** Asks this service. Raises Refused with title, why and next; a login that ended is one of them. */
  async function ask(url, options = {}) {
    const headers = { "X-XSRFToken": xsrf, ...options.headers };
    const answer = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(options.method ? 60000 : 15000), ...options, headers });
    if (answer.ok) return answer;
    const error =
      answer.type === "opaqueredirect"
        ? { title: "Log in again", why: "Your login has ended", next: [], reason: "log_in_again" }
        : await answer.json().then((body) => body.error, () => ({ title: "The page was not answered", why: "", next: [] }));
    throw new Refused(answer.status, error);
  }

  function says(error) {
    return [error.title, error.why, ...(error.next ?? [])]
      .filter(Boolean)
      .map((text) => (/[.!?]$/.test(text) ? text : text + "."))
      .join(" ");
  }

  // What was done, and what takes it back: 10 s, longer while somebody is at it ------------------------------------
  const prefix = document.querySelector('meta[name="nb-prefix"]')?.content ?? "/";
  let toastEnds = 0;
  function toast(text, undo) {
    const box = document.getElementById("nb-toast");
    box.replaceChildren(Object.assign(document.createElement("span"), { textContent: text }));
    if (undo) {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Undo" });
      button.addEventListener("click", () => takeBack(undo, button));
      box.append(button);
    }
    box.hidden = false;
    hideToastIn(10000);
  }

  function hideToastIn(milliseconds) {
    clearTimeout(toastEnds);
    toastEnds = setTimeout(() => {
      const box = document.getElementById("nb-toast");
      if (box.matches(":hover") || box.contains(document.activeElement)) hideToastIn(2000);
      else box.hidden = true;
    }, milliseconds);
  }

  async function takeBack(undo, button) {
    button.disabled = true;
    try {
      const done = await act(undo.url, new URLSearchParams(undo.fields));
      button.blur();
      if (list) {
        toast(done.said);
        await freshRows(true);
      } else later(done.said, null, () => location.reload());
    } catch (refused) {
      toast(told(refused));
    }
  }

  /** Does an action; answers what was said of it. Raises Refused. */
  async function act(url, body) {
    const answer = await ask(url, { method: "POST", headers: { Accept: "application/json" }, body });
    return answer.json();
  }

  function told(refused) {
    return refused instanceof Refused ? says(refused.error) : "The Hub does not answer. Try again in a moment.";
  }

  /** Shows a toast on the page that comes next. */
  function later(said, undo, go) {
    sessionStorage.setItem("nb-toast", JSON.stringify({ said, undo }));
    go();
  }

  function toastOfBefore() {
    const kept = sessionStorage.getItem("nb-toast");
    if (!kept) return;
    sessionStorage.removeItem("nb-toast");
    const { said, undo } = JSON.parse(kept);
    toast(said, undo);
  }

  // Times ------------------------------------------------------------------------------------------------------
  function localTimes(within = document) {
    for (const time of all("time[data-nb-time]", within)) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      time.title = at.toLocaleString();
      if (time.dataset.nbTime !== "clock") continue;
      const clock = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
      const today = at.toDateString() === new Date().toDateString();
      time.textContent = today ? clock : `${at.getDate()}\u00a0${at.toLocaleString("en", { month: "short" })} ${clock}`;
    }
  }

  // Buttons that say what they do --------------------------------------------------------------------------------
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const button = event.submitter ?? one("button[type=submit]", form);
    if (button?.hasAttribute("data-nb-plain")) return;
    if (form.dataset.nbAsk && !form.dataset.nbAsked) {
      event.preventDefault();
      askFirst(form, button);
      return;
    }
    delete form.dataset.nbAsked;
    if (!form.matches("[data-nb-inplace]")) {
      if (button?.dataset.nbBusy) busy(button);
      return;
    }
    event.preventDefault();
    const body = new URLSearchParams(new FormData(form));
    if (button?.name) body.append(button.name, button.value);
    if (button?.dataset.nbBusy) busy(button);
    inPlace(form, button, body);
  });

  function busy(button) {
    button.dataset.nbWas = button.textContent;
    button.textContent = button.dataset.nbBusy;
    setTimeout(() => (button.disabled = true));
  }

  function freed(button) {
    if (!button?.dataset.nbWas) return;
    button.textContent = button.dataset.nbWas;
    button.disabled = false;
  }

  window.addEventListener("pageshow", (event) => {
    if (event.persisted) all("[data-nb-was]").forEach(freed);
  });

  const SLOW = 10000;
  async function inPlace(form, button, body) {
    const row = form.closest(".rw");
    const problem = one("[data-nb-problem]", form);
    if (problem) problem.textContent = "";
    const slow = setTimeout(() => {
      freed(button);
      complain(row, problem, "There is no answer yet. It may still come about; you can try again.");
    }, SLOW);
    try {
      const done = await act(form.action, body);
      clearTimeout(slow);
      form.closest("dialog")?.close();
      const then = form.dataset.nbThen;
      if (then === "reload") return later(done.said, done.undo, () => location.reload());
      if (then === "list") return later(done.said, done.undo, () => location.assign(prefix));
      if (then === "page") return later(done.said, done.undo, () => location.assign(done.page));
      toast(done.said, done.undo);
      if (list) {
        await freshRows(true);
        turnIn(1000);
      } else freed(button);
    } catch (refused) {
      clearTimeout(slow);
      freed(button);
      complain(row, problem, told(refused));
    }
  }

  function complain(row, problem, text) {
    if (problem) problem.textContent = text;
    else rowSays(row, text);
  }

  // Dialogs: the question, what happens, Cancel first ---------------------------------------------------------------
  function askFirst(form, button) {
    const dialog = document.getElementById("nb-dialog-ask");
    if (!dialog) return form.requestSubmit(button);
    one("h2", dialog).textContent = form.dataset.nbAsks;
    one("[data-nb-why]", dialog).textContent = form.dataset.nbAsk;
    const line = one("[data-nb-line]", dialog);
    line.textContent = form.dataset.nbAskLine ?? "";
    line.hidden = !line.textContent;
    const yes = one("[data-nb-yes]", dialog);
    yes.textContent = button?.textContent.trim() ?? "Go on";
    yes.onclick = () => {
      dialog.close();
      form.dataset.nbAsked = "1";
      form.requestSubmit(button);
    };
    dialog.showModal();
  }

  const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`);

  function openDialog(button) {
    const dialog = document.getElementById(`nb-dialog-${button.dataset.nbDialog}`);
    const form = one("form", dialog);
    form.action = `${button.dataset.nbPage}/${form.dataset.nbVerb}`;
    const field = form.elements.name;
    const line = one("[data-nb-line]", form);
    const write = () => {
      const words = { called: button.dataset.nbCalled, name: quoted(field.value) };
      line.textContent = line.dataset.nbLine.replace(/\{(\w+)\}/g, (_, name) => words[name]);
    };
    field.value = button.dataset.nbTitle;
    field.oninput = write;
    write();
    one("[data-nb-problem]", form).textContent = "";
    dialog.onclose = () => one('[data-bs-toggle="dropdown"]', button.closest(".dropdown"))?.focus();
    dialog.showModal();
    field.select();
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-nb-dialog], [data-nb-close], [data-nb-copies]");
    if (!button) return;
    if (button.hasAttribute("data-nb-dialog")) openDialog(button);
    else if (button.hasAttribute("data-nb-close")) button.closest("dialog").close();
    else {
      await navigator.clipboard.writeText(button.dataset.nbCopies);
      toast("Copied.");
    }
  });

  function rowSays(row, text) {
    if (!row) return toast(text);
    let box = one(".msg", row);
    if (!box) {
      box = document.createElement("div");
      box.className = "msg";
      box.setAttribute("role", "cell");
      row.append(box);
    }
    box.classList.add("t-err");
    box.dataset.nbRefused = "";
    box.textContent = text;
  }

  // The list: rows are replaced by id, every 5 s while something moves, else every 30 s -------------------------------
  const list = one("[data-nb-rows]");
  const part = list?.hasAttribute("data-nb-part"); // the server has more rows than are here
  let freshAt = Date.now();
  let freshTimer = 0;

  /** Whether a row stays as it is: its menu is open, or, unless its reader just did something, somebody is in it. */
  const inUse = (row, did) => one(".show", row) || (!did && (row.contains(document.activeElement) || one("[data-nb-refused]", row)));

  const nameOf = (element) => element.getAttribute("aria-label") ?? element.textContent.trim();

  function replaceRow(old, fresh) {
    const focused = old.contains(document.activeElement) ? nameOf(document.activeElement) : null;
    const made = document.importNode(fresh, true);
    old.replaceWith(made);
    if (focused === null) return;
    const same = all("a, button", made).find((element) => nameOf(element) === focused);
    (same ?? one(".name a", made))?.focus();
  }

  /** Takes over the rows as they are now. did: the reader just did something, and sees what came of it. */
  async function freshRows(did = false) {
    if (!list) return;
    const address = new URL(list.dataset.nbRows, location);
    const wanted = one("[data-nb-list-filter] [data-nb-find]")?.value.trim();
    if (part && wanted) address.searchParams.set("find", wanted);
    const answer = await ask(address);
    const piece = document.createElement("template");
    piece.innerHTML = await answer.text();
    for (const fresh of all(".rw", piece.content)) {
      const old = document.getElementById(fresh.id);
      if (!old) list.append(document.importNode(fresh, true));
      else if (!inUse(old, did) && old.outerHTML !== fresh.outerHTML) {
        announce(one(".name a", old)?.textContent, one(".nb-badge", old)?.textContent, one(".nb-badge", fresh)?.textContent);
        replaceRow(old, fresh);
      }
    }
    const kept = new Set(all(".rw", piece.content).map((row) => row.id));
    for (const row of all(".rw", list)) if (!kept.has(row.id) && !inUse(row, did)) row.remove();
    localTimes(list);
    filterRows();
    freshAt = Date.now();
    updated();
  }

  function announce(name, before, after) {
    const said = one("[data-nb-said]");
    if (said && name && before !== after) said.textContent = `${name}: ${after}.`;
  }

  let lost = false;
  function updated(problem) {
    const line = one("[data-nb-updated]");
    if (!line) return;
    const seconds = Math.round((Date.now() - freshAt) / 1000);
    const since = new Date(freshAt).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
    line.classList.toggle("t-err", lost || Boolean(problem));
    one("[data-nb-retry]").hidden = !lost;
    if (problem) line.textContent = problem;
    else if (lost || seconds > 60) line.textContent = line.dataset.nbAway.replace("{at}", since);
    else line.textContent = seconds < 2 ? "Updated just now" : `Updated ${seconds}\u00a0s ago`;
  }

  async function turn() {
    if (!document.hidden) {
      try {
        await freshRows();
        lost = false;
        updated();
      } catch (refused) {
        const login = refused instanceof Refused && refused.error.reason === "log_in_again";
        lost = !login;
        updated(login ? "Log in again: reload this page" : undefined);
      }
    }
    turnIn(lost || one("[data-nb-moves]", list) ? 5000 : 30000);
  }

  function turnIn(milliseconds) {
    clearTimeout(freshTimer);
    freshTimer = setTimeout(turn, milliseconds);
  }

  function filterRows() {
    const find = one("[data-nb-list-filter] [data-nb-find]");
    if (!find || !list) return;
    const wanted = find.value.trim().toLowerCase();
    let shown = 0;
    for (const row of all(".rw", list)) {
      row.hidden = !row.dataset.nbSearch.includes(wanted);
      if (!row.hidden) shown += 1;
    }
    const none = one("[data-nb-none]");
    if (none) none.hidden = shown > 0;
  }

  if (list) {
    turnIn(one("[data-nb-moves]", list) ? 5000 : 30000);
    setInterval(() => updated(), 5000);
    one("[data-nb-retry]")?.addEventListener("click", turn);
    document.addEventListener("visibilitychange", () => !document.hidden && Date.now() - freshAt > 5000 && turn());
    one("[data-nb-list-filter] [data-nb-find]")?.addEventListener("input", (event) => {
      const address = new URL(location.href);
      if (event.target.value) address.searchParams.set("find", event.target.value);
      else address.searchParams.delete("find");
      history.replaceState(null, "", address);
      filterRows();
      if (part) {
        clearTimeout(freshTimer);
        freshTimer = setTimeout(turn, 200);
      }
    });
  }

  // One notebook: its moving part, from the stream --------------------------------------------------------------------
  const live = one("[data-nb-live]");
  const pace = { at: 0, done: 0, perSecond: 0 };

  function timeLeft(progress) {
    if (!progress) return;
    const now = performance.now() / 1000;
    if (!pace.at || progress.done_bytes < pace.done) Object.assign(pace, { at: now, done: progress.done_bytes, perSecond: 0 });
    else if (now - pace.at >= 2) {
      const speed = (progress.done_bytes - pace.done) / (now - pace.at);
      pace.perSecond = pace.perSecond ? 0.6 * pace.perSecond + 0.4 * speed : speed;
      Object.assign(pace, { at: now, done: progress.done_bytes });
    }
    const line = one("[data-nb-left]", live);
    if (!line || pace.perSecond <= 0) return;
    const seconds = Math.ceil((progress.total_bytes - progress.done_bytes) / pace.perSecond);
    line.textContent = seconds < 90 ? `About ${seconds}\u00a0s left.` : `About ${Math.round(seconds / 60)}\u00a0min left.`;
  }

  let spoken = -1;
  function speak(event) {
    const said = one("[data-nb-said]");
    const quarter = event.progress ? Math.floor((4 * event.progress.done_bytes) / Math.max(1, event.progress.total_bytes)) : -1;
    const now = `${event.state} ${quarter}`;
    if (said && now !== spoken) said.textContent = event.sentence;
    spoken = now;
  }

  let opening = live?.hasAttribute("data-nb-opens");
  function show(event) {
    if (opening && event.state === "RUNNING" && event.ready) {
      location.replace(event.lands);
      return;
    }
    if (opening && !event.asked && (event.state === "ERROR" || event.state === "STOPPED")) opening = false;
    const open = all("details[open]", live).map((each) => each.dataset.nbKeepOpen);
    const focused = live.contains(document.activeElement) ? document.activeElement.closest("form")?.action : null;
    live.innerHTML = event.html;
    for (const name of open) one(`details[data-nb-keep-open="${name}"]`, live)?.setAttribute("open", "");
    if (focused) all("form", live).find((form) => form.action === focused)?.querySelector("button")?.focus();
    localTimes(live);
    timeLeft(event.progress);
    speak(event);
  }

  async function follow() {
    let moves = live.hasAttribute("data-nb-moves");
    for (;;) {
      if (!document.hidden || moves) {
        try {
          moves = await stream();
        } catch (refused) {
          if (refused instanceof Refused) toast(says(refused.error));
          if (refused instanceof Refused && refused.status < 500) return;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, moves ? 1000 : 15000));
    }
  }

  async function stream() {
    const answer = await ask(live.dataset.nbLive, { headers: { Accept: "text/event-stream" }, signal: null });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    let last = null;
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return last !== null && ["STARTING", "STOPPING"].includes(last.state);
      text += value;
      const parts = text.split("\n\n");
      text = parts.pop();
      for (const part of parts) {
        if (!part.startsWith("data: ")) continue;
        last = JSON.parse(part.slice(6));
        show(last);
      }
    }
  }

  if (live) follow();

  // New notebook: the form previews what it will do ------------------------------------------------------------------------
  const startForm = one("[data-nb-start-form]");

  /** The same as names.server_name. */
  function serverName(title, taken) {
    const plain = title.normalize("NFKD").replace(/[^\x00-\x7f]/g, "").toLowerCase();
    const trimmed = plain.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").replace(/^[^a-z]+/, "");
    const base = trimmed.slice(0, 30).replace(/^-+|-+$/g, "") || "notebook";
    let name = base;
    for (let number = 2; taken.includes(name); number += 1) {
      const ending = `-${number}`;
      name = base.slice(0, 30 - ending.length).replace(/-+$/, "") + ending;
    }
    return name;
  }

  function preview() {
    const ticked = one("input[name=profile]:checked", startForm);
    const name = startForm.elements.name.value;
    const taken = startForm.dataset.nbTaken.split(" ").filter(Boolean);
    one("[data-nb-address]").textContent = serverName(name || "Notebook", taken);
    if (!ticked) return;
    const size = one(`select[name="flavor-${CSS.escape(ticked.value)}"]`, startForm)?.selectedOptions[0];
    one("[data-nb-profile]").textContent = ticked.value;
    one("[data-nb-price]").textContent = size?.dataset.nbPrice ?? ticked.dataset.nbPrice;
    one("[data-nb-help]").textContent = size?.dataset.nbHelp ?? ticked.dataset.nbHelp;
    const offered = ticked.dataset.nbEditors.split(" ");
    for (const editor of all("input[name=editor]", startForm)) {
      editor.disabled = !offered.includes(editor.value);
      if (editor.disabled) editor.checked = false;
    }
    const free = all("input[name=editor]:not(:disabled)", startForm);
    if (free.length && !free.some((editor) => editor.checked)) free[0].checked = true;
    for (const box of all("[data-nb-of]", startForm)) {
      const chosen = box.dataset.nbOf === ticked.value;
      one("select", box).disabled = !chosen;
    }
    const words = ["jupyterhub-notebooks", "notebook", "create", ...(name ? [quoted(name)] : []), "--profile", ticked.value];
    if (size) words.push("--flavor", size.value);
    for (const field of ["project", "repo", "file"]) {
      const given = startForm.elements[field];
      const value = given && (given.type !== "checkbox" || given.checked) ? given.value : "";
      if (value) words.push(`--${field}`, quoted(value));
    }
    one("[data-nb-command]", startForm).textContent = words.join(" ");
  }

  if (startForm) {
    startForm.addEventListener("input", preview);
    preview();
  }

  // The filter of the cards ---------------------------------------------------------------------------------------------------
  const cardFilter = one("[data-nb-filter]");
  if (cardFilter) {
    const find = one("[data-nb-find]", cardFilter);
    let kind = "all";
    const most = Number(one("[data-nb-most]")?.dataset.nbMost ?? 0);
    const more = one("[data-nb-more]");
    let everything = false;
    const apply = () => {
      const wanted = find.value.trim().toLowerCase();
      let shown = 0;
      let kept = 0;
      const short = more && !everything && !wanted && kind === "all";
      for (const card of all(".nb-card")) {
        const kinds = card.dataset.nbKinds.split(" ");
        const matches = card.dataset.nbSearch.includes(wanted) && (kind === "all" || kinds.includes(kind));
        const late = short && matches && shown >= most && !one("input:checked", card);
        kept += late ? 1 : 0;
        card.hidden = !matches || late;
        const size = one(`[data-nb-of="${CSS.escape(one("input", card).value)}"]`);
        if (size) size.hidden = card.hidden;
        if (!card.hidden) shown += 1;
      }
      for (const heading of all("[data-nb-group]")) {
        let next = heading.nextElementSibling;
        let any = false;
        while (next && !next.matches("[data-nb-group]")) {
          any = any || (next.matches(".nb-card") && !next.hidden);
          next = next.nextElementSibling;
        }
        heading.hidden = !any;
      }
      one("[data-nb-none]").hidden = shown > 0;
      if (more) {
        more.hidden = kept === 0;
        one("button", more).textContent = `Show ${kept} more`;
        one("span", more).textContent = `${shown} of ${shown + kept} shown`;
      }
    };
    if (more) {
      one("button", more).addEventListener("click", () => {
        const next = all(".nb-card").find((card) => card.hidden);
        everything = true;
        apply();
        one("input", next)?.focus();
      });
      apply();
    }
    find.addEventListener("input", apply);
    find.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
    for (const chip of all("[data-nb-kind]", cardFilter)) {
      chip.addEventListener("click", () => {
        kind = chip.dataset.nbKind;
        for (const other of all("[data-nb-kind]", cardFilter)) other.setAttribute("aria-pressed", String(other === chip));
        apply();
      });
    }
    one("[data-nb-clear]")?.addEventListener("click", () => {
      find.value = "";
      one('[data-nb-kind="all"]', cardFilter)?.click();
      apply();
      find.focus();
    });
  }

  // Small things ------------------------------------------------------------------------------------------------------------------
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-nb-copy], [data-nb-copy-of]");
    if (!button) return;
    const of = button.dataset.nbCopyOf;
    const from = of ? document.getElementById(of) : one("[data-nb-command]", button.closest(".nb-cmd"));
    await navigator.clipboard.writeText(from.textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });

  // Keys: outside of fields only, and only where they are not switched off -----------------------------------------------
  const KEYS_OFF = "nb-keys-off";
  const keys = one("[data-nb-keys-off]");
  if (keys) {
    keys.checked = localStorage.getItem(KEYS_OFF) === "1";
    keys.addEventListener("change", () => localStorage.setItem(KEYS_OFF, keys.checked ? "1" : "0"));
  }

  function rowOf(element) {
    return element.closest?.(".nb-list .rw");
  }

  function toRow(step) {
    const rows = all(".rw", list).filter((row) => !row.hidden);
    const at = rows.indexOf(rowOf(document.activeElement));
    one(".name a", rows[Math.max(0, Math.min(rows.length - 1, at + step))])?.focus();
  }

  function press(row, names) {
    for (const name of names) {
      const button = one(`form[action$="/${name}"] button`, row);
      if (button) return button.click();
    }
  }

  const ALONE = {
    "/": () => one("[data-nb-find]")?.focus(),
    n: () => one("[data-nb-new]")?.click(),
    "?": () => document.getElementById("nb-dialog-keys")?.showModal(),
    s: (row) => row && press(row, ["start", "stop"]),
    w: (row) => row && press(row, ["extend"]),
  };

  document.addEventListener("keydown", (event) => {
    const inField = event.target.closest?.("input, textarea, select, [contenteditable], dialog, .dropdown-menu");
    if (inField || event.ctrlKey || event.metaKey || event.altKey) return;
    if (list && (event.key === "ArrowDown" || event.key === "ArrowUp") && !event.target.closest("[data-bs-toggle]")) {
      event.preventDefault();
      toRow(event.key === "ArrowDown" ? 1 : -1);
      return;
    }
    const does = ALONE[event.key];
    if (!does || (keys?.checked && event.key !== "?")) return;
    event.preventDefault();
    does(rowOf(event.target));
  });

  // Settings: what a choice means, before it is made --------------------------------------------------------------------
  const settings = one("[data-nb-set]");
  async function meaning() {
    const chosen = settings.elements.profile.value;
    for (const box of all("[data-nb-of]", settings)) {
      box.hidden = box.dataset.nbOf !== chosen;
      one("select", box).disabled = box.hidden;
    }
    const given = new URLSearchParams(new FormData(settings));
    given.delete("_xsrf");
    const box = one("[data-nb-preview]", settings);
    try {
      box.innerHTML = await (await ask(`${settings.dataset.nbSet}?${given}`)).text();
    } catch (refused) {
      box.textContent = told(refused);
    }
  }
  if (settings) {
    settings.addEventListener("change", meaning);
    for (const box of all("[data-nb-of]", settings)) {
      box.hidden = box.dataset.nbOf !== settings.elements.profile.value;
      one("select", box).disabled = box.hidden;
    }
  }

  // Parts that take a moment: read once the page is there -------------------------------------------------------------
  for (const box of all("[data-nb-part]:not([data-nb-rows])")) {
    ask(box.dataset.nbPart).then(
      async (answer) => {
        box.innerHTML = await answer.text();
        localTimes(box);
      },
      () => {}, // the link to it stays
    );
  }

  // Files of a snapshot: the buttons say how many are ticked ---------------------------------------------------------------
  const files = one("[data-nb-files]");
  const readable = (path) => {
    try {
      return decodeURIComponent(path);
    } catch {
      return path; // its bytes are no text
    }
  };
  function ticked() {
    const number = all("input[name=paths]:checked", files).length;
    const words = number === 1 ? "1 file or folder" : `${number} files and folders`;
    one("[data-nb-ticked]", files).textContent = number ? `Restore ${words}` : "Restore what is ticked";
    for (const button of all("button[name=copies]", files)) button.disabled = !number;
    const paths = all("input[name=paths]:checked", files).map((box) => quoted(readable(box.value)));
    const line = one("main > .nb-gap [data-nb-command]");
    if (line) line.textContent = [files.dataset.nbFiles, ...(paths.length ? paths : ["PATH"])].join(" ");
  }
  if (files) {
    files.addEventListener("change", ticked);
    ticked();
  }

  one("[data-nb-error]")?.focus();
  toastOfBefore();
  localTimes();
})();
