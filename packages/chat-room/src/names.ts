/**
 * Names of people: how they are written, and when two of them are the same.
 *
 * - A name is shown as `normalizeName` gives it: NFC, otherwise as it was typed.
 * - Refused, never repaired: nothing at all, control characters, line separators, lone surrogates, bidirectional
 *   controls, U+FFFD (something that could not be decoded), space at either end, a leading `/` (commands) or `*`
 *   (announcements), nothing visible, too many bytes.
 * - Names are the same when `foldName` gives the same string: compatibility forms (NFKC), full case folding (upper, then
 *   lower case, so that `ß` is `ss` and the two small sigmas are one) and characters that nobody sees don't count.
 *   Lookalikes across scripts (Latin and Cyrillic `a`) do count as different.
 */

import { DEFAULT_LIMITS, utf8Length } from "@parley/chat-protocol";

export type NameOutcome =
  | { readonly valid: true; readonly name: string }
  | { readonly valid: false; readonly code: "NAME_INVALID" | "NAME_TOO_LONG"; readonly message: string };

const NOT_IN_NAMES = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\ufffd]/u;
const SPACE_AT_AN_END = /^\s|\s$/u;
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/gu;

/** `raw` as a name, or the code and the text of why it can't be one. `maxBytes` counts UTF-8. */
export function normalizeName(raw: string, maxBytes: number = DEFAULT_LIMITS.maxNameBytes): NameOutcome {
  const name = raw.normalize("NFC");
  if (name === "") return invalid("a name is needed");
  const bytes = utf8Length(name);
  if (bytes > maxBytes) {
    return {
      valid: false,
      code: "NAME_TOO_LONG",
      message: `the name has ${bytes} bytes; at most ${maxBytes} are allowed`,
    };
  }
  if (NOT_IN_NAMES.test(name)) return invalid("a name can't have control characters, nor bytes that are no UTF-8");
  if (SPACE_AT_AN_END.test(name)) return invalid("a name can't begin or end with a space");
  if (name.startsWith("/") || name.startsWith("*")) return invalid(`a name can't begin with ${name[0]}`);
  if (foldName(name).trim() === "") return invalid("a name needs a character that can be seen");
  return { valid: true, name };
}

/** `raw` as the name of a room, or why it can't be one. Rooms are the same when this gives the same string. */
export function normalizeRoomName(
  raw: string,
  maxBytes: number = DEFAULT_LIMITS.maxRoomNameBytes,
): { readonly valid: true; readonly name: string } | { readonly valid: false; readonly message: string } {
  const outcome = normalizeName(raw, maxBytes);
  return outcome.valid
    ? outcome
    : { valid: false, message: outcome.message.replace(/\b(the|a) name\b/, "$1 room's name") };
}

/** What is compared when names must be unique. Folding twice changes nothing. */
export function foldName(name: string): string {
  return name.normalize("NFKC").replace(INVISIBLE, "").toUpperCase().toLowerCase().normalize("NFKC");
}

function invalid(message: string): NameOutcome {
  return { valid: false, code: "NAME_INVALID", message };
}
