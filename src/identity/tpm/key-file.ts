/**
 * Key files with the label TSS2 PRIVATE KEY: a key that only one TPM can load (ASN.1 Specification for TPM 2.0 Key Files,
 * draft-bottomley-tpm2-keys).
 */
import { RolesAnywhereError } from '../../platform/errors.ts';
import {
  DerError,
  type DerValue,
  TAG,
  expectTag,
  readChildren,
  readDer,
  readInteger,
  readObjectIdentifier,
} from '../../x509/der.ts';
import { HANDLE_TYPE, HIERARCHIES } from './constants.ts';
import { type PublicArea, nameOf, readPublicArea } from './public-area.ts';
import { Reader, TpmFormatError } from './wire.ts';

/** One command of a key's policy: what stands behind the session's handle, as the file has it. */
export interface PolicyStep {
  readonly command: number;
  readonly parameters: Uint8Array;
}

/** A key that can be loaded. */
export interface KeyFile {
  /** How errors name the file. */
  readonly source: string;
  /** Whether it has no password. A hint: tpm2_encodeobject of tpm2-tools 5 writes the opposite (tpm2-tools 3458). */
  readonly emptyAuth: boolean;
  readonly policy: readonly PolicyStep[];
  /** A persistent handle, or a hierarchy. */
  readonly parent: number;
  /** Whether the hierarchy's primary is an RSA key. */
  readonly rsaParent: boolean;
  readonly publicArea: PublicArea;
  readonly privateArea: Uint8Array;
}

/** TPMKey.type. */
const LOADABLE = '2.23.133.10.1.3';
const IMPORTABLE = '2.23.133.10.1.4';
const SEALED = '2.23.133.10.1.5';

const context = (number: number): number => 0xa0 | number;

/** Of the policies of today none is longer. */
const MAX_POLICY_STEPS = 16;
const MAX_PRIVATE_BYTES = 2048;

/**
 * @param source how errors name the file, for example `--private-key key.pem`
 * @throws RolesAnywhereError `ERR_KEY_MALFORMED`, `ERR_TPM_KEY_IMPORTABLE`, `ERR_TPM_KEY_SEALED`, `ERR_KEY_UNSUPPORTED`,
 * `ERR_TPM_PARENT`
 */
export function readKeyFile(der: Uint8Array, source: string): KeyFile {
  try {
    return read(der, source);
  } catch (error) {
    if (!(error instanceof DerError) && !(error instanceof TpmFormatError)) throw error;
    throw new RolesAnywhereError(
      'ERR_KEY_MALFORMED',
      `${source} holds a TPM key that cannot be read: ${error.message}`,
      {
        hint: 'the file was cut or changed on its way: copy it again, or make the key anew',
        cause: error,
      },
    );
  }
}

function read(der: Uint8Array, source: string): KeyFile {
  const fields = readChildren(expectTag(readDer(der), TAG.sequence, 'the key'));
  refuseOtherKinds(readObjectIdentifier(expectTag(fields.shift(), TAG.objectIdentifier, 'its type')), source);
  const optional = new Map<number, DerValue>();
  for (let last = 0; (fields[0]?.tag ?? 0) >= context(0);) {
    const [field] = fields.splice(0, 1);
    if (field === undefined || field.tag <= last || field.tag > context(5))
      throw new DerError('a field that has no place there');
    optional.set(field.tag, field);
    last = field.tag;
  }
  const [parent, publicPart, privatePart, ...others] = fields;
  if (others.length > 0) throw new DerError('there are fields behind the private part');
  if (optional.has(context(2))) throw new DerError('it has a secret, as only importable keys do');
  return {
    source,
    emptyAuth: isTrue(optional.get(context(0))),
    policy: readPolicy(optional.get(context(1))),
    parent: readParent(expectTag(parent, TAG.integer, 'the parent'), source),
    rsaParent: isTrue(optional.get(context(5))),
    publicArea: named(
      readPublicArea(sizedContent(expectTag(publicPart, TAG.octetString, 'the public part'), 'the public part')),
    ),
    privateArea: sizedContent(expectTag(privatePart, TAG.octetString, 'the private part'), 'the private part'),
  };
}

/** A public area by which a TPM could call the key. */
function named(area: PublicArea): PublicArea {
  nameOf(area);
  return area;
}

function refuseOtherKinds(type: string, source: string): void {
  if (type === LOADABLE) return;
  if (type === IMPORTABLE)
    throw new RolesAnywhereError('ERR_TPM_KEY_IMPORTABLE', `${source} holds a TPM key that has still to be imported`, {
      hint: 'import it once (tpm2_import), and give the key file or the persistent handle that comes of it',
    });
  if (type === SEALED)
    throw new RolesAnywhereError('ERR_TPM_KEY_SEALED', `${source} holds data that a TPM has sealed, not a key`, {
      hint: 'name the file of the signing key; sealed data is read with tpm2_unseal',
    });
  throw new RolesAnywhereError('ERR_KEY_UNSUPPORTED', `${source} holds a TPM key of the unknown type ${type}`, {
    hint: 'make the key with tpm2-openssl or tpm2_encodeobject: they write keys that can be loaded',
  });
}

/** A BOOLEAN in an explicit tag. tpm2-openssl writes TRUE as 01, which DER does not allow. */
function isTrue(field: DerValue | undefined): boolean {
  if (field === undefined) return false;
  const [value, ...others] = readChildren(field);
  const { content } = expectTag(value, TAG.boolean, 'a BOOLEAN');
  if (content.length !== 1 || others.length > 0) throw new DerError('a BOOLEAN that is none');
  return content[0] !== 0;
}

function readPolicy(field: DerValue | undefined): readonly PolicyStep[] {
  if (field === undefined) return [];
  const [list, ...others] = readChildren(field);
  if (others.length > 0) throw new DerError('more than one policy');
  return readChildren(expectTag(list, TAG.sequence, 'the policy'), MAX_POLICY_STEPS).map((step) => {
    const [command, parameters] = readChildren(expectTag(step, TAG.sequence, 'a step of the policy'));
    const [code] = readChildren(expectTag(command, context(0), 'a command of the policy'));
    const [content] = readChildren(expectTag(parameters, context(1), 'the parameters of a policy'));
    return {
      command: Number(readInteger(expectTag(code, TAG.integer, 'a command of the policy'))),
      parameters: expectTag(content, TAG.octetString, 'the parameters of a policy').content,
    };
  });
}

function readParent(value: DerValue, source: string): number {
  const integer = readInteger(value);
  // Some wrote the handle as a signed number of 32 bits.
  const parent = Number(integer < 0n ? integer + 0x1_0000_0000n : integer);
  if (parent >>> 24 === HANDLE_TYPE.persistent && parent <= 0x81ffffff) return parent;
  if (HIERARCHIES.has(parent)) return parent;
  throw new RolesAnywhereError(
    'ERR_TPM_PARENT',
    `${source} names the parent ${parent < 0 ? String(integer) : `0x${parent.toString(16)}`}, which is neither a persistent handle nor a hierarchy`,
    {
      hint: 'a parent that was loaded for the moment is gone: make the key under 0x81000001 or under the owner hierarchy',
    },
  );
}

/** A TPM2B: the octets behind a size that fits. */
function sizedContent({ content }: DerValue, what: string): Uint8Array {
  const reader = new Reader(content, what);
  const bytes = reader.sized(MAX_PRIVATE_BYTES);
  reader.end();
  if (bytes.length === 0) throw new TpmFormatError(`${what} is empty`);
  return bytes;
}
