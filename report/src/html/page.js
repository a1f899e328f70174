"use strict";
(() => {
  const table = document.getElementById("endpoints");
  if (!table) return;
  const body = table.tBodies[0], rows = [...body.rows];
  rows.forEach((row, at) => { row.number = at + 1; });

  // Sorting: a click on a title; numbers the largest first.
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  const value = (row, at) => {
    const text = row.cells[at].textContent.trim();
    const number = parseFloat(text.replace(/[\s\u202f+%]/g, ""));
    return at === 0 || isNaN(number) ? text : number;
  };
  const compare = (a, b) => typeof a === "number" && typeof b === "number" ? a - b
    : typeof a === "number" ? 1 : typeof b === "number" ? -1 : a.localeCompare(b);
  heads.forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.title = "sort";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = at === 0 ? head.ariaSort !== "ascending" : head.ariaSort === "descending";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const keyed = rows.map(row => [value(row, at), row]);
      keyed.sort((a, b) => (up ? 1 : -1) * compare(a[0], b[0]) || a[1].number - b[1].number);
      body.append(...keyed.map(pair => pair[1]));
    });
  });

  // Filtering: all words must be in the row.
  const tools = document.getElementById("tools"), input = tools.querySelector("input"), told = tools.querySelector("output");
  tools.hidden = false;
  const texts = rows.map(row => row.textContent.toLowerCase());
  const filter = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    rows.forEach((row, at) => {
      row.hidden = !words.every(word => texts[at].includes(word));
      left += row.hidden ? 0 : 1;
    });
    told.textContent = words.length ? `${left} of ${rows.length}` : "";
  };
  input.addEventListener("input", filter);

  // Curves: a click on an endpoint's name draws its distribution, another takes it away.
  const data = document.getElementById("curves"), key = document.getElementById("chosen");
  if (!data || !key) return;
  const { x, own, base } = JSON.parse(data.textContent);
  const svg = key.closest("figure").querySelector("svg"), more = svg.querySelector("#more");
  const colours = 6, names = ["all", ...rows.map(row => row.cells[0].textContent)];
  let chosen = [...key.querySelectorAll("li[data-n]")].map((item, at) => ({ n: Number(item.dataset.n), colour: at }));
  const path = ([points, end]) => points.map((y, at) => `${at ? "L" : "M"}${at + 1 === points.length ? end : x[at]} ${y}`).join("");
  const draw = () => {
    svg.querySelectorAll(":scope > .line").forEach(line => line.remove());
    more.replaceChildren();
    key.querySelectorAll("li[data-n]").forEach(item => item.remove());
    rows.forEach(row => row.classList.remove("chosen"));
    const last = key.querySelector("li");
    for (const { n, colour } of chosen) {
      for (const [set, name] of [[base, "line base"], [own, "line"]]) {
        if (!set[n]) continue;
        const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
        line.setAttribute("class", `${name} c${colour}`);
        line.setAttribute("d", path(set[n]));
        const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
        title.textContent = (set === base ? "baseline: " : "") + names[n];
        line.append(title);
        more.append(line);
      }
      const item = document.createElement("li"), swatch = document.createElement("span"), label = document.createElement("button");
      item.dataset.n = n;
      swatch.className = `swatch c${colour}`;
      label.type = "button";
      label.title = "take away";
      label.textContent = names[n];
      label.addEventListener("click", () => toggle(n));
      item.append(swatch, label);
      key.insertBefore(item, last);
      const row = rows.find(row => row.number === n);
      if (row) {
        row.classList.add("chosen");
        row.style.setProperty("--mark", `var(--c${colour})`);
      }
    }
  };
  const toggle = n => {
    if (chosen.some(one => one.n === n)) {
      chosen = chosen.filter(one => one.n !== n);
    } else {
      if (chosen.length === colours) chosen.splice(chosen[0].n === 0 ? 1 : 0, 1);
      const taken = chosen.map(one => one.colour);
      chosen.push({ n, colour: [...Array(colours).keys()].find(colour => !taken.includes(colour)) });
    }
    draw();
  };
  rows.forEach(row => {
    const code = row.cells[0].querySelector("code");
    if (!own[row.number] || !code) return;
    code.setAttribute("role", "button");
    code.tabIndex = 0;
    code.addEventListener("click", () => toggle(row.number));
    code.addEventListener("keydown", event => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); toggle(row.number); }
    });
  });
  draw();
})();
