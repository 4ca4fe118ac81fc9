"use strict";
(() => {
  const { run, exhibits } = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const tested = run.contenders.filter((c) => c.kind !== "baseline").map((c) => c.name);
  const baseline = run.contenders[0].name;
  const figures = Object.fromEntries(run.metrics.map((m) => [m.name, m]));
  const images = run.sets.flatMap((s) => s.images.map((p) => ({ ...p, set: s.name })));
  const key = (set, name) => JSON.stringify([set, name]);
  const crops = new Map(exhibits.map((e) => [key(e.set, e.name), e.crops]));
  const shown = images.filter((p) => (crops.get(key(p.set, p.name)) || []).length);
  const state = { picture: null, crop: 0, left: baseline, right: null, cut: 0.5, zoom: 1, x: 0, y: 0 };

  // Everything is written as text: an image's name is never markup.
  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name.includes("-") || name === "role") element.setAttribute(name, value);
      else element[name] = value;
    }
    element.append(...children);
    return element;
  }
  function draw(tag, attributes, parent) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    parent.append(element);
    return element;
  }
  function figure(value, metric) {
    if (value === undefined || value === null) return metric.name === "psnr" ? "∞" : "–";
    return value.toFixed(metric.digits);
  }
  const signed = (value, digits) => (value === null ? "–" : (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits));
  function gain(picture, name, metric = "psnr") {
    const a = picture.scores[name][metric], b = picture.scores[baseline][metric];
    return a === null || b === null ? null : a - b;
  }
  function difference(set, name, metric) {
    const found = run.comparisons.find((c) => c.set === set && c.contender === name && c.against === baseline && c.metric === metric);
    return found && found.difference;
  }
  function interval(d, metric) {
    const unit = metric.name === "psnr" ? " dB" : "";
    if (d.mean === null) return "";
    const range = d.low === null ? "" : ` (${signed(d.low, metric.digits)} to ${signed(d.high, metric.digits)})`;
    return signed(d.mean, metric.digits) + unit + range;
  }
  const tone = (verdict) => ({ better: "good", worse: "bad" })[verdict] || "";

  function heading() {
    byId("title").textContent = `${run.sets.map((s) => s.name).join(", ")} at ×${run.protocol.scale}`;
    byId("lead").textContent = `${tested.join(", ") || "baselines"} beside ${baseline}: ${images.length} image${images.length === 1 ? "" : "s"}`;
    byId("protocol").textContent = run.protocol_text;
    for (const m of run.metrics) {
      const better = m.higher_is_better ? "higher is better" : "lower is better";
      byId("metrics").append(make("li", {}, `${m.label}: ${m.meaning}; ${better}`));
    }
    const failed = run.sets.flatMap((s) => s.failed);
    if (failed.length) byId("failed").append(make("p", {}, "Skipped:"), make("ul", {}, ...failed.map((f) => make("li", {}, f))));
    const notes = run.sets.flatMap((s) => s.notes.map((note) => `${s.name}: ${note}`));
    if (notes.length) byId("failed").append(make("p", {}, "Notes:"), make("ul", {}, ...notes.map((n) => make("li", {}, n))));
    for (const c of run.comparisons.filter((c) => c.metric === "psnr" && c.difference.mean !== null)) {
      const verdict = make("strong", { className: tone(c.difference.verdict) }, c.difference.verdict);
      byId("verdicts").append(make("li", {}, `${c.set}: ${c.contender} against ${c.against}: `, verdict, `, ${interval(c.difference, figures.psnr)}`));
    }
    for (const text of run.unmet) byId("verdicts").append(make("li", { className: "bad" }, text));
    const bytes = exhibits.flatMap((e) => e.crops.flatMap((c) => Object.values(c.layers))).reduce((sum, l) => sum + l.length, 0);
    const kinds = new Set(exhibits.flatMap((e) => e.crops.map((c) => (c.quality === null ? "without loss" : `at WebP quality ${c.quality}`))));
    byId("size").textContent = shown.length
      ? `The images here are crops, stored ${[...kinds].join(" or ")}; they take ${(bytes / 1e6).toFixed(1)} MB of this file. All figures are of the whole images before that.`
      : "This file holds no images: its size limit leaves no room for them.";
  }

  function summary() {
    const table = byId("summary");
    const heads = ["Set", "", ...run.metrics.map((m) => m.label), "gain over bicubic (95 %)", "verdict"];
    table.append(make("thead", {}, make("tr", {}, ...heads.map((h, i) => make("th", { className: i < 2 || i === heads.length - 1 ? "left" : "", scope: "col" }, h)))));
    for (const set of run.sets) {
      const body = make("tbody", { className: "set" });
      const best = Object.fromEntries(run.metrics.map((m) => {
        const values = run.contenders.map((c) => set.means[c.name][m.name]).filter((v) => v !== null);
        return [m.name, m.higher_is_better ? Math.max(...values) : Math.min(...values)];
      }));
      run.contenders.forEach((c, i) => {
        const row = make("tr");
        if (i === 0) row.append(make("th", { scope: "rowgroup", rowSpan: run.contenders.length }, set.name, make("small", {}, `${set.images.length} images`)));
        row.append(make("td", { className: "left" }, c.name));
        for (const m of run.metrics) {
          const value = set.means[c.name][m.name];
          row.append(make("td", { className: value === best[m.name] ? "best" : "" }, figure(value, m)));
        }
        const d = difference(set.name, c.name, "psnr");
        row.append(make("td", {}, d ? interval(d, figures.psnr) : ""), make("td", { className: `left ${d ? tone(d.verdict) : ""}` }, d ? d.verdict : ""));
        body.append(row);
      });
      table.append(body);
    }
  }

  const sorting = { column: tested.length ? tested[0] : "name", down: true };
  function pictureTable() {
    const columns = [
      { id: "name", label: "Image", value: (p) => p.name, left: true },
      ...tested.flatMap((name) => [
        { id: name, label: `${name} gain`, value: (p) => gain(p, name), text: (p) => signed(gain(p, name), 2) },
        { id: `${name} ssim`, label: "SSIM gain", value: (p) => gain(p, name, "ssim"), text: (p) => signed(gain(p, name, "ssim"), 4) },
      ]),
      { id: baseline, label: `${baseline} PSNR`, value: (p) => p.scores[baseline].psnr, text: (p) => figure(p.scores[baseline].psnr, figures.psnr) },
      { id: "size", label: "Size", value: (p) => p.width * p.height, text: (p) => `${p.width}×${p.height}` },
      { id: "set", label: "Set", value: (p) => p.set, left: true },
    ];
    const chosen = columns.find((c) => c.id === sorting.column);
    const order = (v) => (v === null ? Infinity : v);
    const rows = [...images].sort((p, q) => {
      const a = order(chosen.value(p)), b = order(chosen.value(q));
      const ascending = typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b;
      return (sorting.down ? -ascending : ascending) || p.name.localeCompare(q.name);
    });
    const head = make("tr", {}, ...columns.map((c) => {
      const press = make("button", { type: "button" }, c.label);
      press.addEventListener("click", () => {
        sorting.down = sorting.column === c.id ? !sorting.down : !c.left;
        sorting.column = c.id;
        pictureTable();
        byId("images").querySelector(`th[aria-sort] button`).focus();
      });
      const cell = make("th", { scope: "col", className: c.left ? "left" : "" }, press);
      if (c === chosen) cell.setAttribute("aria-sort", sorting.down ? "descending" : "ascending");
      return cell;
    }));
    const body = make("tbody", {}, ...rows.map((p) => {
      const look = crops.get(key(p.set, p.name));
      const row = make("tr", {}, ...columns.map((c) => {
        const text = c.text ? c.text(p) : c.value(p);
        return make("td", { className: c.left ? "left" : "" }, c.id === "name" && look ? make("button", { type: "button" }, text) : text);
      }));
      if (p === state.picture) row.setAttribute("aria-current", "true");
      if (look) row.addEventListener("click", () => { choose(p); byId("viewer").scrollIntoView({ block: "start" }); });
      return row;
    }));
    byId("images").replaceChildren(make("thead", {}, head), body);
  }

  function plot() {
    const rows = run.sets.flatMap((s) => tested.map((name) => ({ set: s.name, name, points: images.filter((p) => p.set === s.name && gain(p, name) !== null) })));
    const values = rows.flatMap((r) => r.points.map((p) => gain(p, r.name)));
    if (!values.length) return;
    const low = Math.min(0, ...values), high = Math.max(0, ...values), pad = (high - low || 1) * 0.05;
    const width = Math.max(320, byId("plot").clientWidth || 900), tall = 56, bottom = 34;
    const height = rows.length * tall + bottom;
    const at = (v) => 12 + ((v - low + pad) / (high - low + 2 * pad)) * (width - 24);
    const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Gain over bicubic of every image" }, document.createDocumentFragment());
    const step = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20].find((s) => (high - low) / s <= Math.max(4, width / 110)) || 50;
    for (let tick = Math.ceil((low - pad) / step) * step; tick <= high + pad; tick += step) {
      const zero = Math.abs(tick) < step / 100;
      draw("line", { x1: at(tick), x2: at(tick), y1: 0, y2: height - bottom + 4, class: zero ? "zero" : "" }, svg);
      draw("text", { x: at(tick), y: height - bottom + 18, "text-anchor": "middle", class: "axis" }, svg).textContent = zero ? "0 dB" : signed(tick, step < 0.1 ? 2 : step < 1 ? 1 : 0);
    }
    rows.forEach((row, i) => {
      const middle = i * tall + 36;
      draw("text", { x: 14, y: middle - 20, "font-weight": 600 }, svg).textContent = `${row.set} · ${row.name}`;
      const lanes = [];
      for (const p of [...row.points].sort((a, b) => gain(a, row.name) - gain(b, row.name))) {
        const x = at(gain(p, row.name));
        let lane = lanes.findIndex((end) => x - end > 8);
        if (lane < 0 || lane > 4) lane = lanes.length < 5 ? lanes.length : lanes.indexOf(Math.min(...lanes));
        lanes[lane] = x;
        const y = middle + (lane % 2 ? 1 : -1) * Math.ceil(lane / 2) * 6;
        const dot = draw("circle", { cx: x, cy: y, r: 4, fill: `var(--dot-${tested.indexOf(row.name) % 5})`, "data-picture": key(p.set, p.name) }, svg);
        draw("title", {}, dot).textContent = `${p.name}: ${signed(gain(p, row.name), 2)} dB`;
        if (crops.has(key(p.set, p.name))) dot.addEventListener("click", () => { choose(p); byId("viewer").scrollIntoView({ block: "start" }); });
      }
      const d = difference(row.set, row.name, "psnr");
      if (!d || d.mean === null) return;
      draw("line", { x1: at(d.mean), x2: at(d.mean), y1: middle - 16, y2: middle + 16, class: "mean" }, svg);
      if (d.low !== null) draw("line", { x1: at(d.low), x2: at(d.high), y1: middle, y2: middle, class: "mean" }, svg);
    });
    byId("plot").replaceChildren(svg);
  }

  // The images that gained least and most, each with the part that shows it.
  function extremes() {
    const name = tested[0];
    const ranked = shown.filter((p) => name && gain(p, name) !== null).sort((a, b) => gain(a, name) - gain(b, name));
    const count = Math.min(3, Math.floor(ranked.length / 2));
    const cards = (group, kind) => group.map((p) => {
      const all = crops.get(key(p.set, p.name)), index = Math.max(0, all.findIndex((c) => c.kind === kind));
      const { layers, width, height } = all[index];
      const pair = [baseline, name].map((n) => {
        const tile = make("span", { className: "tile" }, make("img", { src: `data:image/webp;base64,${layers[n]}`, alt: n }));
        tile.style.aspectRatio = `${width} / ${height}`;
        return tile;
      });
      const press = make("button", { type: "button" }, make("span", { className: "pair" }, ...pair), make("span", { className: "name" }, p.name), make("span", { className: "score" }, `${signed(gain(p, name), 2)} dB, ${kind}`));
      press.addEventListener("click", () => { choose(p, index); byId("viewer").scrollIntoView({ block: "start" }); });
      return press;
    });
    byId("extremes").replaceChildren(...cards(ranked.slice(0, count), "smallest gain"), ...cards(ranked.slice(ranked.length - count).reverse(), "largest gain"));
    byId("h-extremes").parentElement.hidden = !count;
    byId("extremes-note").textContent = `${baseline} beside ${name || ""}: the images that gained least, then those that gained most.`;
  }

  const crop = () => crops.get(key(state.picture.set, state.picture.name))[state.crop];
  const layers = () => ["LR", ...run.contenders.map((c) => c.name), "HR"].filter((name) => name in crop().layers);
  const source = (name) => `data:image/webp;base64,${crop().layers[name]}`;
  const label = (name) => (name === "LR" ? "LR (nearest)" : name);
  function scoreOf(name) {
    const s = state.picture.scores[name];
    return s ? `${figure(s.psnr, figures.psnr)} dB, ${figure(s.ssim, figures.ssim)}` : name === "HR" ? "reference" : "input";
  }

  function choose(picture, index = 0) {
    Object.assign(state, { picture, crop: index, zoom: 1, x: 0, y: 0 });
    showPicture();
  }
  function showPicture() {
    const all = crops.get(key(state.picture.set, state.picture.name));
    const names = layers();
    if (!names.includes(state.left)) state.left = names.includes(baseline) ? baseline : names[0];
    if (!names.includes(state.right)) state.right = tested.find((t) => names.includes(t)) || "HR";
    byId("picture").value = String(shown.indexOf(state.picture));
    byId("crops").replaceChildren(...all.map((c, i) => {
      const press = make("button", { type: "button", "aria-pressed": String(i === state.crop) }, c.kind);
      press.addEventListener("click", () => { Object.assign(state, { crop: i, zoom: 1, x: 0, y: 0 }); showPicture(); });
      return press;
    }));
    byId("left").replaceChildren(...names.map((n) => make("option", { value: n, selected: n === state.left }, label(n))));
    byId("right").replaceChildren(...names.map((n, i) => {
      const press = make("button", { type: "button", "aria-pressed": String(n === state.right), title: `key ${i + 1}` }, label(n));
      press.addEventListener("click", () => { state.right = n; showPicture(); });
      return press;
    }));
    byId("before").src = source(state.left);
    byId("after").src = source(state.right);
    byId("before").alt = label(state.left);
    byId("after").alt = label(state.right);
    byId("tag-left").textContent = label(state.left);
    byId("tag-right").textContent = label(state.right);
    const { width, height, x, y, kind } = crop();
    const stage = byId("stage");
    stage.style.aspectRatio = `${width} / ${height}`;
    stage.style.maxWidth = `min(100%, calc(72vh * ${width / height}))`;
    byId("strip").replaceChildren(...names.map((n) => {
      const tile = make("span", { className: "tile" }, make("img", { src: source(n), alt: "", draggable: false }));
      tile.style.aspectRatio = `${width} / ${height}`;
      const press = make("button", { type: "button", "aria-pressed": String(n === state.right) }, tile, make("span", { className: "name" }, label(n)), make("span", { className: "score" }, scoreOf(n)));
      press.addEventListener("click", () => { state.right = n; showPicture(); });
      return press;
    }));
    byId("facts").textContent = `${state.picture.set}, ${state.picture.name}: ${state.picture.width}×${state.picture.height} pixels; this part: ${width}×${height} at ${x}, ${y} (${kind}). PSNR and SSIM are of the whole image.`;
    for (const row of document.querySelectorAll("#images tr[aria-current]")) row.removeAttribute("aria-current");
    pictureTable();
    for (const dot of document.querySelectorAll("#plot circle")) dot.classList.toggle("now", dot.dataset.picture === key(state.picture.set, state.picture.name));
    move();
  }
  const { move, zoomTo, cutTo } = makeStage(state, () => label(state.left));
  const step = (by) => choose(shown[(shown.indexOf(state.picture) + by + shown.length) % shown.length]);

  function controls() {
    byId("picture").append(...shown.map((p, i) => make("option", { value: String(i) }, run.sets.length > 1 ? `${p.set}: ${p.name}` : p.name)));
    byId("picture").addEventListener("change", (e) => choose(shown[Number(e.target.value)]));
    byId("previous").addEventListener("click", () => step(-1));
    byId("next").addEventListener("click", () => step(1));
    byId("left").addEventListener("change", (e) => { state.left = e.target.value; showPicture(); });
    document.addEventListener("keydown", (e) => {
      if (e.ctrlKey || e.metaKey || e.altKey || /^(SELECT|INPUT)$/.test(e.target.tagName)) return;
      const names = layers(), all = crops.get(key(state.picture.set, state.picture.name));
      if (e.key === "+" || e.key === "=") zoomTo(state.zoom * 2);
      else if (e.key === "-") zoomTo(state.zoom / 2);
      else if (e.key === "0") zoomTo(1);
      else if (e.key === "n") step(1);
      else if (e.key === "p") step(-1);
      else if (e.key === "c") { Object.assign(state, { crop: (state.crop + 1) % all.length, zoom: 1, x: 0, y: 0 }); showPicture(); }
      else if (/^[1-9]$/.test(e.key) && names[e.key - 1]) { state.right = names[e.key - 1]; showPicture(); }
      else if (e.target === byId("stage") && /^Arrow(Left|Right)$/.test(e.key)) cutTo(state.cut + (e.key === "ArrowLeft" ? -0.02 : 0.02));
      else return;
      e.preventDefault();
    });
  }

  // The image that gained most comes first: a reader sees at once what a model can do.
  state.picture = shown.reduce((best, p) => (best && tested.length && gain(p, tested[0]) <= gain(best, tested[0]) ? best : p), undefined);
  heading();
  summary();
  extremes();
  if (tested.length) plot(); else byId("h-plot").parentElement.hidden = true;
  if (shown.length) { controls(); showPicture(); } else { byId("viewer").hidden = true; pictureTable(); }
  addEventListener("resize", () => { if (tested.length) plot(); });
})();
