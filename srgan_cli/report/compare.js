(() => {
  const { run } = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const images = run.images.filter((image) => image.views.length);
  const names = ["input", ...run.versions];
  const state = { image: images[0], view: 0, left: "bicubic", right: run.versions[1], difference: false, cut: 0.5, zoom: 1, x: 0, y: 0 };

  // Everything is written as text: an image's name is never markup.
  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name.includes("-")) element.setAttribute(name, value);
      else element[name] = value;
    }
    element.append(...children);
    return element;
  }
  const view = () => state.image.views[state.view];
  const differs = (name) => name in view().differences;
  const source = (name, difference) => `data:image/webp;base64,${(difference && differs(name) ? view().differences : view().layers)[name]}`;
  const figures = (name) => state.image.versions.find((version) => version.name === name);
  function numbers(version) {
    const parts = [version.drift === null ? "drift: none" : `drift ${version.drift.toFixed(1)} dB`];
    if (version.seconds !== null) parts.unshift(`${version.seconds.toFixed(1)} s`);
    if (version.name !== run.reference) parts.push(`difference from ${run.reference} ${version.invented.toFixed(2)}`);
    return parts.join(", ");
  }

  function heading() {
    byId("title").textContent = run.title;
    const count = `${images.length} image${images.length === 1 ? "" : "s"}`;
    byId("lead").textContent = run.num_omitted ? `${count}; ${run.num_omitted} more are not shown` : count;
    const lost = [...run.failed.map((failed) => failed.reason), ...run.images.filter((image) => !image.views.length).map((image) => `${image.name}: the size limit of this page leaves no room for it`)];
    if (lost.length) byId("omitted").append(make("h2", {}, "Not shown"), make("ul", {}, ...lost.map((reason) => make("li", {}, reason))));
  }
  function choose(image) {
    Object.assign(state, { image, view: 0, zoom: 1, x: 0, y: 0 });
    show();
  }
  function show() {
    byId("picture").value = String(images.indexOf(state.image));
    byId("views").replaceChildren(...state.image.views.map((one, i) => {
      const press = make("button", { type: "button", "aria-pressed": String(i === state.view) }, one.kind);
      press.addEventListener("click", () => { Object.assign(state, { view: i, zoom: 1, x: 0, y: 0 }); show(); });
      return press;
    }));
    byId("left").replaceChildren(...names.map((n) => make("option", { value: n, selected: n === state.left }, n)));
    const choice = (n, ...content) => {
      const press = make("button", { type: "button", "aria-pressed": String(n === state.right), title: `key ${names.indexOf(n) + 1}` }, ...content);
      press.addEventListener("click", () => { state.right = n; show(); });
      return press;
    };
    byId("right").replaceChildren(...names.map((n) => choice(n, n)));
    const shown = state.difference && differs(state.right);
    byId("difference").setAttribute("aria-pressed", String(state.difference));
    byId("before").src = source(state.left, false);
    byId("after").src = source(state.right, state.difference);
    byId("before").alt = byId("tag-left").textContent = state.left;
    byId("after").alt = byId("tag-right").textContent = shown ? `${state.right}: difference` : state.right;
    byId("legend").textContent = !state.difference ? "" : shown
      ? `Where ${state.right} is brighter (orange) or darker (blue) than ${run.reference}, which is trained to invent nothing; full colour is a difference of ${run.full_colour} levels of 255 or more.`
      : `${state.right} has no difference from ${run.reference}, or is the input.`;
    const { width, height, x, y, kind } = view();
    byId("stage").style.aspectRatio = `${width} / ${height}`;
    byId("stage").style.maxWidth = `min(100%, calc(72vh * ${width / height}))`;
    byId("strip").replaceChildren(...names.map((n) => {
      const tile = make("span", { className: "tile" }, make("img", { src: source(n, state.difference), alt: "", draggable: false }));
      tile.style.aspectRatio = `${width} / ${height}`;
      const known = figures(n);
      const score = known && known.drift !== null ? `drift ${known.drift.toFixed(1)} dB` : "";
      return choice(n, tile, make("span", { className: "name" }, n), make("span", { className: "score" }, score));
    }));
    const { name, result_width: columns, result_height: rows } = state.image;
    byId("facts").textContent = `${name}: ${state.image.width}×${state.image.height} to ${columns}×${rows} pixels; this part: ${kind}, ${width}×${height} at ${x}, ${y}.`;
    byId("versions").replaceChildren(...state.image.versions.map((version) => make("li", {},
      make("b", {}, version.name), make("span", { className: "quiet" }, numbers(version)),
      ...(version.command ? [make("code", {}, version.command)] : []))));
    move();
  }
  function controls() {
    byId("picture").append(...images.map((image, i) => make("option", { value: String(i) }, image.name)));
    const step = (by) => choose(images[(images.indexOf(state.image) + by + images.length) % images.length]);
    const toggle = () => { state.difference = !state.difference; show(); };
    byId("picture").addEventListener("change", (e) => choose(images[Number(e.target.value)]));
    byId("previous").addEventListener("click", () => step(-1));
    byId("next").addEventListener("click", () => step(1));
    byId("left").addEventListener("change", (e) => { state.left = e.target.value; show(); });
    byId("difference").addEventListener("click", toggle);
    document.addEventListener("keydown", (e) => {
      if (e.ctrlKey || e.metaKey || e.altKey || /^(SELECT|INPUT)$/.test(e.target.tagName)) return;
      if (e.key === "+" || e.key === "=") zoomTo(state.zoom * 2);
      else if (e.key === "-") zoomTo(state.zoom / 2);
      else if (e.key === "0") zoomTo(1);
      else if (e.key === "n") step(1);
      else if (e.key === "p") step(-1);
      else if (e.key === "d") toggle();
      else if (e.key === "c") { Object.assign(state, { view: (state.view + 1) % state.image.views.length, zoom: 1, x: 0, y: 0 }); show(); }
      else if (/^[1-9]$/.test(e.key) && names[e.key - 1]) { state.right = names[e.key - 1]; show(); }
      else if (/^Arrow(Left|Right)$/.test(e.key)) cutTo(state.cut + (e.key === "ArrowLeft" ? -0.02 : 0.02));
      else return;
      e.preventDefault();
    });
  }

  const { move, zoomTo, cutTo } = makeStage(state, () => state.left);
  heading();
  if (images.length) { controls(); show(); } else byId("viewer").hidden = true;
})();
