// The keyboard belongs to the screen as soon as there is one; textual.js waits for a click.
addEventListener("load", () => {
  const waiting = setInterval(() => {
    const keys = document.querySelector(".xterm-helper-textarea");
    if (keys) {
      clearInterval(waiting);
      keys.focus();
    }
  }, 50);
});
