// Locks a shared terminal: by its button, or when nobody has touched it for the idle time. The page's content goes at once, in every tab.
// Only real input counts. Polling and streams do not, here or on the server, which locks by itself at the same time.

const lockForm = document.querySelector("form[data-lock]");
const lockPage = document.querySelector("[data-lock-page]");
const tabs = new BroadcastChannel("chairside-lock");

function watch(form) {
  const idle = Number(form.dataset.idle) * 1000;
  const tellEvery = Math.min(60_000, idle / 3);
  let actedAt = Date.now(); // in any tab
  let mineAt = 0; // in this tab, and not yet told
  let toldAt = Date.now();
  let leaving = false;

  async function leave({ first }) {
    if (leaving) return;
    leaving = true;
    const proof = new FormData(form);
    const page = location.pathname + location.search;
    const saving = [];
    document.dispatchEvent(new CustomEvent("drafts:save", { detail: saving })); // js/drafts.js reads the fields now
    document.title = "Locked";
    document.body.replaceChildren();
    if (first) tabs.postMessage({ locked: true });
    await Promise.race([Promise.all(saving), new Promise((resolve) => setTimeout(resolve, 2000))]);
    if (first) await fetch(form.action, { method: "POST", body: proof, redirect: "manual" }).catch(() => null);
    location.replace(`${form.dataset.lockedUrl}?next=${encodeURIComponent(page)}`);
  }

  async function tell() {
    const body = new FormData(form);
    body.set("ago", Date.now() - mineAt);
    [mineAt, toldAt] = [0, Date.now()];
    const answer = await fetch(form.dataset.activeUrl, { method: "POST", body, redirect: "manual" }).catch(() => null);
    if (answer && !answer.ok) leave({ first: true }); // locked or ended meanwhile
  }

  function tick() {
    if (Date.now() - actedAt > idle) leave({ first: true });
    else if (mineAt && Date.now() - toldAt >= tellEvery) tell();
  }

  function acted(event) {
    if (!event.isTrusted) return;
    tick(); // after a sleep of the machine the first touch locks, it does not count
    if (leaving) return;
    if (Date.now() - actedAt > 1000) tabs.postMessage({ actedAt: Date.now() });
    actedAt = mineAt = Date.now();
  }

  for (const kind of ["pointerdown", "keydown", "wheel", "touchstart", "input"]) {
    addEventListener(kind, acted, { capture: true, passive: true });
  }
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", tick);
  tabs.onmessage = ({ data }) => {
    if (data.locked || (data.open && data.open !== form.dataset.session)) leave({ first: false }); // or somebody else is here now
    else if (data.actedAt) actedAt = Math.max(actedAt, data.actedAt);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    leave({ first: true });
  });
  // Other tabs wait on the lock page; those of the same person go on where they were.
  tabs.postMessage({ open: form.dataset.session });
}

function wait(page) {
  tabs.onmessage = ({ data }) => {
    if (data.open) location.replace(data.open === page.dataset.session ? page.dataset.next : "/");
  };
}

if (lockForm) watch(lockForm);
else if (lockPage) wait(lockPage);

// A page that the browser kept in memory is shown again only after asking the server.
addEventListener("pagehide", () => (document.documentElement.hidden = true));
addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
