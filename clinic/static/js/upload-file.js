// One file on its way to the server, by a request of its own: the form's fields first, the file last.
// `sent(file, fields, address, {progress, signal})` answers {url} of the new document, or {sentence} of why there is none;
// {cut: true} with it when nobody knows whether the server has it.
const HASHED = 64 * 2 ** 20; // bytes: what is held in memory for the digest

const SENTENCES = {
  401: "Your session has ended. Sign in again, then add this file again.",
  413: "This file is larger than may be kept.",
};
const CUT = "The connection was cut before the server answered. Try again: what it has already is not added twice.";
const AWAY = "The server could not take it. Try again in some minutes.";
const UNREADABLE = "This file could not be read. Is it still where it was?";

async function digestOf(file) {
  if (!globalThis.crypto?.subtle || file.size > HASHED) return "";
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function refusal(request) {
  const words = new DOMParser().parseFromString(request.responseText, "text/html").querySelector(".refusal p");
  words?.querySelector("strong")?.remove();
  return words?.textContent.trim() || SENTENCES[request.status] || AWAY;
}

export async function sent(file, fields, address, { progress, signal }) {
  const said = new URLSearchParams(fields.filter(([, value]) => typeof value === "string"));
  try {
    const digest = await digestOf(file);
    if (digest) said.append("sha256", digest);
  } catch {
    return { sentence: UNREADABLE };
  }
  if (signal.aborted) return {};
  said.append("file", file.name);
  const head = said.toString();
  const request = new XMLHttpRequest();
  request.open("POST", address);
  request.setRequestHeader("HX-Request", "true");
  request.setRequestHeader("Content-Type", "application/x-chairside-document");
  request.setRequestHeader("X-Fields", head.length);
  return new Promise((resolve) => {
    request.upload.addEventListener("progress", (event) => progress(event.loaded, event.total));
    request.addEventListener("error", () => resolve({ sentence: CUT, cut: true }));
    request.addEventListener("abort", () => resolve({}));
    request.addEventListener("load", () => {
      const url = request.status < 300 && request.getResponseHeader("HX-Redirect");
      resolve(url ? { url } : { sentence: refusal(request) });
    });
    signal.addEventListener("abort", () => request.abort());
    request.send(new Blob([head, file]));
  });
}
