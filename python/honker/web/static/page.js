// The page without this script can be read and used. The script keeps it up to date, and adds keys and dialogs.
"use strict";
(() => {
  const root = document.body.dataset.root;
  const live = document.getElementById("live");
  const trouble = document.getElementById("trouble");
  const say = (state, text) => { live.dataset.state = state; live.firstElementChild.textContent = text; };

  // ---------------------------------------------------------------------------------------------- relative times

  const units = [[86400, "d"], [3600, "h"], [60, "min"]];
  const short = (seconds) => {
    for (const [size, name] of units) if (seconds >= size) return `${Math.floor(seconds / size)} ${name}`;
    return `${Math.floor(seconds)} s`;
  };
  const tick = (within) => {
    const now = Date.now() / 1000;
    for (const each of within.querySelectorAll("time[data-at]")) {
      const distance = Number(each.dataset.at) - now;
      const text = Math.abs(distance) < 1 ? "now" : distance > 0 ? `in ${short(distance)}` : `${short(-distance)} ago`;
      if (each.textContent !== text) each.textContent = text;
    }
  };
  setInterval(() => { if (!document.hidden) tick(document); }, 1000);

  // ------------------------------------------------------------------------- changing the page into a newer one

  // Elements keep their identity by id or data-key, so that focus, selection and open details survive.
  const keyOf = (node) => (node.nodeType === 1 ? node.id || node.dataset.key || "" : "");
  const isSame = (one, other) =>
    one.nodeType === other.nodeType && one.nodeName === other.nodeName && keyOf(one) === keyOf(other);
  const kept = { INPUT: ["checked", "value"], DETAILS: ["open"], TEXTAREA: ["value"], SELECT: ["value"] };

  function morph(old, fresh) {
    if (old.nodeType !== 1) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    const mine = kept[old.nodeName] || [];
    for (const { name, value } of fresh.attributes) {
      if (!mine.includes(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    for (const { name } of [...old.attributes]) {
      if (!mine.includes(name) && name !== "class" && !fresh.hasAttribute(name)) old.removeAttribute(name);
    }
    if (old.nodeName === "INPUT" && old.type === "hidden") old.value = fresh.value;
    morphChildren(old, fresh);
  }

  function morphChildren(old, fresh) {
    const known = new Map();
    for (const each of old.children) if (keyOf(each)) known.set(keyOf(each), each);
    let place = old.firstChild;
    for (const wanted of [...fresh.childNodes]) {
      let found = place && isSame(place, wanted) ? place : null;
      const key = keyOf(wanted);
      if (!found && key && known.has(key) && isSame(known.get(key), wanted)) found = known.get(key);
      if (!found) {
        old.insertBefore(wanted, place);
        if (wanted.nodeName === "TR" && known.size) wanted.classList.add("is-new");
        continue;
      }
      if (found === place) place = place.nextSibling;
      else old.insertBefore(found, place);
      morph(found, wanted);
    }
    while (place) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
  }

  async function fetchPage(url, options = {}) {
    const answer = await fetch(url, { ...options, headers: { "honker-fragment": "1", accept: "text/html" }, redirect: "follow" });
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    return { answer, main: parsed.getElementById("main"), title: parsed.title };
  }

  const textOf = (error) =>
    [...error.querySelectorAll("h1, p:not(:has(a))")].map((each) => each.textContent.trim()).join(". ");

  let retrying = 0;
  function retry() {
    // One at a time, and not put off: errors may come faster than this.
    retrying ||= setTimeout(() => { retrying = 0; refresh(); }, 3000);
  }

  let isFetching = false;
  let isStale = false;
  let last = 0;
  // While the file is busy, there is a pause after each fetch that lasts three times as long. The first fetch, after the
  // page has connected, has none.
  async function refresh({ isFirst = false } = {}) {
    if (isFetching || document.hidden) { isStale = true; return; }
    isFetching = true;
    isStale = false;
    const began = performance.now();
    try {
      const { answer, main, title } = await fetchPage(location.href);
      const error = main && main.querySelector("[data-error]");
      if (answer.redirected && new URL(answer.url).pathname.endsWith("/login")) location.reload();
      if (!main || error) throw new Error(error ? textOf(error) : answer.statusText);
      tick(main);
      const isOfError = document.querySelector("main [data-error]");
      morph(document.getElementById("main"), main);
      document.title = title;
      trouble.hidden = true;
      if (isOfError) location.reload();
      document.dispatchEvent(new Event("honker:fresh"));
      if (source) say("on", "live");
    } catch (error) {
      trouble.textContent = `The page is not up to date: ${error.message || "the server does not answer"}`;
      trouble.hidden = false;
      say("lost", "not up to date");
      retry();
    }
    last = performance.now() - began;
    setTimeout(() => { isFetching = false; if (isStale) refresh(); }, isFirst ? 0 : Math.min(2000, Math.max(150, 3 * last)));
  }

  // A search that found nothing among the newest jobs goes on with older ones, a bounded step at a time.
  async function searchOn() {
    let link = document.querySelector("a[data-search-on]");
    while (link && !document.hidden) {
      const { main } = await fetchPage(link.href);
      if (!main) return;
      history.replaceState(null, "", link.href);
      morph(document.getElementById("main"), main);
      tick(document);
      link = document.querySelector("a[data-search-on]");
    }
  }
  searchOn();

  // --------------------------------------------------------------------------------------------- live updates

  let source = null;
  function connect() {
    if (source || document.hidden || !document.body.dataset.live) return;
    source = new EventSource(document.body.dataset.live);
    source.addEventListener("hello", () => { say("on", "live"); refresh({ isFirst: true }); });
    source.addEventListener("change", () => refresh());
    source.addEventListener("error", () => {
      say("lost", "reconnecting");
      retry();
      if (source.readyState !== EventSource.CLOSED) return;
      source = null;
      setTimeout(connect, 3000);
    });
  }
  // A browser has six connections to a server; hidden pages leave theirs to the others.
  function disconnect() {
    if (source) source.close();
    source = null;
    say("off", "not live");
  }
  document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", connect);
  connect();
  if (document.querySelector("[data-retry]")) retry();

  // ---------------------------------------------------------------------------------------------- dark and light

  const themeButton = document.getElementById("theme");
  themeButton.hidden = false;
  const isDark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  themeButton.addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    document.cookie = `honker_theme=${theme}; path=${root}/; max-age=31536000; samesite=strict`;
  });

  // ------------------------------------------------------------------------------------------------------ dialogs

  const keys = document.getElementById("keys");
  const ask = document.getElementById("ask");
  const help = document.getElementById("help");
  help.hidden = false;
  help.addEventListener("click", () => keys.showModal());

  // A form that asks first: the server answers it with a page of confirmation, which is shown in a dialog.
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.dataset.confirm === undefined || form.closest("dialog")) return;
    event.preventDefault();
    const body = new URLSearchParams(new FormData(form, event.submitter));
    const { answer, main } = await fetchPage(form.action, { method: "POST", body });
    const asked = main && main.querySelector(".confirm");
    const error = main && main.querySelector("[data-error]");
    if (error) {
      trouble.textContent = textOf(error);
      trouble.hidden = false;
      return;
    }
    if (!asked) {
      location.assign(answer.redirected ? answer.url : location.href);
      return;
    }
    ask.replaceChildren(asked);
    ask.showModal();
  });
  document.addEventListener("click", (event) => {
    const cancel = event.target.closest("#ask [data-cancel]");
    if (cancel) { event.preventDefault(); ask.close(); }
  });

  // ---------------------------------------------------------------------------------------------------- selection

  const boxes = () => [...document.querySelectorAll('input[type="checkbox"][name="ids"]')];
  function countSelection() {
    const selected = boxes().filter((each) => each.checked).length;
    const all = document.getElementById("select-all");
    if (all) {
      all.checked = selected > 0 && selected === boxes().length;
      all.indeterminate = selected > 0 && selected < boxes().length;
    }
    const text = document.getElementById("selected");
    if (text) text.textContent = selected ? `${selected} selected` : "Select jobs";
  }
  document.addEventListener("change", (event) => {
    if (event.target.id === "select-all") for (const each of boxes()) each.checked = event.target.checked;
    countSelection();
  });
  function showScripted() {
    for (const each of document.querySelectorAll("[data-script]")) each.hidden = false;
    countSelection();
  }
  document.addEventListener("honker:fresh", showScripted);
  showScripted();

  // ---------------------------------------------------------------------------------------------------------- keys

  let at = -1;
  const lines = () => [...document.querySelectorAll("table.rows > tbody > tr")];
  function move(step) {
    const all = lines();
    if (!all.length) return;
    const current = all.findIndex((each) => each.classList.contains("is-at"));
    at = Math.min(Math.max((current < 0 ? (step > 0 ? -1 : all.length) : current) + step, 0), all.length - 1);
    for (const each of all) each.classList.toggle("is-at", each === all[at]);
    const open = all[at].querySelector("a.open");
    if (open) open.focus({ preventScroll: true });
    all[at].scrollIntoView({ block: "nearest" });
  }
  let isGoing = false;
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input:not([type=checkbox]), textarea, select, dialog[open]");
    if (event.key === "Escape" && event.target.closest("input")) event.target.blur();
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isGoing) {
      isGoing = false;
      const link = [...document.querySelectorAll("nav a[data-key]")].find((each) => each.dataset.key === event.key);
      if (link) { event.preventDefault(); link.click(); }
      return;
    }
    const current = document.querySelector("tr.is-at");
    const actions = {
      "/": () => { const box = document.querySelector('input[type="search"]'); if (box) { box.focus(); box.select(); } },
      j: () => move(1),
      k: () => move(-1),
      x: () => { const box = current && current.querySelector('input[name="ids"]'); if (box) { box.click(); } },
      "?": () => keys.showModal(),
      t: () => themeButton.click(),
      g: () => { isGoing = true; setTimeout(() => { isGoing = false; }, 1500); },
    };
    if (actions[event.key]) { event.preventDefault(); actions[event.key](); }
  });

  // ------------------------------------------------------------------------------------- the navigation on a phone

  const here = document.querySelector("nav [aria-current]");
  if (here) here.scrollIntoView({ block: "nearest", inline: "center" });
})();
