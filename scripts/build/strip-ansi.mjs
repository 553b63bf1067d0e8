// Stands in for strip-ansi in the bundled yargs: see string-width.mjs.

/** strip-ansi: `text` without escape sequences, of which ours has none. */
export default function stripAnsi(text) {
  return text;
}
