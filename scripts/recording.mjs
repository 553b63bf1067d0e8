// `node scripts/recording.mjs`: runs `npm run demo` and writes what a terminal shows as docs/images/demo.svg, for the README.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { prepare, root } from './prepare.mjs';

const LINE_HEIGHT = 20;
const MARGIN = 20;
/** Of a character in the font below, in pixels: SVG has no way to ask. */
const CHARACTER_WIDTH = 8.43;

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** A terminal with these lines; those that begin with `$` are typed. */
function picture(lines) {
  const width = Math.ceil(Math.max(...lines.map(({ length }) => length)) * CHARACTER_WIDTH) + 2 * MARGIN;
  const height = lines.length * LINE_HEIGHT + 2 * MARGIN;
  const texts = lines.flatMap((line, index) => {
    if (line === '') return [];
    const kind = line.startsWith('$') ? ' class="typed"' : '';
    return `<text x="${MARGIN}" y="${MARGIN + (index + 0.75) * LINE_HEIGHT}"${kind}>${escape(line)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="npm run demo, and what it prints">
<style>text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #d8dee9; white-space: pre } .typed { fill: #ffffff; font-weight: bold }</style>
<rect width="100%" height="100%" rx="8" fill="#1e2430"/>
${texts.join('\n')}
</svg>
`;
}

// Built before, so that the build's own lines are not in the picture.
await prepare();
const { stdout } = await promisify(execFile)(process.execPath, ['scripts/demo.mjs'], { cwd: root });
const [steps, identity] = stdout.slice(stdout.indexOf('starting a local')).split('\n\n');
const lines = ['$ npm run demo', ...steps.split('\n'), '', identity];
writeFileSync(new URL('../docs/images/demo.svg', import.meta.url), picture(lines));
