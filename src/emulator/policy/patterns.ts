/**
 * Texts of policies in which something stands for something else: wildcards,
 * and policy variables (IAM User Guide, "IAM policy elements: Variables and
 * tags", https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html).
 */
// Tests: test/emulator/policy/evaluate.test.ts
import type { ContextKeys } from './keys.ts';

/** The components of an ARN. */
const COMPONENTS = 6;

/** Part of a text: to be taken as it is, or a wildcard. */
type Piece = { readonly literal: string } | { readonly wildcard: '*' | '?' };

export interface Variables {
  /** Undefined: the policy's version has no variables. */
  readonly keys: ContextKeys | undefined;
}

/**
 * The text with its variables replaced.
 *
 * @returns undefined when a variable has no single value and no default: then nothing matches
 */
export function resolve(text: string, variables: Variables): string | undefined {
  return pieces(text, variables)
    ?.map((piece) => ('literal' in piece ? piece.literal : piece.wildcard))
    .join('');
}

/** Whether `value` is like `text`, in which `*` stands for any characters and `?` for one. */
export function matches(text: string, value: string, variables: Variables): boolean {
  const found = pieces(text, variables);
  return found !== undefined && toRegExp(found).test(value);
}

/** Names of actions are matched without regard to case, and have no variables. */
export function matchesAction(text: string, action: string): boolean {
  return matches(text.toLowerCase(), action.toLowerCase(), { keys: undefined });
}

/**
 * Whether `value` is like the ARN `text`, each of the six components for
 * itself, the last with its colons: "ARN condition operators" of the IAM User
 * Guide's page on condition operators.
 */
export function matchesArn(text: string, value: string, variables: Variables): boolean {
  const found = pieces(text, variables);
  if (found === undefined) return false;
  if (text === '*') return true;
  const parts = components(value);
  const patterns = splitPieces(found);
  return (
    patterns.length === parts.length && patterns.every((pattern, index) => toRegExp(pattern).test(parts[index] ?? ''))
  );
}

/**
 * Whether `value` is like the ARN `text` of a Resource element, in which a
 * wildcard may go beyond a colon and components that are missing stand for
 * any: IAM User Guide, "Resource", "Using wildcards in resource ARNs", and
 * "IAM ARNs", "Using wildcards in paths".
 */
export function matchesResource(text: string, value: string, variables: Variables): boolean {
  const missing = COMPONENTS - text.split(':').length;
  return matches(missing > 0 ? text + ':*'.repeat(missing) : text, value, variables);
}

function components(arn: string): string[] {
  const parts = arn.split(':');
  return parts.length <= COMPONENTS ? parts : [...parts.slice(0, 5), parts.slice(5).join(':')];
}

function splitPieces(all: readonly Piece[]): Piece[][] {
  const parts: Piece[][] = [[]];
  for (const piece of all) {
    if (!('literal' in piece)) {
      parts.at(-1)?.push(piece);
      continue;
    }
    for (const [index, text] of piece.literal.split(':').entries()) {
      if (index > 0 && parts.length < COMPONENTS) parts.push([{ literal: text }]);
      else parts.at(-1)?.push({ literal: index > 0 ? `:${text}` : text });
    }
  }
  return parts;
}

function toRegExp(all: readonly Piece[]): RegExp {
  const source = all.map((piece) => {
    if ('literal' in piece) return piece.literal.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
    return piece.wildcard === '*' ? '.*' : '.';
  });
  // Wildcards that follow each other match no more than one does, but would be tried in every way.
  return new RegExp(`^${source.join('').replaceAll(/(?:\.\*){2,}/g, '.*')}$`, 'su');
}

function pieces(text: string, { keys }: Variables): Piece[] | undefined {
  const found: Piece[] = [];
  for (const [part] of text.matchAll(/\$\{[^}]*\}|[*?]|[^$*?]+|\$/g)) {
    if (part === '*' || part === '?') found.push({ wildcard: part });
    else if (keys === undefined || !part.startsWith('${')) found.push({ literal: part });
    else {
      const value = variable(part.slice(2, -1), keys);
      if (value === undefined) return undefined;
      found.push({ literal: value });
    }
  }
  return found;
}

function variable(content: string, keys: ContextKeys): string | undefined {
  if (content === '*' || content === '?' || content === '$') return content;
  const [, name = '', fallback] = /^\s*([^,\s]+)\s*(?:,\s*'([^']*)'\s*)?$/.exec(content) ?? [];
  const values = keys.get(name);
  return values?.length === 1 && !keys.isMultivalued(name) ? values[0] : fallback;
}
