// Figures open in full size where they are tapped, clicked, or entered by the keyboard.
"use strict";

for (const image of document.querySelectorAll("main figure img")) {
  if (image.closest("a, .pp-live")) continue;
  image.classList.add("enlarges");
  image.tabIndex = 0;
  image.setAttribute("role", "button");
  image.setAttribute("aria-label", `Enlarge: ${image.alt}`);
  image.addEventListener("click", () => enlarge(image));
  image.addEventListener("keydown", (event) => {
    if (event.key === "Enter") enlarge(image);
  });
}

function enlarge(image) {
  const dialog = document.createElement("dialog");
  dialog.className = "enlarged";
  const close = document.createElement("button");
  close.textContent = "Close";
  close.addEventListener("click", () => dialog.close());
  const large = document.createElement("img");
  large.src = image.src;
  large.alt = image.alt;
  dialog.append(close, large);
  dialog.addEventListener("close", () => {
    dialog.remove();
    image.focus({ preventScroll: true });
  });
  document.body.append(dialog);
  dialog.showModal(); // the browser closes it on Escape
}

// "Make it live": the live figure of another page, in the state that the link names, opens under the link; one that is
// embedded in the argument opens by itself on a wide screen when the reader comes to it. Without scripts the link leads there.
for (const link of document.querySelectorAll("a.live-link")) {
  const words = link.textContent;
  let frame;
  const turn = () => {
    if (frame) frame.remove();
    else {
      frame = document.createElement("iframe");
      frame.className = "live-here";
      frame.title = words;
      frame.src = link.href.replace("?", "?only=1&");
      (link.closest("p, .cell_output") ?? link).after(frame);
    }
    link.textContent = frame.isConnected ? "Close the live figure" : words;
    if (!frame.isConnected) frame = undefined;
  };
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    turn();
  });
  if (link.matches(".embedded") && innerWidth > 900 && !navigator.connection?.saveData) {
    new IntersectionObserver(([entry], observer) => {
      if (!entry.isIntersecting) return;
      observer.disconnect();
      if (!frame) turn();
    }).observe(link);
  }
  addEventListener("message", (event) => {
    if (frame && event.source === frame.contentWindow && event.data.height) frame.style.height = `${Math.ceil(event.data.height)}px`;
  });
}
