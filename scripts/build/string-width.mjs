// Stands in for string-width in the bundled yargs: our help and messages are ASCII, and the real one compiles emoji
// expressions at load that cost more than the rest of yargs.

/** The columns that `text` takes. */
export default function stringWidth(text) {
  return text.length;
}
