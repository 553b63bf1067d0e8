/** Certificates in the TPM's own memory: NV indices (TPM 2.0 Library, part 1, section 37). */
import { RolesAnywhereError } from '../../platform/errors.ts';
import { type NvIndex, readNv, readNvPublic, writeNv } from './commands.ts';
import { TPMA_NV, TPM_PT, TPM_RH } from './constants.ts';
import { during } from './failures.ts';
import { type Passwords, PersonNeeded, type Protected } from './passwords.ts';
import { RC, isAnswer } from './return-codes.ts';
import { Authorizer } from './sessions.ts';
import { type Entity, type Tpm, byHandle } from './tpm.ts';
import { concat } from './wire.ts';

/** What any TPM gives in one piece. Its own maximum may be larger, and is asked for. */
const LEAST_PIECE = 512;

/** Who may read or write an index: whoever has its password, or the owner's. */
interface Access {
  readonly by: Entity;
  readonly entity: Protected;
}

/**
 * The bytes of an index, as many as it was defined with.
 *
 * @param source how errors name it, for example `--certificate nv:0x1c00002`
 * @throws PersonNeeded, TpmError, RolesAnywhereError `ERR_TPM_NV_ACCESS`, `ERR_TPM_NV_EMPTY`
 */
export async function readIndex(
  tpm: Tpm,
  number: number,
  passwords: Passwords,
  { source, inClear }: { source: string; inClear: boolean },
): Promise<Uint8Array> {
  return await during('nv', async () => {
    const index = await readNvPublic(tpm, number);
    if ((index.attributes & TPMA_NV.written) === 0)
      throw new RolesAnywhereError('ERR_TPM_NV_EMPTY', `${source} was never written`, {
        hint: 'write the certificate to it: tpm2_nvwrite INDEX -i CERTIFICATE.der',
      });
    const piece = (await tpm.properties(TPM_PT.nvBufferMax, 1)).get(TPM_PT.nvBufferMax) ?? LEAST_PIECE;
    const authorizer = new Authorizer(tpm, inClear);
    let refused: unknown = new RolesAnywhereError('ERR_TPM_NV_ACCESS', `${source} may be read by a policy only`, {
      hint: 'define the index with ownerread or authread',
    });
    for (const { by, entity } of ways(index, source, TPMA_NV.authRead, TPMA_NV.ownerRead)) {
      try {
        return await passwords.unlock(tpm, entity, (password) => readAll(tpm, by, index, piece, authorizer, password));
      } catch (error) {
        if (!(error instanceof PersonNeeded) && !isAnswer(error, RC.nvAuthorization)) throw error;
        refused = error;
      }
    }
    throw refused;
  });
}

/**
 * Writes an index from its beginning. What fits into one piece, which most certificates do, is there at once or not at all.
 *
 * @throws as {@link readIndex}; RolesAnywhereError `ERR_RENEWAL_WRITE` when it does not fit
 */
export async function writeIndex(
  tpm: Tpm,
  number: number,
  bytes: Uint8Array,
  passwords: Passwords,
  { source, inClear }: { source: string; inClear: boolean },
): Promise<void> {
  await during('nv', async () => {
    const index = await readNvPublic(tpm, number);
    if (bytes.length > index.size)
      throw new RolesAnywhereError(
        'ERR_RENEWAL_WRITE',
        `${source} has ${index.size} bytes, and the new certificate ${bytes.length}`,
        { hint: 'define the index with some more bytes than the certificate has: they may be left over' },
      );
    const piece = (await tpm.properties(TPM_PT.nvBufferMax, 1)).get(TPM_PT.nvBufferMax) ?? LEAST_PIECE;
    const authorizer = new Authorizer(tpm, inClear);
    let refused: unknown = new RolesAnywhereError('ERR_TPM_NV_ACCESS', `${source} may be written by a policy only`, {
      hint: 'define the index with ownerwrite or authwrite',
    });
    for (const { by, entity } of ways(index, source, TPMA_NV.authWrite, TPMA_NV.ownerWrite)) {
      try {
        return await passwords.unlock(tpm, entity, async (password) => {
          for (let offset = 0; offset < bytes.length; offset += piece)
            await writeNv(tpm, by, index, await authorizer.by(password), {
              offset,
              data: bytes.subarray(offset, offset + piece),
            });
        });
      } catch (error) {
        if (!(error instanceof PersonNeeded) && !isAnswer(error, RC.nvAuthorization)) throw error;
        refused = error;
      }
    }
    throw refused;
  });
}

/** First what costs no tries when it is refused. */
function ways(index: NvIndex, source: string, byAuth: number, byOwnerAuth: number): Access[] {
  const countsTries = (index.attributes & TPMA_NV.noDa) === 0;
  const byIndex: Access = {
    by: index,
    entity: { role: 'index', name: index.name, label: source, countsTries, maxBytes: 64, saysEmpty: true },
  };
  const owner = byHandle(TPM_RH.owner);
  const byOwner: Access = {
    by: owner,
    entity: { role: 'hierarchy', name: owner.name, label: 'the owner hierarchy', countsTries: false, maxBytes: 64 },
  };
  const own = (index.attributes & byAuth) === 0 ? [] : [byIndex];
  const owners = (index.attributes & byOwnerAuth) === 0 ? [] : [byOwner];
  return countsTries ? [...owners, ...own] : [...own, ...owners];
}

async function readAll(
  tpm: Tpm,
  by: Entity,
  index: NvIndex,
  piece: number,
  authorizer: Authorizer,
  password: Uint8Array,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (let offset = 0; offset < index.size; offset += piece) {
    const length = Math.min(piece, index.size - offset);
    pieces.push(await readNv(tpm, by, index, await authorizer.by(password), { offset, length }));
  }
  return concat(...pieces);
}

/**
 * What stands at the beginning of an index that may be larger: one SEQUENCE, as long as it says itself. Everything, where
 * there is none.
 */
export function withoutPadding(bytes: Uint8Array): Uint8Array {
  const [tag, first = 0] = bytes;
  if (tag !== 0x30 || first === 0x80 || first > 0x84) return bytes;
  if (first < 0x80) return bytes.subarray(0, 2 + first);
  const octets = first & 0x7f;
  const length = bytes.subarray(2, 2 + octets).reduce((sum, octet) => sum * 256 + octet, 0);
  return bytes.subarray(0, 2 + octets + length);
}
