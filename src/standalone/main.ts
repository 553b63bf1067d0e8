/**
 * The standalone executable's entry: the command line, or the PKCS#11 helper that it starts of itself. The version is printed
 * from here, without Node's modules for files and paths, which take longer to load than all the rest of such a run.
 */
// Tests: test/standalone/surroundings.heavy.test.ts, test/standalone/loads.heavy.test.ts
import { quickAnswer } from '../output/quick-answer.ts';
import { HELPER_COMMAND } from './helper-command.ts';
import { compileAsUsual, printed } from './runtime.ts';

const [, , first = ''] = process.argv;
// The build has told the engine to compile late, since a one-shot is over before machine code of it would pay.
if (first !== 'credential-process' && first !== 'version') compileAsUsual();
if (first === HELPER_COMMAND) void import('../identity/pkcs11/helper-main.ts');
else void start();

async function start(): Promise<void> {
  if (await printedVersion()) process.exit(0);
  (await import('../begin.ts')).begin();
}

/** False when the line has to be read as ever, and when its answer could not be written, which is then found again, and said. */
async function printedVersion(): Promise<boolean> {
  // What it was called by is the one or the other, by a path or not: either could be the helper's name.
  const answers = [process.argv0, process.execPath].map((path) =>
    quickAnswer(path.split(/[\\/]/).at(-1) ?? '', process.argv.slice(2), process.env),
  );
  const [answer] = answers;
  return answer !== undefined && !answers.includes(undefined) && (await printed(answer));
}
