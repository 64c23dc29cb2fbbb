// A tablet in a patient's hands. Other tabs of this browser empty themselves, as when it is locked (js/lock.js); when the time is over the
// form goes, with what was typed into it; a page the browser kept in memory asks the server before it is seen again.
import "./answers.js";

new BroadcastChannel("chairside-lock").postMessage({ locked: true });
const form = document.querySelector("[data-left]");
if (form) setTimeout(() => location.reload(), Number(form.dataset.left) * 1000);
addEventListener("pagehide", () => (document.documentElement.hidden = true));
addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
