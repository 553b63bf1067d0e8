/** The types of the values of flags, which follow from the table of flags. */
import type { COMMANDS, COMMON, CommandName, FLAGS, FlagItem, FlagName } from './flags.ts';

/** The value of a flag: one of its choices, or what its kind says. */
export type ValueOf<F extends FlagName> = (typeof FLAGS)[F] extends { readonly choices: readonly (infer V)[] }
  ? V
  : (typeof FLAGS)[F] extends { readonly items: true }
    ? readonly (string | FlagItem)[]
    : Kinds[(typeof FLAGS)[F]['kind']];

interface Kinds {
  text: string;
  boolean: boolean;
  integer: number;
  list: readonly string[];
}

/**
 * Values by flag name (without the dashes), each of which may be missing. An empty text or list is never among them: it
 * counts as not given, as it does upstream.
 */
export type FlagValues<F extends FlagName = FlagName> = { readonly [K in F]?: ValueOf<K> | undefined };

/** The values that a command gets: of the flags that it takes and no others. */
export type FlagsOf<C extends CommandName> = {
  readonly [F in Present<C>]: ValueFor<C, F>;
} & {
  readonly [F in Exclude<Taken<C>, Present<C>>]?: ValueFor<C, F> | undefined;
};

type Row<C extends CommandName> = (typeof COMMANDS)[C];

type Taken<C extends CommandName> = Row<C>['flags'][number] | (typeof COMMON)[number];

/** A command's own choices are narrower than those of the flag. */
type ValueFor<C extends CommandName, F extends FlagName> =
  Row<C> extends { readonly choices: Readonly<Record<F, readonly (infer V)[]>> } ? V : ValueOf<F>;

/** Flags that have a default, and those that must be given and could not be replaced by another. */
type Present<C extends CommandName> = Taken<C> & (Defaulted<Row<C>> | Exclude<Demanded<Row<C>>, PerRole<Row<C>>>);

type Defaulted<R> = R extends { readonly defaults: infer D } ? keyof D : never;

type Demanded<R> = R extends { readonly required: readonly (infer N)[] } ? Needed<N> : never;

type PerRole<R> = R extends { readonly perRole: readonly (infer F)[] } ? F : never;

type Needed<N> = N extends FlagName ? N : N extends readonly (infer F)[] ? Single<F> : never;

/** A type that is no union. */
type Single<T, All = T> = T extends unknown ? ([All] extends [T] ? T : never) : never;
