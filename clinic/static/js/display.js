// A public screen: its clock, and, where the clinic allows it and somebody has tapped, a chime and a voice for each new call.
import "./live.js";

const clock = document.querySelector("[data-clock]");
const button = document.querySelector("[data-sound]");
const hours = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: clock?.dataset.clock });
let sound; // an AudioContext once somebody has tapped; browsers allow none before
let announced = document.querySelector("[data-call]")?.dataset.call;

function chime() {
  [660, 880].forEach((pitch, index) => {
    const [tone, volume] = [sound.createOscillator(), sound.createGain()];
    const at = sound.currentTime + index * 0.25;
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0.25, at);
    volume.gain.exponentialRampToValueAtTime(0.001, at + 0.6);
    tone.connect(volume).connect(sound.destination);
    tone.start(at);
    tone.stop(at + 0.6);
  });
}

function speak(call) {
  for (const { name, value } of call.attributes) {
    if (!name.startsWith("data-say-")) continue;
    const saying = new SpeechSynthesisUtterance(value.replaceAll("-", " "));
    saying.lang = name.slice("data-say-".length);
    saying.rate = 0.9;
    speechSynthesis.speak(saying);
  }
}

function announce() {
  const call = document.querySelector("[data-call]");
  if (!call || call.dataset.call === announced) return;
  announced = call.dataset.call;
  if (!sound || !("speak" in call.dataset)) return;
  chime();
  setTimeout(speak, 900, call);
}

if (button) {
  button.hidden = false;
  button.addEventListener("click", () => {
    sound = new AudioContext();
    button.hidden = true;
    chime();
  });
}
document.addEventListener("htmx:after:swap", announce);
if (clock) setInterval(() => (clock.textContent = hours.format(new Date())), 1000);
