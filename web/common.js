"use strict";
/* What the report pages share: the report itself, its texts, tables and choices. */
const report = JSON.parse(document.getElementById("report").textContent);
const sizes = [...new Set((report.downloads ?? []).map(row => row.bytes))].sort((a, b) => a - b);
let chosen = sizes[sizes.length - 1];

const element = id => document.getElementById(id);
const colour = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
const ms = value => value >= 10000 ? (value / 1000).toFixed(1) + " s" : Math.round(value) + " ms";
function sizeText(bytes) {
  if (bytes >= 1e6) return +(bytes / 1e6).toPrecision(4) + " MB";
  return bytes >= 1e3 ? +(bytes / 1e3).toPrecision(4) + " KB" : bytes + " B";
}
function add(parent, tag, text, cls) {
  const child = document.createElement(tag);
  if (text !== undefined) child.textContent = text;
  if (cls) child.className = cls;
  parent.append(child);
  return child;
}

function axis(extra) {
  return Object.assign({
    stroke: colour("soft"), font: "12px system-ui",
    grid: {stroke: colour("line"), width: 1}, ticks: {stroke: colour("line"), width: 1},
  }, extra);
}

/* Two columns for uPlot: after each time, the share of the runs that were complete by then. */
function shares(runs, last) {
  const times = runs.map(run => run.total_ms).sort((a, b) => a - b);
  const places = new Map([[0, 0]]);
  times.forEach((time, nth) => places.set(time, 100 * (nth + 1) / times.length));
  if (times.length) places.set(last, 100);
  return [[...places.keys()], [...places.values()]];
}

function linksText() {
  const rtt = report.rtt_ms;
  return `Links with round trips of ${rtt.client_rc.toFixed(1)}, ${rtt.rc_rs.toFixed(1)} and ` +
    `${rtt.rs_server.toFixed(1)} ms; `;
}

function addTile(title, slow, fast) {
  const tile = add(element("tiles"), "section");
  add(tile, "div", title);
  add(tile, "div", (slow.total_ms.median / fast.total_ms.median).toFixed(2) + "×", "tile");
  add(tile, "div", `${ms(slow.total_ms.median)} → ${ms(fast.total_ms.median)}`);
}

function addToKey(key, text, background) {
  const entry = add(key, "span");
  add(entry, "i").style.background = background;
  entry.append(text);
}

/* A button for each size, if there are several: whoever presses one has `chosen` it, and sees it drawn. */
function addSizeButtons(draw) {
  if (sizes.length > 1) for (const bytes of sizes) {
    const button = add(element("sizes"), "button", sizeText(bytes));
    button.setAttribute("aria-pressed", bytes === chosen);
    button.onclick = () => {
      chosen = bytes;
      for (const other of element("sizes").children) other.setAttribute("aria-pressed", other === button);
      draw();
    };
  }
}

function addLine(table, tag, texts) {
  const line = add(table, "tr");
  for (const text of texts) add(line, tag, text);
}

/* What it was measured with, as pairs of a name and a text. */
function circumstances() {
  const facts = Object.entries(report.environment).filter(([, value]) => typeof value === "string");
  const measured = report.environment.measured_rtt_ms, nominal = report.environment.nominal_rtt_ms;
  for (const [link, r] of Object.entries(measured)) {
    facts.push([`round trip ${link}`, `${r.median.toFixed(2)} ms (asked for ${nominal[link]}; ` +
      `${r.min.toFixed(2)}–${r.max.toFixed(2)}, p99 ${r.p99.toFixed(2)}; ${r.echoes} echoes)`]);
  }
  return [...facts, ...provenance()];
}

/* Where the figures of any experiment come from, likewise. */
function provenance() {
  const machine = report.machine, noise = report.noise;
  return [
    ["hardware", typeof machine === "string" ? machine :
      `${machine.cpu}, ${machine.cpus} CPUs, ${machine.memory_mb} MB, ${machine.kernel}`],
    ["noise", `${noise.busy_cores_before} cores busy with others just before, load ${noise.load_before[0].toFixed(2)}; ` +
      `at most ${noise.most_stolen_percent} % of the CPUs stolen, ${noise.disturbed} measurements disturbed`],
    ["settings", Object.entries(report.settings).map(([name, value]) => `${name} ${value}`).join(", ")],
    ["date", report.date], ["seed", String(report.seed)], ["thalweg", report.version],
  ];
}

function writeFacts(table, facts) {
  for (const fact of facts) addLine(table, "td", fact);
}

function writeCommands() {
  element("commands").textContent = [report.command, ...report.commands].join("\n");
}
