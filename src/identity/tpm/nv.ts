/** Certificates in the TPM's own memory: NV indices (TPM 2.0 Library, part 1, section 37). */
import { RolesAnywhereError } from '../../platform/errors.ts';
import { type NvIndex, readNv, readNvPublic } from './commands.ts';
import { TPMA_NV, TPM_PT, TPM_RH } from './constants.ts';
import { during } from './failures.ts';
import { type Passwords, PersonNeeded, type Protected } from './passwords.ts';
import { RC, isAnswer } from './return-codes.ts';
import { Authorizer } from './sessions.ts';
import { type Entity, type Tpm, byHandle } from './tpm.ts';
import { concat } from './wire.ts';

/** What any TPM gives in one piece. Its own maximum may be larger, and is asked for. */
const LEAST_PIECE = 512;

/** Who may read an index: whoever has its password, or the owner's. */
interface Reading {
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
    for (const { by, entity } of readings(index, source)) {
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

/** First what costs no tries when it is refused. */
function readings(index: NvIndex, source: string): Reading[] {
  const countsTries = (index.attributes & TPMA_NV.noDa) === 0;
  const byIndex: Reading = {
    by: index,
    entity: { role: 'index', name: index.name, label: source, countsTries, maxBytes: 64, saysEmpty: true },
  };
  const owner = byHandle(TPM_RH.owner);
  const byOwner: Reading = {
    by: owner,
    entity: { role: 'hierarchy', name: owner.name, label: 'the owner hierarchy', countsTries: false, maxBytes: 64 },
  };
  const own = (index.attributes & TPMA_NV.authRead) === 0 ? [] : [byIndex];
  const owners = (index.attributes & TPMA_NV.ownerRead) === 0 ? [] : [byOwner];
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
