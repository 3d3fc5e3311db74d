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
  const channels = Number(panel.dataset.channels), colour = document.getElementById("colour");
  const images = model.selectedOptions[0].dataset.images;
  const warnings = document.getElementById("warnings");
  let drawing = false, waiting = false, again = false, blank = true;
  let upload = null;  // the file on the board: the server prepares it as it prepares all pictures

  function clear() {
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, board.width, board.height);
    blank = true;
    upload = null;
  }

  function pixels() {
    // The mean of each cell, as a camera would see it from afar.
    const all = pen.getImageData(0, 0, board.width, board.height).data;
    const tall = board.height / height, wide = board.width / width, rows = [];
    for (let y = 0; y < height; y++) {
      const row = [];
      for (let x = 0; x < width; x++) {
        const sums = new Array(channels).fill(0);
        let count = 0;
        for (let v = Math.floor(y * tall); v < Math.floor((y + 1) * tall); v++) {
          for (let u = Math.floor(x * wide); u < Math.floor((x + 1) * wide); u++, count++) {
            for (let c = 0; c < channels; c++) sums[c] += all[4 * (v * board.width + u) + c];
          }
        }
        const means = sums.map((sum) => Math.round(sum / count));
        row.push(channels === 1 ? means[0] : means);
      }
      rows.push(row);
    }
    return rows;
  }

  function show(found, texts) {
    warnings.textContent = texts.join(" ");
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
    if (blank) { answer.textContent = "Nothing drawn yet."; guesses.replaceChildren(); warnings.textContent = ""; return; }
    waiting = true;
    const [name, version] = model.value.split(":");
    try {
      // What is drawn is bytes, however dark: so the scale is given.
      const [type, body] = upload ? [upload.type || "image/png", upload] : ["application/json", JSON.stringify({ pixels: pixels(), scale: 255 })];
      const reply = await fetch(`${prefix}/api/models/${name}/predict?version=${version}&top=5`, { method: "POST", headers: { "Content-Type": type }, body });
      const said = await reply.json();
      if (reply.ok) show(said.predictions[0], said.warnings[0]);
      else { answer.textContent = said.detail; guesses.replaceChildren(); warnings.textContent = ""; }
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
    upload = null;
    source.textContent = "Your drawing.";
    pen.strokeStyle = colour ? colour.value : "#fff";
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

  async function put(address, text, file = null) {
    const picture = new Image();
    picture.src = address;
    await picture.decode();
    clear();
    pen.imageSmoothingEnabled = picture.width > board.width;
    const scale = Math.min(board.width / picture.width, board.height / picture.height);
    const [w, h] = [picture.width * scale, picture.height * scale];
    pen.drawImage(picture, (board.width - w) / 2, (board.height - h) / 2, w, h);
    blank = false;
    upload = file;
    source.textContent = text;
    predict();
  }

  function sample() {
    const index = Math.floor(Math.random() * Number(panel.dataset.count));
    put(`${prefix}/images/${panel.dataset.dataset}/${index}.png?data=${panel.dataset.digest}`, `Test image ${index}.`);
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
      await put(address, file.name, file);
    } catch {
      // The browser can't show it; the server may be able to read it, and says so if not.
      clear();
      blank = false;
      upload = file;
      source.textContent = file.name;
      predict();
    }
    URL.revokeObjectURL(address);
    event.target.value = "";
  });
  model.addEventListener("change", () => {
    // A model for other images needs another board and other test images.
    if (model.selectedOptions[0].dataset.images === images) predict();
    else location.search = `?model=${encodeURIComponent(model.value)}`;
  });
  clear();
  if (another) sample();
}
