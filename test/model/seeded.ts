/** A model with a fault in the code that it explores: what shows that the model would see it. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** A change of one source: a text that is there once, and what takes its place. */
export interface Fault {
  /** Below src/. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** Imports a model of test/model/ with the fault in what it imports; `remove` at the end. */
export async function importWithFault(model: string, fault: Fault): Promise<{ module: unknown; remove: () => void }> {
  const target = join(root, 'src', fault.file);
  if (readFileSync(target, 'utf8').split(fault.from).length !== 2)
    throw new Error(`${fault.file} has not once: ${fault.from}`);
  const cache = join(root, 'node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const dir = mkdtempSync(join(cache, 'model-'));
  let changed = false;
  const bundle = await rolldown({
    input: join(root, 'test/model', model),
    platform: 'node',
    external: /^[^./]/,
    logLevel: 'warn',
    plugins: [
      {
        name: 'fault',
        transform(code, id) {
          if (id !== target) return null;
          changed = true;
          return { code: code.replace(fault.from, () => fault.to), moduleType: 'ts' };
        },
      },
    ],
  });
  try {
    await bundle.write({ dir, format: 'esm', entryFileNames: 'main.mjs' });
  } finally {
    await bundle.close();
  }
  if (!changed) throw new Error(`the model does not import ${fault.file}`);
  const module: unknown = await import(/* @vite-ignore */ pathToFileURL(join(dir, 'main.mjs')).href);
  return { module, remove: () => rmSync(dir, { recursive: true, force: true }) };
}
