// The keyboard, and the way from one problem of a list to the next. Everything works without this file, with more clicks.
"use strict";
(function () {
  const KEY = "pacsqc.list";

  function rows() {
    return Array.from(document.querySelectorAll("table.work tbody tr")).filter((row) => row.querySelector("a.go"));
  }

  function move(by) {
    const all = rows();
    if (!all.length) return;
    const now = all.findIndex((row) => row.classList.contains("here"));
    const next = Math.min(Math.max(now + by, 0), all.length - 1);
    all.forEach((row, place) => row.classList.toggle("here", place === next));
    const link = all[next].querySelector("a.go");
    link.focus({ preventScroll: true });
    all[next].scrollIntoView({ block: "nearest" });
  }

  function remember() {
    const table = document.querySelector("table.work[data-list]");
    if (!table) return;
    const links = rows().map((row) => row.querySelector("a.go").getAttribute("href"));
    sessionStorage.setItem(KEY, JSON.stringify({ back: location.pathname + location.search, links: links }));
  }

  function neighbours() {
    const place = document.getElementById("neighbours");
    if (!place) return;
    const list = JSON.parse(sessionStorage.getItem(KEY) || "null");
    if (!list) return;
    const here = location.pathname + location.hash;
    let at = list.links.indexOf(here);
    if (at < 0) at = list.links.findIndex((link) => link.split("#")[0] === location.pathname);
    place.replaceChildren();
    function add(word, target, key) {
      if (!target) return;
      const link = document.createElement("a");
      link.href = target;
      link.textContent = word;
      link.dataset.key = key;
      place.append(link, " ");
    }
    add("← list", list.back, "u");
    if (at >= 0) {
      add("previous", list.links[at - 1], "p");
      add("next", list.links[at + 1], "n");
      place.append(`${at + 1} of ${list.links.length}; keys p, n, u`);
    }
  }

  function keys(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, select, textarea")) return;
    if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else {
      const link = document.querySelector(`a[data-key="${CSS.escape(event.key)}"]`);
      if (link) link.click();
      else return;
    }
    event.preventDefault();
  }

  // a click into the picture of a test says where the centre of the phantom is
  function pick(event) {
    const svg = event.target.closest("[data-pick] svg.picture");
    if (!svg) return;
    const place = svg.closest("[data-pick]");
    const box = svg.getBoundingClientRect();
    const at = { col: (event.clientX - box.left) / box.width * place.dataset.columns - 0.5, row: (event.clientY - box.top) / box.height * place.dataset.rows - 0.5 };
    for (const axis of ["row", "col"]) {
      const field = document.getElementsByName(`${place.dataset.pick}.center_${axis}_px`)[0];
      if (field) field.value = Math.max(0, at[axis]).toFixed(1);
    }
  }

  function fresh() {
    remember();
    neighbours();
  }

  document.addEventListener("keydown", keys);
  document.addEventListener("click", pick);
  document.addEventListener("DOMContentLoaded", fresh);
  window.addEventListener("hashchange", neighbours);
  document.addEventListener("htmx:afterSettle", fresh);
  // an answer that is no success (a refused form) is shown as well, not swallowed
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.status >= 400) location.assign(event.detail.pathInfo.responsePath || location.href);
  });
})();
