/** A web identity token in a file. Tests: test/providers/web-identity.test.ts */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { RolesAnywhereError } from '../platform/errors.ts';

/** Longer than any token that STS takes. */
const MAX_FILE_BYTES = 64 * 1024;

/**
 * Reads a token, which a process such as a kubelet renews.
 *
 * @throws RolesAnywhereError `ERR_WEB_IDENTITY_TOKEN`
 */
export async function readTokenFile(path: string): Promise<string> {
  let text: string;
  try {
    // Not to wait for whoever may write to a pipe: nothing can interrupt that, not even the end of the process.
    const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      if (!(await file.stat()).isFile()) throw Object.assign(new Error('not a file'), { code: 'not a file' });
      const buffer = Buffer.alloc(MAX_FILE_BYTES);
      const { bytesRead } = await file.read(buffer, 0, MAX_FILE_BYTES, 0);
      text = buffer.toString('latin1', 0, bytesRead).trim();
    } finally {
      await file.close();
    }
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown reason';
    throw new RolesAnywhereError('ERR_WEB_IDENTITY_TOKEN', `the token file ${path} cannot be read (${code})`, {
      hint: path.startsWith('~/')
        ? '~ is not expanded: write the path of the home directory'
        : 'check the path, and that this process may read it',
      cause,
    });
  }
  if (text !== '') return text;
  throw new RolesAnywhereError('ERR_WEB_IDENTITY_TOKEN', `the token file ${path} is empty`, {
    hint: 'whatever writes it has not done so yet',
  });
}
