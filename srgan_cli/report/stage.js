"use strict";
// The slider of two layers, its zoom and its gestures, which several pages share.
// state holds cut, zoom, x and y, all in fractions of the frame but for the zoom.
function makeStage(state, leftLabel) {
  const byId = (id) => document.getElementById(id);
  // One transform for every layer, in fractions of the frame: all stay in step.
  function move() {
    const most = 1 - 1 / state.zoom;
    state.x = Math.min(Math.max(state.x, 0), most);
    state.y = Math.min(Math.max(state.y, 0), most);
    const transform = `scale(${state.zoom}) translate(${-100 * state.x}%, ${-100 * state.y}%)`;
    for (const image of document.querySelectorAll(".layer img, #strip img")) image.style.transform = transform;
    const percent = 100 * state.cut;
    byId("cut").style.clipPath = `inset(0 0 0 ${percent}%)`;
    byId("handle").style.left = `${percent}%`;
    byId("handle").setAttribute("aria-valuenow", String(Math.round(percent)));
    byId("handle").setAttribute("aria-valuetext", `${Math.round(percent)} % ${leftLabel()}`);
    byId("zoom").textContent = `${Number(state.zoom.toFixed(1))}×`;
    byId("stage").classList.toggle("zoomed", state.zoom > 1);
  }
  function zoomTo(zoom, fx = 0.5, fy = 0.5) {
    const next = Math.min(Math.max(zoom, 1), 16);
    state.x += fx / state.zoom - fx / next;
    state.y += fy / state.zoom - fy / next;
    state.zoom = next;
    move();
  }
  const stage = byId("stage"), handle = byId("handle"), pointers = new Map();
  let mode = null;
  const place = (e) => { const box = stage.getBoundingClientRect(); return [(e.clientX - box.left) / box.width, (e.clientY - box.top) / box.height]; };
  const cutTo = (fx) => { state.cut = Math.min(Math.max(fx, 0), 1); move(); };
  const spread = () => { const [a, b] = [...pointers.values()]; return [Math.hypot(a[0] - b[0], a[1] - b[1]), (a[0] + b[0]) / 2, (a[1] + b[1]) / 2]; };
  stage.addEventListener("pointerdown", (e) => {
    if (e.button > 0) return;
    stage.setPointerCapture(e.pointerId);
    pointers.set(e.pointerId, place(e));
    if (pointers.size === 2) { mode = "pinch"; return; }
    mode = e.target === handle || state.zoom === 1 ? "cut" : "pan";
    stage.classList.toggle("moving", mode === "pan");
    if (mode === "cut" && (e.target === handle || e.pointerType === "mouse")) cutTo(place(e)[0]);
  });
  stage.addEventListener("pointermove", (e) => {
    if (!pointers.has(e.pointerId)) return;
    const before = pointers.get(e.pointerId), now = place(e);
    if (mode === "pinch" && pointers.size === 2) {
      const [was] = spread();
      pointers.set(e.pointerId, now);
      const [is, fx, fy] = spread();
      if (was > 0) zoomTo(state.zoom * (is / was), fx, fy);
      return;
    }
    pointers.set(e.pointerId, now);
    if (mode === "cut") cutTo(now[0]);
    if (mode === "pan") { state.x -= (now[0] - before[0]) / state.zoom; state.y -= (now[1] - before[1]) / state.zoom; move(); }
  });
  const end = (e) => { pointers.delete(e.pointerId); if (!pointers.size) { mode = null; stage.classList.remove("moving"); } };
  stage.addEventListener("pointerup", end);
  stage.addEventListener("pointercancel", end);
  stage.addEventListener("wheel", (e) => {
    if (!(e.ctrlKey || e.metaKey || stage.contains(document.activeElement))) return; // The page scrolls on.
    e.preventDefault();
    zoomTo(state.zoom * Math.exp(-e.deltaY / 300), ...place(e));
  }, { passive: false });
  stage.addEventListener("dblclick", (e) => zoomTo(state.zoom > 1 ? 1 : 4, ...place(e)));
  handle.addEventListener("keydown", (e) => {
    const to = { ArrowLeft: state.cut - 0.02, ArrowRight: state.cut + 0.02, Home: 0, End: 1, PageUp: state.cut + 0.1, PageDown: state.cut - 0.1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    e.stopPropagation();
    cutTo(to);
  });
  for (const [id, by] of [["in", 2], ["out", 0.5]]) byId(id).addEventListener("click", () => zoomTo(state.zoom * by));
  byId("reset").addEventListener("click", () => zoomTo(1));
  byId("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  return { move, zoomTo, cutTo };
}
