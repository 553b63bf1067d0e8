/** Which tokens and objects a URI means, and the URI that means one of them. */
import type { ObjectFilter, TokenFacts } from './port.ts';
import { formatPkcs11Uri } from './uri.ts';
import type { ObjectType, Pkcs11Uri } from './uri.ts';

/** Whether a URI's attributes of library, slot and token fit. Attributes that are absent fit everything. */
export function matchesToken(uri: Pkcs11Uri, token: TokenFacts): boolean {
  const { library, slotInfo } = token;
  return (
    equal(uri.token, token.label) &&
    equal(uri.manufacturer, token.manufacturer) &&
    equal(uri.model, token.model) &&
    equal(uri.serial, token.serial) &&
    equal(uri.slotDescription, slotInfo.description) &&
    equal(uri.slotManufacturer, slotInfo.manufacturer) &&
    equal(uri.libraryManufacturer, library.manufacturer) &&
    equal(uri.libraryDescription, library.description) &&
    (uri.slotId === undefined || BigInt(uri.slotId) === token.slot) &&
    (uri.libraryVersion === undefined ||
      (uri.libraryVersion.major === library.version.major &&
        (uri.libraryVersion.minor ?? library.version.minor) === library.version.minor))
  );
}

/** Without padding: in the C structures these are filled up with spaces, and people copy those from tools. */
function equal(wanted: string | undefined, actual: string): boolean {
  return wanted === undefined || wanted.trimEnd() === actual;
}

/** The object attributes of a URI. Its type is not one of them: the same URI names a certificate and its key. */
export function objectFilter({ object, id }: Pkcs11Uri): ObjectFilter {
  return { label: object, id };
}

/** The URI of one token, or of one object in it. The slot is in it only where the rest leaves two tokens alike. */
export function uriOf(
  token: TokenFacts,
  all: readonly TokenFacts[],
  object?: { label: string; id: Uint8Array; type: ObjectType },
): string {
  const uri: Pkcs11Uri = {
    model: token.model,
    manufacturer: token.manufacturer,
    serial: token.serial,
    token: token.label,
  };
  if (all.filter((other) => matchesToken(uri, other)).length > 1) uri.slotId = Number(token.slot);
  if (object !== undefined) {
    uri.type = object.type;
    if (object.id.length > 0) uri.id = object.id;
    if (object.label !== '') uri.object = object.label;
  }
  return formatPkcs11Uri(uri);
}
