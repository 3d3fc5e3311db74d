"use strict";
// The drawing board: the model classifies what is on it, shrunk to its size, as you draw.
const panel = document.getElementById("try");
if (panel) {
  const prefix = document.body.dataset.prefix;
  const board = document.getElementById("board");
  const pen = board.getContext("2d", { willReadFrequently: true });
  const model = document.getElementById("model");
  const answer = document.getElementById("answer");
  const guesses = document.getElementById("guesses");
  const source = document.getElementById("source");
  const height = Number(panel.dataset.height), width = Number(panel.dataset.width);
  let drawing = false, waiting = false, again = false, blank = true;

  function clear() {
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, board.width, board.height);
    blank = true;
  }

  function pixels() {
    // The mean of each cell, as a camera would see it from afar.
    const all = pen.getImageData(0, 0, board.width, board.height).data;
    const tall = board.height / height, wide = board.width / width, rows = [];
    for (let y = 0; y < height; y++) {
      const row = [];
      for (let x = 0; x < width; x++) {
        let sum = 0, count = 0;
        for (let v = Math.floor(y * tall); v < Math.floor((y + 1) * tall); v++) {
          for (let u = Math.floor(x * wide); u < Math.floor((x + 1) * wide); u++, count++) sum += all[4 * (v * board.width + u)];
        }
        row.push(Math.round(sum / count));
      }
      rows.push(row);
    }
    return rows;
  }

  function show(found) {
    answer.textContent = found[0].label;
    guesses.replaceChildren(...found.map(({ label, probability }) => {
      const item = document.createElement("li");
      const name = document.createElement("span"), share = document.createElement("b");
      name.textContent = label;
      share.textContent = (100 * probability).toFixed(1) + " %";
      const bar = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      bar.setAttribute("viewBox", "0 0 100 10");
      bar.setAttribute("preserveAspectRatio", "none");
      bar.setAttribute("aria-hidden", "true");
      for (const [kind, length] of [["whole", 100], ["share", 100 * probability]]) {
        const piece = document.createElementNS(bar.namespaceURI, "rect");
        piece.setAttribute("class", kind);
        piece.setAttribute("width", length);
        piece.setAttribute("height", 10);
        bar.append(piece);
      }
      item.append(name, bar, share);
      return item;
    }));
  }

  async function predict() {
    // One request at a time; while one is out, remember that the drawing went on.
    if (waiting) { again = true; return; }
    if (blank) { answer.textContent = "Nothing drawn yet."; guesses.replaceChildren(); return; }
    waiting = true;
    const [name, version] = model.value.split(":");
    try {
      const reply = await fetch(`${prefix}/api/models/${name}/predict?version=${version}&top=5`, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ pixels: pixels() }),
      });
      const body = await reply.json();
      if (reply.ok) show(body.predictions[0]); else answer.textContent = body.detail;
    } catch {
      answer.textContent = "The server doesn’t answer.";
    }
    waiting = false;
    if (again) { again = false; predict(); }
  }

  function place(event) {
    const box = board.getBoundingClientRect();
    return [(event.clientX - box.left) * board.width / box.width, (event.clientY - box.top) * board.height / box.height];
  }

  board.addEventListener("pointerdown", (event) => {
    board.setPointerCapture(event.pointerId);
    drawing = true;
    blank = false;
    source.textContent = "Your drawing.";
    pen.strokeStyle = "#fff";
    pen.lineWidth = 34;
    pen.lineCap = pen.lineJoin = "round";
    pen.beginPath();
    pen.moveTo(...place(event));
    pen.lineTo(...place(event));
    pen.stroke();
    predict();
  });
  board.addEventListener("pointermove", (event) => {
    if (!drawing) return;
    pen.lineTo(...place(event));
    pen.stroke();
    predict();
  });
  for (const end of ["pointerup", "pointercancel"]) board.addEventListener(end, () => { drawing = false; });

  async function put(address, text) {
    const picture = new Image();
    picture.src = address;
    await picture.decode();
    clear();
    pen.imageSmoothingEnabled = picture.width > board.width;
    const scale = Math.min(board.width / picture.width, board.height / picture.height);
    const [w, h] = [picture.width * scale, picture.height * scale];
    pen.drawImage(picture, (board.width - w) / 2, (board.height - h) / 2, w, h);
    blank = false;
    source.textContent = text;
    predict();
  }

  function invertIfBright() {
    const data = pen.getImageData(0, 0, board.width, board.height);
    const corners = [0, board.width - 1, board.width * (board.height - 1), board.width * board.height - 1];
    const bright = corners.filter((index) => data.data[4 * index] + data.data[4 * index + 1] + data.data[4 * index + 2] > 382).length > 2;
    for (let i = 0; i < data.data.length; i += 4) {
      const grey = 0.299 * data.data[i] + 0.587 * data.data[i + 1] + 0.114 * data.data[i + 2];
      data.data[i] = data.data[i + 1] = data.data[i + 2] = bright ? 255 - grey : grey;
    }
    pen.putImageData(data, 0, 0);
  }

  function sample() {
    const index = Math.floor(Math.random() * Number(panel.dataset.count));
    put(`${prefix}/images/${panel.dataset.dataset}/${index}.png`, `Test image ${index}.`);
  }

  document.getElementById("clear").addEventListener("click", () => {
    clear();
    source.textContent = "Draw, or take a test image.";
    predict();
  });
  const another = document.getElementById("sample");
  if (another) another.addEventListener("click", sample);
  document.getElementById("upload").addEventListener("change", async (event) => {
    const file = event.target.files[0];
    if (!file) return;
    const address = URL.createObjectURL(file);
    try {
      await put(address, file.name);
      invertIfBright();
      predict();
    } catch {
      source.textContent = "That picture can’t be read.";
    }
    URL.revokeObjectURL(address);
    event.target.value = "";
  });
  model.addEventListener("change", predict);
  clear();
  if (another) sample();
}
