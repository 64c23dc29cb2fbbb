// What every page needs. The server puts these parts in place (clinic/assets.py): each finds its elements by a data- attribute,
// works by event delegation, and imports and exports nothing.
import "./toast.js";
import "./keys.js";
import "./opening.js";
import "./opened.js";
import "./palette.js";
import "./theme.js";
import "./requests.js";
import "./live.js";
import "./answers.js";
import "./drafts.js";
import "./lock.js";
import "./board.js";
import "./sheet.js";
import "./as-of.js";
import "./signature.js";
