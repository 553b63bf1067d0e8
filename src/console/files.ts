/** The files of the page, which the build puts beside the program. They are read when the console begins. */
// Tests: test/console/console.heavy.test.ts
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RolesAnywhereError } from '../platform/errors.ts';
import { pageFolder } from './page-folder.ts';

export interface PageFile {
  readonly type: string;
  readonly body: Buffer;
}

const TYPES = {
  'index.html': 'text/html; charset=utf-8',
  'app.js': 'text/javascript; charset=utf-8',
  'app.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const;

export type PageFileName = keyof typeof TYPES;

export type PageFiles = Readonly<Record<PageFileName, PageFile>>;

/**
 * Reads them.
 *
 * @param folder default: where the build puts them
 * @throws RolesAnywhereError `ERR_INTERNAL` when they are not there
 */
export function readPageFiles(folder: string = pageFolder()): PageFiles {
  const read = (name: PageFileName): PageFile => {
    try {
      return { type: TYPES[name], body: readFileSync(join(folder, name)) };
    } catch (cause) {
      throw new RolesAnywhereError('ERR_INTERNAL', `the page of the console is not beside the program: ${name}`, {
        hint: 'install the package again; a copy of cli.cjs alone has no console',
        cause,
      });
    }
  };
  return {
    'index.html': read('index.html'),
    'app.js': read('app.js'),
    'app.css': read('app.css'),
    'icon.svg': read('icon.svg'),
  };
}
