/** A web identity token in a file. Tests: test/providers/web-identity.test.ts */
import { RolesAnywhereError } from '../platform/errors.ts';
import { readNamedFile } from '../platform/files.ts';

/** Longer than any token that STS takes. */
const MAX_FILE_BYTES = 64 * 1024;

/**
 * Reads a token, which a process such as a kubelet renews.
 *
 * @throws RolesAnywhereError `ERR_WEB_IDENTITY_TOKEN`
 */
export async function readTokenFile(path: string): Promise<string> {
  const { bytes } = readNamedFile({
    path,
    name: `the token file ${path}`,
    code: 'ERR_WEB_IDENTITY_TOKEN',
    maxBytes: MAX_FILE_BYTES,
    hint: 'check the path, and that this process may read it',
  });
  // A mark that editors of Windows put there is no part of it.
  const text = Buffer.from(bytes)
    .toString('latin1')
    .replace(/^\u00ef\u00bb\u00bf/, '')
    .trim();
  if (/^[\u0021-\u007e]+$/.test(text)) return text;
  if (text !== '')
    throw new RolesAnywhereError('ERR_WEB_IDENTITY_TOKEN', `the token file ${path} holds no token`, {
      hint: 'a token is visible ASCII characters without blanks or line ends between them, and nothing else is in the file',
    });
  throw new RolesAnywhereError('ERR_WEB_IDENTITY_TOKEN', `the token file ${path} is empty`, {
    hint: 'whatever writes it has not done so yet',
  });
}
