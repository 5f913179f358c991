"use strict";
/* The drawing pad and the questions to the app's API. */
(() => {
  const byId = (id) => document.getElementById(id);
  const pad = byId("pad");
  const ink = pad.getContext("2d");
  const PEN = 0.065; // width of the pen on the screen, as a share of the pad
  const PAUSE = 350; // ms after a stroke before the drawing is read: a 4 needs two strokes
  const STEP = 1 / 24; // how far an arrow key moves the pen
  const DIGITS = 10;

  // Strokes are lists of points in units of the pad's side, so a change of size does no harm.
  let strokes = [];
  let drawing = null; // the stroke under the pointer
  const pen = { x: 0.5, y: 0.2, down: false, shown: false }; // the keyboard's pen
  let timer = 0;
  let question = null; // the request that is under way
  const tally = new Map();

  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();

  /* ---- showing ---- */

  function draw() {
    const side = pad.width;
    ink.clearRect(0, 0, side, side);
    ink.strokeStyle = colour("--ink");
    ink.lineWidth = PEN * side;
    ink.lineCap = ink.lineJoin = "round";
    for (const stroke of strokes) {
      ink.beginPath();
      ink.moveTo(stroke[0].x * side, stroke[0].y * side);
      for (const point of stroke) ink.lineTo(point.x * side, point.y * side);
      ink.stroke();
    }
    if (pen.shown) {
      ink.beginPath();
      ink.arc(pen.x * side, pen.y * side, PEN * side * 0.7, 0, 2 * Math.PI);
      ink.strokeStyle = pen.down ? "#1f6f5c" : "#8f9187";
      ink.lineWidth = side * 0.008;
      ink.stroke();
    }
    byId("pad-hint").hidden = strokes.length > 0 || pen.shown;
  }

  function resize() {
    pad.width = pad.height = Math.round(pad.clientWidth * (window.devicePixelRatio || 1));
    draw();
  }

  function showSeen(image) {
    const canvas = byId("seen").getContext("2d");
    const pixels = canvas.createImageData(8, 8);
    (image || []).flat().forEach((value, index) => {
      const light = 255 - Math.round((value * 255) / 16);
      pixels.data.set([light, light, light, 255], index * 4);
    });
    canvas.putImageData(pixels, 0, 0);
  }

  const percent = (share) =>
    `${(100 * share).toFixed(share > 0.9995 || share < 0.0005 ? 0 : 1)} %`;

  /* One row for each digit, made once, so that a bar can glide from one answer to the next. */
  const rows = Array.from({ length: DIGITS }, (_, digit) => {
    const item = document.createElement("li");
    const [name, track, bar, share] = ["name", "track", "bar", "share"].map((part) => {
      const element = document.createElement("span");
      element.className = part;
      return element;
    });
    name.textContent = digit;
    track.append(bar);
    item.append(name, track, share);
    byId("probabilities").append(item);
    return { item, bar, share };
  });

  function showProbabilities(probabilities) {
    rows.forEach(({ item, bar, share }, digit) => {
      const own = probabilities ? probabilities[digit] : 0;
      item.className = probabilities && own === Math.max(...probabilities) ? "best" : "";
      bar.style.width = `${100 * own}%`;
      share.textContent = probabilities ? percent(own) : "–";
    });
  }

  function showNothing(text) {
    byId("answer").textContent = "–";
    byId("confidence").textContent = text;
    showProbabilities(null);
  }

  function showError(text) {
    byId("error").textContent = text;
    byId("error").hidden = !text;
  }

  function showVersions(versions) {
    byId("app-version").textContent = versions.app;
    byId("model-version").textContent = versions.model;
  }

  /* While two versions are live, the count shows how the answers are divided. */
  function count(versions) {
    const pair = versions.app === versions.model
      ? versions.app : `${versions.app} with ${versions.model}`;
    tally.set(pair, (tally.get(pair) || 0) + 1);
    const parts = [...tally].sort().map(([name, times]) => `${name} × ${times}`);
    byId("tally").textContent = `Your answers so far: ${parts.join(", ")}.`;
  }

  /* ---- asking ---- */

  async function fetchJson(path, options) {
    const response = await fetch(path, options);
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return answer;
    const reason = answer.error ? answer.error.reason : `status ${response.status}`;
    throw new Error(`The app could not answer: ${reason}.`);
  }

  async function ask(path, options, show, showFailure) {
    if (question) question.abort();
    const own = question = new AbortController();
    try {
      const answer = await fetchJson(path, { ...options, signal: own.signal });
      if (own !== question) return;
      showError("");
      show(answer);
    } catch (error) {
      if (own !== question || error.name === "AbortError") return;
      showFailure();
      showError(error instanceof TypeError ? "The app can't be reached." : error.message);
    }
  }

  function predict() {
    window.clearTimeout(timer);
    const image = Strokes.toImage(strokes);
    showSeen(image);
    if (!image) {
      showNothing("Draw a digit first");
      return;
    }
    const options = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ image }),
    };
    ask("api/predict", options, (answer) => {
      byId("answer").textContent = answer.digit;
      byId("confidence").textContent = `${percent(answer.probabilities[answer.digit])} sure`;
      showProbabilities(answer.probabilities);
      showVersions(answer.versions);
      count(answer.versions);
    }, () => showNothing("No answer"));
  }

  function predictSoon() {
    window.clearTimeout(timer);
    timer = window.setTimeout(predict, PAUSE);
  }

  function clear() {
    window.clearTimeout(timer);
    if (question) question.abort();
    question = null;
    strokes = [];
    drawing = null;
    pen.down = false;
    showSeen(null);
    showNothing("Nothing drawn yet");
    showError("");
    draw();
  }

  /* ---- drawing with a pointer ---- */

  function pointOf(event) {
    const box = pad.getBoundingClientRect();
    const inside = (value) => Math.min(1, Math.max(0, value));
    return {
      x: inside((event.clientX - box.left) / box.width),
      y: inside((event.clientY - box.top) / box.height),
    };
  }

  pad.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || drawing) return;
    window.clearTimeout(timer);
    pad.setPointerCapture(event.pointerId);
    drawing = [pointOf(event)];
    drawing.pointer = event.pointerId;
    strokes.push(drawing);
    pen.shown = pen.down = false;
    draw();
  });

  pad.addEventListener("pointermove", (event) => {
    if (!drawing || event.pointerId !== drawing.pointer) return;
    const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    drawing.push(...(events.length ? events : [event]).map(pointOf));
    draw();
  });

  for (const name of ["pointerup", "pointercancel"]) {
    pad.addEventListener(name, (event) => {
      if (!drawing || event.pointerId !== drawing.pointer) return;
      drawing = null;
      predictSoon();
    });
  }

  /* ---- drawing with the keyboard ---- */

  const MOVES = {
    ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP],
  };

  function movePen([dx, dy]) {
    const inside = (value) => Math.min(0.96, Math.max(0.04, value));
    pen.x = inside(pen.x + dx);
    pen.y = inside(pen.y + dy);
    if (pen.down) strokes[strokes.length - 1].push({ x: pen.x, y: pen.y });
  }

  function togglePen() {
    pen.down = !pen.down;
    if (pen.down) strokes.push([{ x: pen.x, y: pen.y }]);
    else predictSoon();
    byId("pen-state").textContent = pen.down ? "pen down" : "pen up";
  }

  pad.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key in MOVES) movePen(MOVES[event.key]);
    else if (event.key === " " && !event.repeat) togglePen();
    else if (event.key === "Enter") predict();
    else if (event.key === "Escape") clear();
    else return;
    event.preventDefault();
    pen.shown = true;
    draw();
  });

  pad.addEventListener("blur", () => {
    if (pen.down) togglePen();
    pen.shown = false;
    draw();
  });

  byId("predict").addEventListener("click", predict);
  byId("clear").addEventListener("click", clear);
  window.addEventListener("resize", resize);

  showSeen(null);
  showNothing("Nothing drawn yet");
  resize();
  ask("api/version", {}, showVersions, () => {});
})();
