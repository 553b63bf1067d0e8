/** Which of several pairs of certificate and key. Loaded where there is more than one, or a choice. */
// Tests: test/identity/pairs.test.ts, test/identity/chooser.test.ts
import type { Certificate } from '../x509/certificate.ts';
import { brokenRules } from '../x509/rules.ts';
import { type CertificateChoice, openChooser } from './choice.ts';
import { isoSeconds, subjectText } from './verdicts.ts';
import type { PrivateKey } from './private-key.ts';
import type { IdentityWarning, Warn } from './warnings.ts';

/** A certificate and the key that belongs to it. */
export interface Pair {
  readonly leaf: Certificate;
  readonly key: PrivateKey;
}

/** What choosing needs of loading. */
interface ChoosingDeps {
  readonly now?: (() => number) | undefined;
  readonly warn?: Warn | undefined;
}

/**
 * The pair that is used; the keys of others are forgotten.
 *
 * @param pairs at least one
 * @param source how messages name the file
 * @param choice default: {@link bestPair}, with its warning
 * @throws RolesAnywhereError `ERR_SELECTOR`, `ERR_CERTIFICATE_NOT_FOUND`, `ERR_CERTIFICATE_AMBIGUOUS`
 */
export function choosePair<P extends Pair>(
  pairs: readonly P[],
  source: string,
  choice: CertificateChoice | undefined,
  { now = Date.now, warn }: ChoosingDeps,
): P {
  let chosen: P | undefined;
  try {
    if (choice === undefined) {
      const { pair, warning } = bestPair(pairs, source, now());
      warn?.(warning);
      chosen = pair;
    } else chosen = openChooser(choice).choose(pairs, { where: source, now: now() });
    return chosen;
  } finally {
    for (const { key } of pairs) if (key !== chosen?.key) key.forget();
  }
}

/**
 * Of the pairs that break no rule, or of all where each breaks one, the one that ends last; of equals, the first.
 *
 * @param pairs at least one
 * @param source how messages name the file
 * @param now milliseconds since the epoch
 * @returns it, and what says so
 */
export function bestPair<P extends Pair>(
  pairs: readonly P[],
  source: string,
  now: number,
): { readonly pair: P; readonly warning: IdentityWarning } {
  const good = pairs.filter(({ leaf }) => brokenRules(leaf, now).length === 0);
  const pair = (good.length > 0 ? good : pairs).reduce((best, one) =>
    one.leaf.notAfter > best.leaf.notAfter ? one : best,
  );
  const { leaf } = pair;
  const why = good.length === 0 ? 'none of which the service takes' : 'of those that the service takes, it ends last';
  return {
    pair,
    warning: {
      code: 'WARN_SEVERAL_PAIRS',
      message:
        `${source} holds ${pairs.length} certificates with their keys: took ${subjectText(leaf)}, serial number ` +
        `${leaf.serialNumber}, until ${isoSeconds(leaf.notAfter)} (${why})`,
    },
  };
}
