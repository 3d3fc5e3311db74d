"use strict";
// A button on each snippet that copies it.
for (const snippet of document.querySelectorAll("pre[data-copy]")) {
  const text = snippet.textContent;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      const range = document.createRange();
      range.selectNodeContents(snippet.querySelector("code"));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  snippet.append(button);
}
// Sorting happens as the choice is made; the button is for those without scripts.
const sort = document.getElementById("sort");
if (sort) {
  sort.addEventListener("change", () => sort.form.submit());
  sort.form.querySelector("button").hidden = true;
}
