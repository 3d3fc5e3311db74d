"use strict";
// A run's page: the round log as it is written.
const live = document.getElementById("live");
if (live) {
  const epochs = Number(live.dataset.epochs);
  const losses = [], accuracies = [];
  const measured = { validation: [], test: [] }, rows = new Map();
  const field = (id) => document.getElementById(id);
  const seen = new Set();
  let drawn = false;

  function draw() {
    drawn = false;
    const most = Math.max(...losses.map(([, loss]) => loss), 0.01);
    const points = (values, top) => values.map(([at, value]) => `${(640 * at / epochs).toFixed(1)},${(264 - 248 * value / top).toFixed(1)}`).join(" ");
    field("loss-line").setAttribute("points", points(losses, most));
    field("accuracy-line").setAttribute("points", points(accuracies, 1));
    for (const [name, values] of Object.entries(measured)) field(`${name}-line`).setAttribute("points", points(values, 1));
  }

  // A model is evaluated and published after its run has ended. The page as rendered then has the link.
  async function link(tries) {
    const answer = await fetch(location.pathname);
    const published = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#published a");
    if (published) field("published").replaceChildren("published as ", document.adoptNode(published));
    else if (tries > 1) setTimeout(link, 1000, tries - 1);
  }

  const events = new EventSource(`${document.body.dataset.prefix}/api/runs/${live.dataset.run}/events`);
  let inEpoch = 0, current = -1;
  events.addEventListener("begin", () => { field("status").textContent = "running"; field("status").className = "status running"; });
  events.addEventListener("round", ({ data }) => {
    const round = JSON.parse(data);
    if (seen.has(round.round)) return;
    seen.add(round.round);
    if (round.epoch !== current) { current = round.epoch; inEpoch = 0; }
    inEpoch += round.examples;
    const at = round.epoch + Math.min(1, inEpoch / (Number(live.dataset.examples) || 60000));
    losses.push([at, round.loss]);
    accuracies.push([at, round.accuracy]);
    field("rounds").textContent = seen.size;
    field("loss").textContent = round.loss.toFixed(3);
    field("accuracy").textContent = (100 * round.accuracy).toFixed(1) + "%";
    if (!drawn) { drawn = true; requestAnimationFrame(draw); }
  });
  events.addEventListener("epoch", ({ data }) => {
    const epoch = JSON.parse(data);
    live.dataset.examples = epoch.examples;
    field("epoch").textContent = epoch.epoch + 1;
    field("loss").textContent = epoch.train_loss.toFixed(3);
    field("accuracy").textContent = (100 * epoch.train_accuracy).toFixed(1) + "%";
    field("speed").textContent = Math.round(epoch.examples_per_s).toLocaleString("en");
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = epoch.epoch + 1;
    row.append(head);
    for (const text of [epoch.train_loss.toFixed(4), (100 * epoch.train_accuracy).toFixed(1) + " %", "", "", Math.round(epoch.examples_per_s).toLocaleString("en")]) {
      const cell = document.createElement("td");
      cell.textContent = text;
      row.append(cell);
    }
    for (const [index, name] of Object.keys(measured).entries()) row.children[3 + index].hidden = !measured[name].length;
    rows.set(epoch.epoch, row);
    field("epochs").append(row);
  });
  events.addEventListener("evaluation", ({ data }) => {
    const evaluation = JSON.parse(data);
    for (const [index, name] of Object.keys(measured).entries()) {
      if (!evaluation[name]) continue;
      if (!measured[name].length) for (const shown of [field(`${name}-head`), field(`${name}-key`), ...[...rows.values()].map((row) => row.children[3 + index])]) shown.hidden = false;
      measured[name].push([evaluation.epoch + 1, evaluation[name].accuracy]);
      const row = rows.get(evaluation.epoch);
      if (row) row.children[3 + index].textContent = (100 * evaluation[name].accuracy).toFixed(1) + " %";
    }
    if (!drawn) { drawn = true; requestAnimationFrame(draw); }
  });
  events.addEventListener("plateau", ({ data }) => {
    field("notice").textContent = `Warning: ${JSON.parse(data).why}.`;
    field("notice").hidden = false;
  });
  events.addEventListener("end", ({ data }) => {
    const { outcome } = JSON.parse(data);
    field("status").textContent = outcome;
    field("status").className = `status ${outcome}`;
    events.close();
    if (outcome === "finished" && !field("published").querySelector("a")) link(120);
  });
}
